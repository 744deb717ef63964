"""The publisher on a real NATS: who may publish, and what is skipped."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from libs.contracts.ids import shard_of
from libs.contracts.times import iso
from libs.contracts.updates import Frame, SessionView
from libs.runtime.bus import Bus, Outgoing
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, LeaseLost
from services.status.frames import DueFrame
from services.status.publishing import LastFrame, Publisher, ShardStream, Telling
from tests.integration.status.stream import SESSIONS, SHARDS, told

SESSION = SESSIONS[0]


class Owner:
    """The publisher of a process that owns one shard under this epoch."""

    def __init__(self, bus: Bus, epoch: int) -> None:
        self._publisher = Publisher(bus, SHARDS)
        self.stream = stream_of(SESSION, epoch)

    async def publish(self, frames: list[DueFrame]) -> None:
        telling = Telling(self.stream, frames)
        await self._publisher.publish([telling])
        if telling.error is not None:
            raise telling.error

    async def last(self) -> LastFrame:
        return await self._publisher.last(self.stream)


def stream_of(session: str, epoch: int) -> ShardStream:
    return ShardStream(Lease(shard_of(session, SHARDS), epoch, confirmed_at=time.monotonic(), timing=Timing()))


def due(fact_seq: int, part: int = 0, session: str = SESSION) -> DueFrame:
    frame = Frame(
        id=f"frm_{fact_seq}_{part}",
        type="session.connected",
        session_id=session,
        occurred_at=iso(datetime.now(UTC)),
        data=SessionView(status="connected"),
    )
    return DueFrame(fact_seq=fact_seq, part=part, customer_id="cus_1", frame=frame)


async def published(bus: Bus) -> list[str]:
    return [each.frame.id for each in await told(bus)]


async def test_a_new_owner_skips_what_the_last_frame_covers(bus: Bus) -> None:
    await Owner(bus, 1).publish([due(3), due(5, 0), due(5, 1)])
    follower = Owner(bus, 2)
    assert await follower.last() == LastFrame(seq=3, fact_seq=5, part=1, epoch=1)
    await follower.publish([due(5, 0), due(5, 1), due(5, 2), due(6)])
    assert await published(bus) == ["frm_3_0", "frm_5_0", "frm_5_1", "frm_5_2", "frm_6_0"]


async def test_a_shard_without_frames_has_no_last_one(bus: Bus) -> None:
    assert await Owner(bus, 1).last() == LastFrame()


async def test_frames_of_other_shards_are_no_concern(bus: Bus) -> None:
    owner = Owner(bus, 1)
    await owner.publish([due(1)])
    await bus.publish_batch([Outgoing(subject="updates.99.cus.s.session.connected", payload=b"{}")])
    await owner.publish([due(2)])
    last = await owner.last()
    assert (last.seq, last.fact_seq) == (3, 2)


async def test_a_stale_owners_batch_is_refused(bus: Bus) -> None:
    stale = Owner(bus, 1)
    await stale.publish([due(1)])
    await Owner(bus, 2).publish([due(2)])
    with pytest.raises(LeaseLost):
        await stale.publish([due(2), due(3)])
    assert await published(bus) == ["frm_1_0", "frm_2_0"]


async def test_an_owner_whose_batch_is_refused_reads_and_tells_the_rest(bus: Bus) -> None:
    """The refused one is the newer owner: the stale one's last batch came in between."""
    stale = Owner(bus, 1)
    await stale.publish([due(1)])
    owner = Owner(bus, 2)
    await owner.last()
    await stale.publish([due(2)])
    await owner.publish([due(2), due(3)])
    assert await published(bus) == ["frm_1_0", "frm_2_0", "frm_3_0"]


async def test_more_frames_than_a_batch_holds_are_all_told(bus: Bus) -> None:
    frames = [due(fact_seq) for fact_seq in range(1, 1203)]
    await Owner(bus, 1).publish(frames)
    assert await published(bus) == [each.frame.id for each in frames]


async def test_a_stale_shard_does_not_keep_the_others_of_its_batch_from_telling(bus: Bus) -> None:
    others = [session for session in SESSIONS if shard_of(session, SHARDS) != shard_of(SESSION, SHARDS)]
    streams = {session: stream_of(session, 1) for session in (SESSION, others[0])}
    await Owner(bus, 2).publish([due(1)])
    publisher = Publisher(bus, SHARDS)
    streams[SESSION].last = LastFrame()  # as it was before the later owner told
    tellings = [Telling(streams[session], [due(seq, session=session) for seq in range(2, 40)]) for session in streams]
    await publisher.publish(tellings)
    assert [type(each.error) for each in tellings] == [LeaseLost, type(None)]
    assert [each.fact_seq for each in await told(bus)] == [1, *range(2, 40)]


async def test_the_frames_of_several_shards_in_one_batch_leave_each_shards_last_frame_known(bus: Bus) -> None:
    by_shard = {shard_of(session, SHARDS): session for session in SESSIONS}
    streams = {session: stream_of(session, 1) for session in by_shard.values()}
    publisher = Publisher(bus, SHARDS)
    for first in (1, 21):
        tellings = [
            Telling(streams[session], [due(seq, session=session) for seq in range(first, first + 20)])
            for session in streams
        ]
        await publisher.publish(tellings)
        assert [each.error for each in tellings] == [None] * len(streams)
        for session, stream in streams.items():
            assert stream.last == await Publisher(bus, SHARDS).last(stream_of(session, 1))
