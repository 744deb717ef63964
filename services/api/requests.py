"""The request at hand: its id, for answers, logs and NATS headers; where it comes from; what its answer shall say."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog

from services.api.access.rates import Headers, Tally, headers_of

_SAFE = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")


@dataclass(slots=True, eq=False)
class _AtHand:
    """One request; changed only by the functions below. One object, because a request has several tasks."""

    request_id: str = ""
    address: str = ""
    path: str = ""
    accept_language: str = ""
    tallies: list[Tally] = field(default_factory=list[Tally])


_at_hand: ContextVar[_AtHand | None] = ContextVar("request_at_hand", default=None)


def begin_request(given: str, *, address: str = "", path: str = "", accept_language: str = "") -> str:
    """Take the id that the client gave, when it is short and plain, else make one; it stands in every log line."""
    chosen = given if _SAFE.fullmatch(given) else uuid.uuid4().hex
    _at_hand.set(_AtHand(request_id=chosen, address=address, path=path, accept_language=accept_language))
    structlog.contextvars.bind_contextvars(request_id=chosen)
    return chosen


def request_id() -> str:
    """The id of the request at hand; empty outside of one."""
    found = _at_hand.get()
    return "" if found is None else found.request_id


def client_address() -> str:
    """The address from which the request at hand comes, an IPv4 or IPv6 address; empty outside of one."""
    found = _at_hand.get()
    return "" if found is None else found.address


def wanted_language() -> tuple[str, str]:
    """The path of the request at hand, and the languages that its answer is wanted in; both empty outside of one."""
    found = _at_hand.get()
    return ("", "") if found is None else (found.path, found.accept_language)


def tell_in_answer(tally: Tally) -> None:
    """The answer to the request at hand, whatever it will be, tells what is left of this rate."""
    found = _at_hand.get()
    if found is not None:
        found.tallies.append(tally)


def headers_of_answer() -> Headers:
    """What the answer to the request at hand tells of rates."""
    found = _at_hand.get()
    return [] if found is None else headers_of(found.tallies)


def nats_headers() -> dict[str, str]:
    """The headers that a publish on behalf of this request carries."""
    current = request_id()
    return {"Request-Id": current} if current else {}
