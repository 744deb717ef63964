"""Reads a stream back, for those who were away: what it holds, and any range of it, without leaving a consumer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.runtime.bus import Bus, BusDown

BATCH = 256
ANSWER_TIMEOUT_S = 2.0


class _Counts(msgspec.Struct, frozen=True):
    first_seq: int
    last_seq: int


class _Info(msgspec.Struct, frozen=True):
    created: datetime
    state: _Counts


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds now. `name` changes when the stream is made anew; sequences are inclusive."""

    name: str
    first: int
    last: int


class ReplayBroken(Exception):
    """The stream's answer was incomplete; ask again from the last sequence that came."""


class _Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    next_by_subj: str
    seq: int = 0
    start_time: str = ""
    batch: int = 0


async def log_of(bus: Bus, stream: str) -> Log:
    """The stream as it is now. Raises BusDown, nats.errors.Error (no answer) or LookupError (no such stream)."""
    if not bus.connected:
        raise BusDown
    reply = await bus.nats.request(f"$JS.API.STREAM.INFO.{stream}", timeout=ANSWER_TIMEOUT_S)
    try:
        info = msgspec.json.decode(reply.data, type=_Info)
    except msgspec.ValidationError as error:
        raise LookupError(f"stream {stream} does not exist") from error
    return Log(name=f"{int(info.created.timestamp() * 1000):x}", first=info.state.first_seq, last=info.state.last_seq)


async def stored_after(bus: Bus, stream: str, subject: str, position: int) -> AsyncGenerator[tuple[int, Msg], None]:
    """What the stream holds of `subject` (wildcards allowed) above sequence `position`, in order, up to its end.

    Raises BusDown and ReplayBroken, then what came so far is complete.
    """
    more = True
    while more:
        batch, more = await _batch(bus, stream, _Question(seq=position + 1, next_by_subj=subject, batch=BATCH))
        for sequence, message in batch:
            position = sequence
            yield sequence, message


async def stored_since(bus: Bus, stream: str, subject: str, at: datetime) -> AsyncGenerator[tuple[int, Msg], None]:
    """What was stored at this time or later, in order, up to the stream's end. Raises BusDown and ReplayBroken."""
    batch, more = await _batch(bus, stream, _Question(start_time=_in_words(at), next_by_subj=subject, batch=BATCH))
    for item in batch:
        yield item
    if more:
        async for item in stored_after(bus, stream, subject, batch[-1][0]):
            yield item


async def position_before(bus: Bus, stream: str, subject: str, at: datetime) -> int | None:
    """The sequence behind which everything of `subject` lies that was stored at this time or later; None for nothing.

    Raises BusDown and ReplayBroken.
    """
    question = _Question(start_time=_in_words(at), next_by_subj=subject, batch=1)
    batch, _ = await _batch(bus, stream, question)
    return batch[0][0] - 1 if batch else None


def _in_words(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _batch(bus: Bus, stream: str, question: _Question) -> tuple[list[tuple[int, Msg]], bool]:
    """The answer to one question, and whether the stream holds more."""
    if not bus.connected:
        raise BusDown
    inbox = bus.nats.new_inbox()
    subscription = await bus.nats.subscribe(inbox)
    try:
        await bus.nats.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(question), reply=inbox)
        batch: list[tuple[int, Msg]] = []
        before = 0  # each message names the one that was sent before it, the first names 0
        while True:
            message = await subscription.next_msg(timeout=ANSWER_TIMEOUT_S)
            headers = message.headers or {}
            status = headers.get("Status")
            if status == "404":
                return batch, False
            if int(headers.get("Nats-Last-Sequence", -1)) != before:
                raise ReplayBroken
            if status == "204":
                return batch, int(headers["Nats-Num-Pending"]) > 0
            before = int(headers["Nats-Sequence"])
            batch.append((before, message))
    except (nats.errors.Error, TimeoutError) as error:
        raise ReplayBroken from error
    finally:
        await _quietly_unsubscribe(subscription)


async def _quietly_unsubscribe(subscription: Subscription) -> None:
    with contextlib.suppress(nats.errors.Error):
        await subscription.unsubscribe()
