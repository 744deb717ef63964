"""A shard's handler over any stream of facts, cut into any batches, dying anywhere: every frame once, and in order."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.events import AnyFact, SessionChanged
from libs.contracts.records import MessageRow
from libs.runtime.bus import PublishUnclear
from libs.runtime.shards import LeaseLost
from services.status.amendments import AMENDMENTS
from services.status.ranks import rank_of
from services.status.sessions import sessions_after
from tests.unit.status.builders import (
    INCOMING,
    NEIGHBOUR,
    ROW,
    SESSION,
    WA_ID,
    action_failed,
    changed,
    deliveries,
    edited,
    held,
    notified,
    progressed,
    queued,
    reacted,
    receipt,
    received,
    revoked,
    undecryptable,
    voted,
)
from tests.unit.status.memory import Died, MemoryBus, MemoryStore, Unclear
from tests.unit.status.owners import SHARD, Owner, types


async def test_each_fact_of_a_batch_is_told_with_the_message_as_it_was_then() -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = [queued(), progressed("sending"), progressed("sent", seconds=1), receipt("delivered", seconds=2)]
    await Owner(store, bus).handle(deliveries(facts))
    told = [(f.type, f.data["status"], f.data["attempts"], f.data["deliveredAt"] is not None) for f in bus.frames()]
    assert told == [
        ("message.queued", "queued", 0, False),
        ("message.sending", "sending", 1, False),
        ("message.sent", "sent", 1, False),
        ("message.delivered", "delivered", 1, True),
    ]
    assert [each.headers["Fact-Seq"] for each in bus.stream] == ["1", "2", "3", "4"]
    assert bus.publishes == 4, "a few frames are told one by one"


async def test_each_amendment_is_told_with_the_message_as_it_was_then() -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = [received(), reacted("+"), edited("b"), reacted("", seconds=1), revoked()]
    await Owner(store, bus).handle(deliveries(facts))
    told = [(f.type, f.data["status"], f.data["text"], len(f.data["reactions"])) for f in bus.frames()]
    assert told == [
        ("message.received", "received", "apa kabar", 0),
        ("message.reaction", "received", "apa kabar", 1),
        ("message.edited", "received", "b", 1),
        ("message.reaction", "received", "b", 0),
        ("message.revoked", "received", None, 0),
    ]
    assert [each.subject.rpartition(".")[2] for each in bus.stream] == [kind.partition(".")[2] for kind, *_ in told]


async def test_a_failed_action_is_told_with_its_reason_and_the_status_that_stays() -> None:
    store, bus = MemoryStore(), MemoryBus()
    failed = progressed("failed", code="TEMPORARY", detail="Later.")
    await Owner(store, bus).handle(deliveries([queued(), action_failed(), failed, reacted(wa_id=WA_ID)]))
    told = [(f.type, f.data["status"], (f.data["error"] or {}).get("code")) for f in bus.frames()]
    assert told == [
        ("message.queued", "queued", None),
        ("message.edit_failed", "queued", "REFUSED"),
        ("message.failed", "failed", "TEMPORARY"),
        ("message.reaction", "failed", "TEMPORARY"),
    ]


async def test_a_message_that_could_not_be_read_is_told_once_when_it_comes_again() -> None:
    store, bus = MemoryStore(), MemoryBus()
    owner = Owner(store, bus)
    await owner.handle(deliveries([undecryptable(), reacted()]))
    assert bus.stream == []
    await owner.handle(deliveries([received(), undecryptable("un2"), received(seconds=5)], first_seq=3))
    assert types(bus) == ["message.received", "message.reaction"]


async def test_a_failure_is_told_with_its_reason_even_when_evidence_came_before_the_telling() -> None:
    store, bus = MemoryStore(), MemoryBus()
    facts = [queued(), progressed("failed", code="REFUSED", detail="No."), receipt("delivered")]
    await Owner(store, bus).handle(deliveries(facts))
    _, failed, sent, delivered = bus.frames()
    assert failed.data["error"] == {"code": "REFUSED", "message": "No."}
    assert (sent.type, sent.data["error"], delivered.data["error"]) == ("message.sent", None, None)


async def test_a_receipt_that_outruns_its_message_is_told_after_it() -> None:
    store, bus = MemoryStore(), MemoryBus()
    handler = Owner(store, bus)
    await handler.handle(deliveries([receipt("delivered")]))
    assert bus.stream == []
    await handler.handle(deliveries([queued()], first_seq=2))
    assert types(bus) == ["message.queued", "message.sent", "message.delivered"]
    assert {each.headers["Fact-Seq"] for each in bus.stream} == {"2"}


async def test_a_receipt_for_more_messages_than_a_batch_holds_is_told_once_for_each() -> None:
    store, bus = MemoryStore(), MemoryBus()
    many = [f"3EB0{number:018X}" for number in range(1300)]
    ids = [f"019a9d3c-7c00-7000-8000-{number:012x}" for number in range(1300)]
    facts: list[AnyFact] = [
        queued(f"q{wa_id}", wa_id=wa_id, message_id=message_id) for wa_id, message_id in zip(many, ids, strict=True)
    ]
    handler = Owner(store, bus)
    await handler.handle(deliveries([*facts, receipt("read", wa_ids=many)]))
    assert Counter(types(bus)) == {"message.queued": 1300, "message.sent": 1300, "message.read": 1300}
    bus.stream = bus.stream[:2000]  # only a part of the receipt's frames had arrived
    await Owner(store, bus).handle(deliveries([*facts, receipt("read", wa_ids=many)]))
    assert [f.data["waId"] for f in bus.frames() if f.type == "message.read"] == many


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_an_unclear_publish_is_repeated_only_when_it_was_not_stored(stored: bool) -> None:
    store, bus = MemoryStore(), MemoryBus()
    handler, batch = Owner(store, bus), deliveries([queued(), progressed("sent")])
    bus.unclear = Unclear(stored)
    with pytest.raises(PublishUnclear):
        await handler.handle(batch)
    await handler.handle(batch)
    assert types(bus) == ["message.queued", "message.sent"]


async def test_a_stale_owner_notices_its_successor_and_tells_nothing() -> None:
    store, bus = MemoryStore(), MemoryBus()
    stale, successor = Owner(store, bus, epoch=1), Owner(store, bus, epoch=2)
    await stale.handle(deliveries([queued()]))
    await successor.handle(deliveries([progressed("sent")], first_seq=2))
    with pytest.raises(LeaseLost):
        await stale.handle(deliveries([receipt("delivered")], first_seq=3))
    assert types(bus) == ["message.queued", "message.sent"]


async def test_an_owner_gives_up_when_a_later_one_has_written_a_row() -> None:
    store, bus = MemoryStore(), MemoryBus()
    stale, successor = Owner(store, bus, epoch=1), Owner(store, bus, epoch=2)
    await successor.handle(deliveries([receipt("delivered")]))
    with pytest.raises(LeaseLost):
        await stale.handle(deliveries([queued()], first_seq=2))
    assert store.rows[ROW].message_id is None


async def test_a_batch_that_somebody_of_the_same_epoch_published_is_not_published_again() -> None:
    """As after a hand-over to oneself: the publisher's memory of the last frame is out of date."""
    store, bus = MemoryStore(), MemoryBus()
    first, second = Owner(store, bus), Owner(store, bus)
    await first.handle(deliveries([queued()]))
    await second.handle(deliveries([progressed("sent")], first_seq=2))
    await first.handle(deliveries([progressed("sent"), receipt("read")], first_seq=2))
    assert types(bus) == ["message.queued", "message.sent", "message.read"]


# --- Sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_fact_is_told_with_what_customers_see() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([changed("qr", qr="2@abc", reason="x")]))
    (frame,) = bus.frames()
    assert (frame.type, frame.session_id) == ("session.qr", SESSION)
    assert (frame.data["qrRaw"], frame.data["qr"], frame.data["reason"]) == ("2@abc", None, "x")
    assert bus.stream[0].subject == f"updates.{bus.stream[0].subject.split('.')[1]}.cus_1.{SESSION}.session.qr"


def test_the_log_holds_no_qr_and_no_pairing_code() -> None:
    fact = changed("qr", qr="2@secret", pair_code="ABCD-EFGH")
    (entry,) = sessions_after({}, {}, [(1, fact)], 7).added
    assert "2@secret" not in repr(entry)
    assert "ABCD-EFGH" not in repr(entry)


async def test_a_fact_of_an_earlier_connection_or_owner_is_not_told() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([changed("connected", epoch=2, connection=5)]))
    late = [
        changed("reconnecting", epoch=2, connection=4),
        changed("stopped", epoch=1, connection=9),
        changed("restricted", epoch=2, connection=5),
    ]
    await Owner(store, bus).handle(deliveries(late, first_seq=2))
    assert types(bus) == ["session.connected", "session.restricted"]


# --- Customers -------------------------------------------------------------------------------------------------------


async def test_a_notice_is_told_under_the_customers_own_id_and_names_no_session() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await Owner(store, bus).handle(deliveries([notified("credits.low", balance=9)]))
    (frame,) = bus.frames()
    assert (frame.type, frame.session_id, frame.data) == ("credits.low", None, {"balance": 9})
    assert bus.stream[0].subject == f"updates.{SHARD:02d}.{NEIGHBOUR}.{NEIGHBOUR}.credits.low"


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "a batch later"])
async def test_a_notice_that_is_published_twice_is_told_once(apart: bool) -> None:
    store, bus = MemoryStore(), MemoryBus()
    owner, batch = (
        Owner(store, bus),
        deliveries([notified(fact_id="n1"), notified(fact_id="n1"), notified("credits.changed")]),
    )
    for part in [batch[:1], batch[1:]] if apart else [batch]:
        await owner.handle(part)
    assert types(bus) == ["credits.low", "credits.changed"]


# --- Any stream, any death -------------------------------------------------------------------------------------------

IDS = {"A": "019a9d3c-7c00-7000-8000-00000000000a", "B": "019a9d3c-7c00-7000-8000-00000000000b"}
STATUSES = ["sending", "sent", "failed", "cancelled", "expired"]
POOL: list[AnyFact] = [
    *[queued(f"q{w}{n}", n, wa_id=w, message_id=IDS[w], attempts=n) for w in IDS for n in (0, 2)],
    *[
        progressed(s, f"{s}{w}{n}", n, wa_id=w, message_id=IDS[w], attempts=n)
        for w in IDS
        for s in STATUSES
        for n in (1, 3)
    ],
    *[receipt(kind, f"{kind}{w}", wa_ids=[w]) for w in IDS for kind in ("delivered", "read", "played")],
    receipt("read", "read both", wa_ids=["B", "A", "unknown"]),
    *[held(waiting_for, f"h{waiting_for}", wa_id="A", message_id=IDS["A"]) for waiting_for in ("session", None)],
    received("in1"),
    received("own", from_me=True, wa_id="C"),
    *[notified(update, update) for update in ("credits.low", "credits.changed")],
    receipt("delivered", "deliveredC", wa_ids=["C"]),
    *[changed("connected", f"c{e}{n}", epoch=e, connection=n) for e in (1, 2) for n in (1, 2)],
]
AMENDING: list[AnyFact] = [
    *[edited(text, seconds=n, wa_id=w) for n, text in enumerate("xy") for w in ("A", INCOMING)],
    *[edited(text, f"we edited {text}", n, wa_id="A", from_me=True) for n, text in enumerate("xy")],
    *[revoked(f"revoked {w}", 9, wa_id=w, from_me=w == "A") for w in ("A", INCOMING)],
    *[reacted(emoji, f"{emoji} {w}", n, wa_id=w) for n, emoji in enumerate(["+", "-", ""]) for w in ("A", INCOMING)],
    *[voted(*options, seconds=n, wa_id="A") for n, options in enumerate(["x", "xy", ""])],
    *[action_failed(action, wa_id=w) for action in ("edit", "revoke") for w in ("A", INCOMING)],
    received("in2", 1, content_class="image"),
    undecryptable(),
]


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str, int]]:
    """Rounds: how many facts the batch holds, how it ends, and after how many writes or publishes it ends so."""
    ends = st.sampled_from(
        ["well", "dies writing", "dies before publishing", "dies before ack", "publish unclear", "publish lost"]
    )
    return draw(st.lists(st.tuples(st.integers(1, 15), ends, st.integers(0, 3)), max_size=12))


@settings(max_examples=300)
@given(stream=st.lists(st.sampled_from(POOL), max_size=30), rounds=lives())
def test_any_facts_and_any_deaths_tell_each_rise_once_in_order(
    stream: list[AnyFact], rounds: list[tuple[int, str, int]]
) -> None:
    store, bus = asyncio.run(lived(stream, rounds))
    undisturbed, expected = asyncio.run(lived(stream, []))
    assert without_epochs(store) == without_epochs(undisturbed)
    assert (store.log, store.notices) == (undisturbed.log, undisturbed.notices)
    assert [each.data for each in bus.stream] == [each.data for each in expected.stream]
    check_that_statuses_only_rise(bus)
    check_that_what_is_stored_is_told(store, bus)


@settings(max_examples=500)
@given(stream=st.lists(st.sampled_from(POOL + 2 * AMENDING), max_size=30), rounds=lives())
def test_any_facts_and_any_deaths_tell_each_amendment_once_in_order(
    stream: list[AnyFact], rounds: list[tuple[int, str, int]]
) -> None:
    """A frame that is built again after a death may show newer words, reactions and votes than its fact's."""
    store, bus = asyncio.run(lived(stream, rounds))
    undisturbed, expected = asyncio.run(lived(stream, []))
    assert known_rows(store) == known_rows(undisturbed)
    assert lasting(bus) == lasting(expected)
    check_that_statuses_only_rise(bus)
    check_that_what_is_stored_is_told(store, bus)


def without_epochs(store: MemoryStore) -> dict[str, MessageRow]:
    return {row_id: replace(row, epoch=0) for row_id, row in store.rows.items()}


def known_rows(store: MemoryStore) -> dict[str, MessageRow]:
    """The rows that customers see."""
    return {row_id: row for row_id, row in without_epochs(store).items() if row.message_id is not None}


def lasting(bus: MemoryBus) -> list[Any]:
    """What is told, without what later facts may have changed when it is told."""
    frames = bus.frames()
    for frame in frames:
        for passing in ("text", "caption", "reactions", "votes", "editedAt", "revokedAt"):
            frame.data.pop(passing, None)
    return frames


async def lived(stream: list[AnyFact], rounds: list[tuple[int, str, int]]) -> tuple[MemoryStore, MemoryBus]:
    """Feed the stream through these rounds, each after a death with a new owner; the rest in batches of one."""
    store, bus, acked, epoch = MemoryStore(), MemoryBus(), 0, 1
    handler = Owner(store, bus, epoch)
    rest = [(1, "well", 0)] * len(stream)
    for size, end, number in [*rounds, *rest]:
        batch = deliveries(stream[acked : acked + size], first_seq=acked + 1)
        if not batch:
            break
        try:
            await one_round(handler, store, bus, batch, end, number)
            acked += len(batch)
        except (Died, PublishUnclear):
            store.writes_before_death, bus.unclear = None, None
            if "dies" in end:  # else the same owner handles a batch again
                epoch += 1
                handler = Owner(store, bus, epoch)
    return store, bus


async def one_round(
    handler: Owner, store: MemoryStore, bus: MemoryBus, batch: list[Any], end: str, number: int
) -> None:
    match end:
        case "dies writing":
            store.writes_before_death = number
        case "dies before publishing" | "publish lost":
            bus.unclear = Unclear(stored=False, after=number)
        case "publish unclear" | "dies before ack":
            bus.unclear = Unclear(stored=True, after=number)
    await handler.handle(batch)
    store.writes_before_death, bus.unclear = None, None


def check_that_statuses_only_rise(bus: MemoryBus) -> None:
    told: dict[str, list[str]] = defaultdict(list)
    for frame in bus.frames():
        if frame.type.startswith("message.") and frame.type.partition(".")[2] not in AMENDMENTS:
            told[frame.data["messageId"]].append(frame.data["status"])
    for statuses in told.values():
        generation, highest = 0, 0
        for status in statuses:
            if status == "queued" and highest:
                assert highest == rank_of("failed", generation)
                generation += 1
            assert rank_of(status, generation) > highest
            highest = rank_of(status, generation)


def check_that_what_is_stored_is_told(store: MemoryStore, bus: MemoryBus) -> None:
    rows = [row for row in store.rows.values() if row.message_id is not None]
    told = Counter((f.data["messageId"], f.type[8:]) for f in bus.frames() if f.type.startswith("message."))
    assert told == Counter((row.message_id, entry.status) for row in rows for entry in row.history)
    ids = [frame.id for frame in bus.frames()]
    assert len(ids) == len(set(ids))
    fact_seqs = [int(each.headers["Fact-Seq"]) for each in bus.stream]
    assert fact_seqs == sorted(fact_seqs)


def test_the_last_mark_survives_a_batch_that_is_handled_again() -> None:
    facts: list[tuple[int, SessionChanged]] = [
        (1, changed("qr", connection=1)),
        (2, changed("connected", connection=2)),
    ]
    first = sessions_after({}, {}, facts, 7)
    only_the_second_was_stored = {entry.id: entry for entry in first.added[1:]}
    again = sessions_after({}, only_the_second_was_stored, facts, 7)
    assert [entry.id for entry in again.added] == ["qr1"]
    assert replace(again, added=[]) == replace(first, added=[])
