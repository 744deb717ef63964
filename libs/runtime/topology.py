"""Compares the streams of a NATS server with the contract, and makes them so."""

from __future__ import annotations

from typing import Any

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from libs.contracts.streams import STREAMS, Stream

FIELDS = (
    "subjects",
    "retention",
    "discard",
    "max_age",
    "max_bytes",
    "storage",
    "duplicate_window",
    "allow_atomic",
    "allow_direct",
)


def config_of(stream: Stream) -> StreamConfig:
    """The stream as NATS takes it."""
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.WORK_QUEUE if stream.work_queue else RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW if stream.discard_new else DiscardPolicy.OLD,
        max_age=float(stream.max_age_s),
        max_bytes=stream.max_bytes,
        storage=StorageType.FILE,
        duplicate_window=float(stream.duplicate_window_s),
        allow_atomic=stream.atomic_batches,
        allow_direct=True,
    )


def _values(config: StreamConfig) -> dict[str, Any]:
    values = {field: getattr(config, field) for field in FIELDS}
    return {
        **values,
        "allow_atomic": bool(values["allow_atomic"]),
        "allow_direct": bool(values["allow_direct"]),
        "max_age": float(values["max_age"] or 0),
    }


async def differences(jetstream: JetStreamContext) -> dict[str, list[str]]:
    """What is not as the contract says, by stream: `missing`, or `<field> is <actual>, not <wanted>`."""
    found: dict[str, list[str]] = {}
    for stream in STREAMS:
        wanted = _values(config_of(stream))
        try:
            actual = _values((await jetstream.stream_info(stream.name)).config)
        except NotFoundError:
            found[stream.name] = ["missing"]
            continue
        faults = [
            f"{field} is {actual[field]!r}, not {wanted[field]!r}" for field in FIELDS if actual[field] != wanted[field]
        ]
        if faults:
            found[stream.name] = faults
    return found


async def drift(jetstream: JetStreamContext) -> str | None:
    """Health check: None while every stream is as the contract says, else one sentence."""
    found = await differences(jetstream)
    if not found:
        return None
    return "; ".join(f"stream {name}: {', '.join(faults)}" for name, faults in found.items()) + " (run the topology)"


async def apply(jetstream: JetStreamContext) -> dict[str, list[str]]:
    """Make every stream as the contract says; returns what differed before. May run twice, and at the same time."""
    found = await differences(jetstream)
    for stream in STREAMS:
        if found.get(stream.name) == ["missing"]:
            await jetstream.add_stream(config_of(stream))
        elif stream.name in found:
            await jetstream.update_stream(config_of(stream))
    return found
