"""Publishes frames to UPDATES: each once, in order, by one writer of a shard at a time.

The stream itself remembers how far the telling came: the shard's last frame carries the sequence of its fact. Each
publish is conditional on that frame still being the last one, so a stale owner's is refused.

An atomic batch costs nats-server about 3 ms and 5 to 20 ms of waiting, whatever its size, as it is staged in files of
its own; a single publish 0.1 to 0.25 ms. So a few frames go one by one, each conditional on the one before, and many go
as one batch, the frames of all shards together, with one condition for each shard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import cast

import msgspec
from nats.js.errors import NotFoundError

from libs.contracts.ids import UPDATES, shard_token, update_subject
from libs.runtime.bus import MAX_BATCH, Bus, Outgoing, PublishUnclear, StalePublish, encode
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import Lease, LeaseLost
from services.status.frames import DueFrame

FACT_SEQ, FACT_PART, EPOCH = "Fact-Seq", "Fact-Part", "Epoch"
EXPECTED, EXPECTED_OF = "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject"

FEW_IN_ALL = 24
FEW_OF_A_SHARD = 8
REFUSALS = 5
"""After so many the shard's feed waits before it tries again."""


class LastFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a shard in UPDATES; all zero while there is none."""

    seq: int = 0
    fact_seq: int = 0
    part: int = 0
    epoch: int = 0

    def covers(self, due: DueFrame) -> bool:
        """Whether this frame, or one before it, is the one that is due."""
        return (due.fact_seq, due.part) <= (self.fact_seq, self.part)


class ShardStream:
    """A shard's part of UPDATES as its owner knows it. `last` is None while it must be asked of the stream."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.filter = f"updates.{shard_token(lease.shard)}.>"
        self.last: LastFrame | None = None


class Telling:
    """What one shard has to tell; `error` says what stopped it."""

    def __init__(self, stream: ShardStream, frames: Sequence[DueFrame]) -> None:
        self.stream, self.frames = stream, frames
        self.error: Exception | None = None


Placed = tuple[ShardStream, DueFrame]


class Publisher:
    """Publishes the frames of this process's shards."""

    def __init__(self, bus: Bus, shards: int) -> None:
        self._bus, self._shards = bus, shards

    async def publish(self, tellings: Sequence[Telling]) -> None:
        """Publish those frames that are not published yet; may run twice. Raises nothing: see each telling's `error`.

        That is LeaseLost when another owner has written, BusDown, PublishUnclear, StreamFull or a nats error.
        """
        telling = [each for each in tellings if each.frames]
        await asyncio.gather(*(self._learn_last(each) for each in telling))
        telling = [each for each in telling if each.error is None]
        if not _are_few(telling) and await self._told_together(telling):
            return
        await asyncio.gather(*(self._tell_alone(each) for each in telling))

    async def last(self, stream: ShardStream) -> LastFrame:
        """The shard's last frame. Raises LeaseLost when a later owner wrote it, and nats errors."""
        if stream.last is None:
            stream.last = await self._read_last(stream)
        return stream.last

    async def _learn_last(self, telling: Telling) -> None:
        try:
            await self.last(telling.stream)
        except Exception as error:
            telling.error = error

    async def _told_together(self, tellings: Sequence[Telling]) -> bool:
        """Publish as few batches; False when that cannot be, so that each shard must see for itself."""
        placed = [(each.stream, due) for each in tellings for due in _untold(each)]
        try:
            for start in range(0, len(placed), MAX_BATCH):
                await self._publish_batch(placed[start : start + MAX_BATCH])
        except Exception as error:
            if not is_infrastructure(error):
                return False
            for each in tellings:
                each.error = error
        return True

    async def _tell_alone(self, telling: Telling) -> None:
        telling.error = PublishUnclear(telling.stream.filter)  # should every try be refused
        for _ in range(REFUSALS):
            try:
                await self.last(telling.stream)
                await self._tell_in_order(telling)
                telling.error = None
                return
            except StalePublish:
                continue
            except Exception as error:
                telling.error = error
                return

    async def _tell_in_order(self, telling: Telling) -> None:
        untold = _untold(telling)
        size = 1 if len(untold) <= FEW_OF_A_SHARD else MAX_BATCH
        for start in range(0, len(untold), size):
            await self._publish_batch([(telling.stream, due) for due in untold[start : start + size]])

    async def _publish_batch(self, placed: Sequence[Placed]) -> None:
        """Publish all or none, each shard's frames on the condition that its last frame is the one we know."""
        batch = [self._outgoing(each) for each in placed]
        runs = [list(run) for _, run in groupby(enumerate(placed), key=lambda each: id(each[1][0]))]
        for run in runs:
            first, (stream, _) = run[0]
            last = stream.last or LastFrame()
            batch[first].headers.update({EXPECTED: str(last.seq), EXPECTED_OF: stream.filter})
        for stream, _ in placed:
            stream.last = None  # unknown until the answer is here
        seq = await self._bus.publish_batch(batch)
        for run in runs:
            number, (stream, due) = run[-1]
            stream.last = LastFrame(
                seq=seq - (len(batch) - 1 - number), fact_seq=due.fact_seq, part=due.part, epoch=stream.lease.epoch
            )

    async def _read_last(self, stream: ShardStream) -> LastFrame:
        try:
            message = await self._bus.jetstream.get_last_msg(UPDATES, stream.filter)
        except NotFoundError:
            return LastFrame()
        headers = cast("dict[str, str]", message.headers or {})
        last = LastFrame(
            seq=int(message.seq or 0),
            fact_seq=int(headers[FACT_SEQ]),
            part=int(headers[FACT_PART]),
            epoch=int(headers[EPOCH]),
        )
        if last.epoch > stream.lease.epoch:
            raise LeaseLost(stream.lease.shard, stream.lease.epoch)
        return last

    def _outgoing(self, placed: Placed) -> Outgoing:
        stream, due = placed
        return Outgoing(
            subject=_subject_of(due, self._shards),
            payload=encode(due.frame),
            headers={FACT_SEQ: str(due.fact_seq), FACT_PART: str(due.part), EPOCH: str(stream.lease.epoch)},
        )


def _subject_of(due: DueFrame, shards: int) -> str:
    """What is about the customer, and no session, stands under the customer's own id."""
    return update_subject(due.customer_id, due.frame.session_id or due.customer_id, due.frame.type, shards)


def _untold(telling: Telling) -> list[DueFrame]:
    last = telling.stream.last or LastFrame()
    return [due for due in telling.frames if not last.covers(due)]


def _are_few(tellings: Sequence[Telling]) -> bool:
    """Whether they are told sooner one by one, each shard for itself, than as one batch."""
    numbers = [len(each.frames) for each in tellings]
    return sum(numbers) <= FEW_IN_ALL and max(numbers, default=0) <= FEW_OF_A_SHARD
