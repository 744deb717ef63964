"""Many shards of one process share a round: fewer publishes, and none suffers for another."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from libs.contracts.ids import shard_of
from libs.runtime.bus import PublishUnclear
from libs.runtime.shards import LeaseLost
from tests.unit.status.builders import (
    changed,
    deliveries,
    progressed,
)
from tests.unit.status.memory import MemoryBus, MemoryStore, Unclear
from tests.unit.status.owners import SESSIONS, SHARDS, handled_at_once, messages_of, rounds_over, shard


@pytest.mark.parametrize("number", [1, 20], ids=["few frames", "many frames"])
async def test_shards_share_a_round_and_each_frame_is_told_once(number: int) -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = {session: messages_of(session, number) for session in SESSIONS}
    for epoch in (1, 2):
        assert await handled_at_once(rounds_over(store, bus), facts, epoch) == [None] * len(SESSIONS)
    told = [(frame.session_id, frame.data["waId"], frame.data["status"]) for frame in bus.frames()]
    assert sorted(told) == sorted(
        (session, f"3EB0{session}{n}", status)
        for session in SESSIONS
        for n in range(number)
        for status in ("queued", "sent")
    )


async def test_many_frames_of_many_shards_go_as_one_publish() -> None:
    bus = MemoryBus()
    rounds = rounds_over(MemoryStore(), bus)
    blocker = asyncio.ensure_future(handled_at_once(rounds, {SESSIONS[0]: messages_of(SESSIONS[0], 1)}))
    await asyncio.sleep(0)
    await handled_at_once(rounds, {session: messages_of(session, 20) for session in SESSIONS[1:]})
    await blocker
    assert len(bus.stream) == 2 + 4 * 40
    assert bus.publishes <= 4


@pytest.mark.parametrize("number", [1, 20], ids=["few frames", "many frames"])
async def test_a_shard_that_has_a_later_owner_stops_none_of_the_others(number: int) -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = {session: messages_of(session, number) for session in SESSIONS}
    lost = SESSIONS[2]
    rounds = rounds_over(store, bus)
    shards = {session: shard(shard_of(session, SHARDS)) for session in SESSIONS}
    for session in SESSIONS:
        await rounds.handle(shards[session], deliveries([changed(session_id=session, fact_id=f"c{session}")]))
    await rounds_over(store, bus).handle(shard(shard_of(lost, SHARDS), epoch=2), deliveries(facts[lost], first_seq=2))
    work = [rounds.handle(shards[session], deliveries(facts[session], first_seq=2)) for session in SESSIONS]
    errors = await asyncio.gather(*work, return_exceptions=True)
    assert [type(error) for error in errors] == [LeaseLost if session == lost else type(None) for session in SESSIONS]
    assert Counter(frame.session_id for frame in bus.frames()) == dict.fromkeys(SESSIONS, 1 + 2 * number)


@pytest.mark.parametrize("number", [1, 20], ids=["few frames", "many frames"])
async def test_a_fact_that_makes_no_sense_stops_only_its_own_shard(number: int) -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = {session: messages_of(session, number) for session in SESSIONS}
    facts[SESSIONS[1]].append(progressed("teleported", session_id=SESSIONS[1]))
    errors = await handled_at_once(rounds_over(store, bus), facts)
    assert [type(error) for error in errors] == [type(None), KeyError, *[type(None)] * 3]
    assert Counter(frame.session_id for frame in bus.frames()) == {
        session: 2 * number for session in SESSIONS if session != SESSIONS[1]
    }


async def test_an_unclear_publish_of_a_round_is_every_shards_matter_and_is_repeated_without_repeats() -> None:
    store, bus = MemoryStore(), MemoryBus()
    rounds, facts = rounds_over(store, bus), {session: messages_of(session, 20) for session in SESSIONS}
    bus.unclear = Unclear(stored=True)
    errors = await handled_at_once(rounds, facts)
    assert PublishUnclear in {type(error) for error in errors}
    assert await handled_at_once(rounds, facts) == [None] * len(SESSIONS)
    assert len({frame.id for frame in bus.frames()}) == len(bus.stream) == len(SESSIONS) * 40
