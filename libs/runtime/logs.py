"""Structured logs: one JSON line on stderr for each event, with the ids that are bound to the work at hand."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger


def configure(*, service: str, replica: str, level: str) -> None:
    """Set up logging for this process; called once, before anything logs."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, replica=replica)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","event":"%(name)s"}')
    for noisy in ("nats", "pymongo", "faststream", "uvicorn", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def get() -> Any:
    """The logger."""
    return structlog.get_logger()


def masked_phone(phone: str) -> str:
    """A phone number as logs may show it: the last three digits."""
    return f"...{phone[-3:]}"
