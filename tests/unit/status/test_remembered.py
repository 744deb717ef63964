"""What an owner has just written it does not read again, and what it remembers is never taken for more than it is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from libs.contracts.records import MessageRow
from libs.runtime.bus import PublishUnclear
from libs.runtime.shards import LeaseLost
from services.status.projection import project
from services.status.remembered import ROWS, WORDS, Remembered
from tests.unit.status.builders import (
    INCOMING,
    ROW,
    SESSION,
    deliveries,
    progressed,
    queued,
    reacted,
    receipt,
    received,
)
from tests.unit.status.memory import Died, MemoryBus, MemoryStore, Unclear
from tests.unit.status.owners import SESSIONS, Owner, handled_at_once, messages_of, rounds_over, types


def a_row(row_id: str = ROW) -> MessageRow:
    row = project(None, queued(), 1, row=row_id, shard=7)
    assert row is not None
    return row


async def test_a_message_that_goes_its_way_is_never_read() -> None:
    store, bus = MemoryStore(), MemoryBus()
    owner = Owner(store, bus)
    for seq, fact in enumerate([queued(), progressed("sent"), receipt("delivered"), receipt("read")], start=1):
        await owner.handle(deliveries([fact], seq))
    assert store.reads == [set()] * 4
    assert types(bus) == ["message.queued", "message.sent", "message.delivered", "message.read"]


async def test_a_new_owner_reads_what_it_has_not_written() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([queued()]))
    await Owner(store, bus, epoch=2).handle(deliveries([progressed("sent")], 2))
    assert store.reads == [set(), {ROW}]
    assert types(bus) == ["message.queued", "message.sent"]


async def test_a_new_message_that_turns_out_to_be_there_is_read_and_told_once() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([receipt("delivered")]))
    successor = Owner(store, bus, epoch=2)
    await successor.handle(deliveries([queued()], 2))
    assert store.reads == [{ROW}, set(), {ROW}]
    await Owner(store, bus, epoch=3).handle(deliveries([queued()], 2))
    assert types(bus) == ["message.queued", "message.sent", "message.delivered"]


async def test_shards_whose_round_went_wrong_are_each_read_once() -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = {session: messages_of(session, 2) for session in SESSIONS}
    await handled_at_once(rounds_over(store, bus), facts)
    store.reads.clear()
    assert await handled_at_once(rounds_over(store, bus), facts, epoch=2) == [None] * len(SESSIONS)
    assert sum(len(ids) for ids in store.reads) == len(store.rows)
    assert len(store.reads) <= len(SESSIONS) + 2, "beside the two rounds, each shard is read once"


async def test_a_retry_is_no_new_message() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([queued(), progressed("failed")]))
    await Owner(store, bus, epoch=2).handle(deliveries([queued("q2", attempts=1)], 3))
    assert store.reads == [set(), {ROW}]
    assert types(bus) == ["message.queued", "message.failed", "message.queued"]


async def test_what_waits_for_an_incoming_message_is_looked_for() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([reacted()]))
    await Owner(store, bus, epoch=2).handle(deliveries([received()], 2))
    assert store.reads[1] == {f"{SESSION}/in/in1", f"{SESSION}/{INCOMING}"}
    assert types(bus) == ["message.received", "message.reaction"]


@pytest.mark.parametrize("fact", [progressed("sent"), receipt("delivered")], ids=["progress", "receipt"])
async def test_a_stale_owner_that_remembers_a_row_writes_nothing(fact: object) -> None:
    store, bus = MemoryStore(), MemoryBus()
    stale = Owner(store, bus)
    await stale.handle(deliveries([queued()]))
    await Owner(store, bus, epoch=2).handle(deliveries([progressed("sending")], 2))
    with pytest.raises(LeaseLost):
        await stale.handle(deliveries([fact], 2))  # pyright: ignore[reportArgumentType]
    assert store.rows[ROW].status == "sending"
    assert types(bus) == ["message.queued", "message.sending"]


async def test_a_row_that_is_gone_is_not_remembered_into_being() -> None:
    """Retention deletes behind the owner's back."""
    store, bus = MemoryStore(), MemoryBus()
    owner = Owner(store, bus)
    await owner.handle(deliveries([queued()]))
    store.rows.clear()
    await owner.handle(deliveries([receipt("read")], 2))
    assert store.rows[ROW].message_id is None
    assert types(bus) == ["message.queued"]


async def test_after_a_write_that_failed_in_the_middle_all_is_read_again() -> None:
    store, bus = MemoryStore(), MemoryBus()
    owner, other = Owner(store, bus), "3EB0FF"
    facts = [queued(), queued("q2", wa_id=other, message_id="019a9d3c-7c00-7000-8000-0000000000ff")]
    await owner.handle(deliveries(facts))
    store.writes_before_death = 1
    batch = deliveries([progressed("sent"), receipt("delivered", wa_ids=[other])], 3)
    with pytest.raises(Died):
        await owner.handle(batch)
    store.writes_before_death = None
    await owner.handle(batch)
    assert store.reads[-1] == {ROW, f"{SESSION}/{other}"}
    assert types(bus)[2:] == ["message.sent", "message.sent", "message.delivered"]


async def test_after_an_unclear_publish_what_was_written_is_told() -> None:
    store, bus = MemoryStore(), MemoryBus()
    owner = Owner(store, bus)
    bus.unclear = Unclear(stored=False)
    with pytest.raises(PublishUnclear):
        await owner.handle(deliveries([queued()]))
    await owner.handle(deliveries([queued()]))
    assert types(bus) == ["message.queued"]


def test_the_oldest_are_forgotten_first() -> None:
    remembered = Remembered()
    remembered.note(a_row(f"{number}") for number in range(ROWS))
    remembered.note([a_row("0"), a_row("new")])
    assert remembered.among(["0", "1", "2", "new"]).keys() == {"0", "2", "new"}


def test_a_long_message_is_not_remembered_not_even_as_it_was() -> None:
    remembered = Remembered()
    remembered.note([a_row()])
    remembered.note([replace(a_row(), text="x" * (WORDS + 1))])
    assert remembered.among([ROW]) == {}
