"""A session's chats: one for each person or group, its last words, and what is unread, counted once whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.content import Image, Reaction, Text
from libs.contracts.events import AnyFact, ChatRead
from libs.contracts.records import ChatRow
from libs.runtime.bus import PublishUnclear
from libs.runtime.shards import LeaseLost
from services.status.chats.remembered import CHATS
from services.status.chats.rules import EXCERPT
from services.status.store import RowsMoved
from tests.unit.status.builders import (
    CUSTOMER,
    PHONE,
    SESSION,
    at,
    deliveries,
    edited,
    progressed,
    queued,
    receipt,
    received,
    revoked,
)
from tests.unit.status.chat_memory import ChatOwner, MemoryChats
from tests.unit.status.memory import Died, MemoryBus, MemoryStore, Unclear

JID, LID, GROUP = f"{PHONE}@s.whatsapp.net", "100000000000007@lid", "120363000000000000@g.us"


def wrote(number: int, text: str = "apa kabar", **fields: Any) -> AnyFact:
    """The contact's message with this number, from the number and the LID unless told otherwise."""
    about = {"wa_id": f"IN{number}", "chat_lid": LID, "sender_lid": LID, "push_name": "Bu Sari", "text": text}
    return received(f"in{number}", number, **{**about, **fields})


def by_lid(number: int, **fields: Any) -> AnyFact:
    """The same, while its number is not known."""
    hidden = {"chat": LID, "sender": LID, "chat_jid": LID, "sender_jid": LID}
    return wrote(number, **{**hidden, **fields})


def sent(number: int, text: str = "halo", **fields: Any) -> AnyFact:
    """A message of ours."""
    about = {"wa_id": f"3EB0{number}", "message_id": f"019a9d3c-7c00-7000-8000-{number:012x}"}
    return queued(f"q{number}", number, **{**about, "content": Text(text=text), "accepted_at": at(number), **fields})


def read(incoming: int, seconds: float = 50, jid: str = JID) -> ChatRead:
    return ChatRead(
        id=f"read {jid} {incoming} {seconds}",
        customer_id=CUSTOMER,
        session_id=SESSION,
        at=at(seconds),
        chat_jid=jid,
        incoming=incoming,
    )


async def kept(facts: Iterable[AnyFact], chats: MemoryChats | None = None) -> list[ChatRow]:
    """The chats that customers see after these facts, in one batch; the one that moved last first."""
    chats = chats or MemoryChats()
    await ChatOwner(MemoryStore(), MemoryBus(), chats).handle(deliveries(facts))
    return sorted(chats.seen().values(), key=lambda row: row.moved_at, reverse=True)


# --- What a chat says ------------------------------------------------------------------------------------------------


async def test_who_writes_has_a_chat_with_name_addresses_and_last_words() -> None:
    (chat,) = await kept([wrote(1, "satu"), wrote(2, "dua")])
    assert (chat.phone, chat.lid, chat.chat_jid, chat.name) == (PHONE, LID, JID, "Bu Sari")
    assert (chat.last.text, chat.last.direction, chat.last.at) == ("dua", "in", at(2))
    assert (chat.incoming, chat.unread, chat.read_at, chat.moved_at, chat.created_at) == (2, 2, None, at(2), at(1))


async def test_what_is_sent_is_the_last_word_and_changes_nothing_about_reading() -> None:
    (chat,) = await kept([wrote(1, "satu"), sent(2, "halo"), progressed("sent", wa_id="3EB02"), receipt()])
    assert (chat.last.text, chat.last.direction, chat.unread, chat.read_at) == ("halo", "out", 1, None)
    assert chat.last_incoming is not None
    assert chat.last_incoming.text == "satu"


async def test_who_answers_at_the_phone_has_read_what_had_come() -> None:
    (chat,) = await kept([wrote(1), wrote(2), wrote(3, "baik", from_me=True, push_name="Toko"), wrote(4)])
    assert (chat.unread, chat.read_at, chat.name, chat.incoming) == (1, at(3), "Bu Sari", 3)


async def test_a_group_has_one_chat_without_the_name_of_whoever_wrote() -> None:
    in_group = {"chat": GROUP, "chat_jid": GROUP, "chat_lid": None}
    (chat,) = await kept([wrote(1, **in_group), wrote(2, **in_group, sender="6281", push_name="Pak Budi")])
    assert (chat.phone, chat.lid, chat.name, chat.chat_jid, chat.unread) == (None, None, None, GROUP, 2)


async def test_later_is_what_the_stream_brings_later_though_its_clock_lags() -> None:
    (chat,) = await kept([sent(5, "halo"), wrote(1, "hai")])
    assert (chat.last.text, chat.moved_at) == ("hai", at(5))


@pytest.mark.parametrize(
    ("fact", "text", "kind"),
    [
        pytest.param(wrote(1, "x" * (EXCERPT + 1)), "x" * EXCERPT, "text", id="long words"),
        pytest.param(wrote(1, caption="menu", content_class="image", text=None), "menu", "image", id="caption"),
        pytest.param(wrote(1, content_class="audio", text=None), None, "audio", id="no words"),
        pytest.param(sent(1, content=Image(media_id="m", mimetype="image/png")), None, "image", id="ours"),
    ],
)
async def test_a_list_shows_an_excerpt(fact: AnyFact, text: str | None, kind: str) -> None:
    (chat,) = await kept([fact])
    assert (chat.last.text, chat.last.type) == (text, kind)


async def test_a_reaction_is_no_word_of_its_own() -> None:
    (chat,) = await kept([sent(1), sent(2, content=Reaction(wa_id="IN1", emoji="+"))])
    assert (chat.last.text, chat.last.type) == ("halo", "text")


async def test_an_edit_and_a_deletion_change_the_last_words_of_their_message_alone() -> None:
    facts = [wrote(1, "satu"), wrote(2, "dua"), edited("SATU", wa_id="IN1"), edited("DUA", wa_id="IN2")]
    (chat,) = await kept(facts)
    assert (chat.last.text, chat.unread) == ("DUA", 2)
    (chat,) = await kept([*facts, revoked("revoked 2", wa_id="IN2")])
    assert (chat.last.text, chat.last.type, chat.unread) == (None, "text", 2)


async def test_a_message_that_is_queued_again_is_not_the_last_word_again() -> None:
    failed = progressed("failed", wa_id="3EB01", message_id="019a9d3c-7c00-7000-8000-000000000001")
    again = sent(1, id="again", at=at(9), attempts=1)
    (chat,) = await kept([sent(1, "satu"), failed, sent(2, "dua"), again])
    assert (chat.last.text, chat.moved_at) == ("dua", at(2))


async def test_a_message_that_is_told_twice_counts_once() -> None:
    (chat,) = await kept([wrote(1), wrote(2), wrote(1)])
    assert (chat.incoming, chat.unread, chat.last.at) == (2, 2, at(2))


# --- Reading ---------------------------------------------------------------------------------------------------------


async def test_what_was_seen_is_read_and_what_came_later_is_not() -> None:
    (chat,) = await kept([wrote(1), wrote(2), wrote(3), read(2)])
    assert (chat.unread, chat.read_at) == (1, at(50))


async def test_an_older_mark_makes_nothing_unread() -> None:
    (chat,) = await kept([wrote(1), wrote(2), read(2), read(1, 51)])
    assert chat.unread == 0


async def test_a_mark_for_a_chat_that_is_not_there_changes_nothing() -> None:
    assert await kept([read(3)]) == []


# --- One person, two addresses ---------------------------------------------------------------------------------------


async def test_a_person_whose_number_is_learned_keeps_the_chat() -> None:
    chats = MemoryChats()
    (before,) = await kept([by_lid(1, text="satu")], chats)
    assert (before.phone, before.chat_jid) == (None, LID)
    await ChatOwner(MemoryStore(), MemoryBus(), chats).handle(deliveries([wrote(2, "dua")], 2))
    (chat,) = chats.seen().values()
    assert (chat.id, chat.phone, chat.chat_jid, chat.unread, chat.last.text) == (before.id, PHONE, JID, 2, "dua")


async def test_two_chats_that_turn_out_to_be_one_persons_become_the_numbers() -> None:
    chats = MemoryChats()
    facts = [sent(1, "ke nomor"), by_lid(2, text="dari lid"), read(1, 60, LID), by_lid(3), wrote(4, "dari nomor")]
    (chat,) = await kept(facts, chats)
    assert (chat.phone, chat.lid, chat.incoming, chat.unread) == (PHONE, LID, 3, 2)
    assert (chat.last.text, chat.read_at, chat.created_at) == ("dari nomor", at(60), at(1))
    assert [row.merged_into for row in chats.rows.values() if row.id != chat.id] == [chat.id]


@pytest.mark.parametrize("backwards", [False, True], ids=["the LID's half", "the number's half"])
async def test_a_merge_of_which_one_half_was_stored_is_finished(backwards: bool) -> None:
    store, bus, chats = MemoryStore(), MemoryBus(), MemoryChats()
    owner = ChatOwner(store, bus, chats)
    await owner.handle(deliveries([sent(1), by_lid(2)]))
    chats.backwards, chats.writes_before_death = backwards, 1
    with pytest.raises(Died):
        await owner.handle(deliveries([wrote(3)], 3))
    chats.writes_before_death = None
    await ChatOwner(store, bus, chats, epoch=2).handle(deliveries([wrote(3)], 3))
    (chat,) = chats.seen().values()
    assert (chat.phone, chat.lid, chat.incoming, chat.unread) == (PHONE, LID, 2, 2)


async def test_what_is_said_to_either_address_goes_to_the_one_chat() -> None:
    facts = [sent(1), by_lid(2), wrote(3), sent(4, "ke lid", to=LID), by_lid(5), read(3, jid=LID)]
    (chat,) = await kept(facts)
    assert (chat.last.direction, chat.incoming, chat.unread) == ("in", 3, 0)


# --- Owners ----------------------------------------------------------------------------------------------------------


async def test_a_chat_that_was_just_written_is_not_read_again() -> None:
    store, bus, chats = MemoryStore(), MemoryBus(), MemoryChats()
    owner = ChatOwner(store, bus, chats)
    for number in range(1, 5):
        await owner.handle(deliveries([wrote(number)], number))
    await owner.handle(deliveries([receipt()], 5))
    assert len(chats.reads) == 1
    await ChatOwner(store, bus, chats, epoch=2).handle(deliveries([wrote(6)], 6))
    assert len(chats.reads) == 2


async def test_a_shard_remembers_so_many_chats() -> None:
    owner = ChatOwner(MemoryStore(), MemoryBus(), MemoryChats())
    others = [sent(n, to=f"62811{n:07}@s.whatsapp.net") for n in range(CHATS + 5)]
    await owner.handle(deliveries(others))
    keys = {f"{SESSION}/62811{n:07}@s.whatsapp.net" for n in range(CHATS + 5)}
    assert len(owner.shard.chats.among(keys)) == CHATS
    assert len(owner.shard.chats.unknown_of(keys)) == 5


async def test_a_stale_owner_cannot_write_a_chat() -> None:
    chats = MemoryChats()
    store, bus = MemoryStore(), MemoryBus()
    await ChatOwner(store, bus, chats, epoch=2).handle(deliveries([wrote(1)]))
    with pytest.raises(LeaseLost):
        await ChatOwner(MemoryStore(), MemoryBus(), chats, epoch=1).handle(deliveries([wrote(2)], 2))
    (chat,) = chats.seen().values()
    assert chat.unread == 1


async def test_a_chat_that_moved_meanwhile_is_read_again() -> None:
    chats, store = MemoryChats(), MemoryStore()
    owner = ChatOwner(store, MemoryBus(), chats)
    await owner.handle(deliveries([wrote(1)]))
    chats.rows = {row_id: row for row_id, row in chats.rows.items() if False}  # retention
    await owner.handle(deliveries([wrote(2)], 2))
    (chat,) = chats.seen().values()
    assert chat.unread == 1


# --- Any stream, any death -------------------------------------------------------------------------------------------

POOL: list[AnyFact] = [
    *[wrote(n, f"{n}") for n in range(1, 5)],
    *[by_lid(n, text=f"{n}") for n in range(5, 9)],
    *[sent(n, f"{n}") for n in range(9, 12)],
    sent(12, "ke lid", to=LID),
    wrote(13, "dari telepon", from_me=True),
    *[wrote(n, f"{n}", chat=GROUP, chat_jid=GROUP, chat_lid=None) for n in (14, 15)],
    *[edited(text, wa_id=w, fact_id=f"edited {w} {text}") for text in "xy" for w in ("IN1", "IN5")],
    revoked("revoked 2", 9, wa_id="IN2"),
    *[read(n, 50 + n, jid) for n in (1, 2, 4) for jid in (JID, LID)],
    progressed("failed", wa_id="3EB09", message_id="019a9d3c-7c00-7000-8000-000000000009"),
    sent(9, id="again", attempts=1),
    receipt("read"),
]
ENDS = ["well", "dies writing messages", "dies writing chats", "dies before ack", "unclear"]


@settings(max_examples=500)
@given(
    stream=st.lists(st.sampled_from(POOL), max_size=25),
    lives=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(ENDS), st.integers(0, 5)), max_size=10),
)
def test_any_facts_and_any_deaths_leave_the_same_chats(
    stream: list[AnyFact], lives: list[tuple[int, str, int]]
) -> None:
    assert asyncio.run(lived(stream, lives)).seen() == asyncio.run(lived(stream, [])).seen()


async def lived(stream: list[AnyFact], lives: list[tuple[int, str, int]]) -> MemoryChats:
    """Feed the stream through these rounds, a new owner after each death; the rest in batches of one."""
    store, bus, chats, acked, epoch = MemoryStore(), MemoryBus(), MemoryChats(), 0, 1
    owner = ChatOwner(store, bus, chats, epoch)
    for size, end, number in [*lives, *[(1, "well", 0)] * len(stream)]:
        batch = deliveries(stream[acked : acked + size], first_seq=acked + 1)
        if not batch:
            break
        try:
            await one_round(owner, store, bus, chats, batch, end, number)
            acked += len(batch)
        except (Died, PublishUnclear, RowsMoved):
            pass
        store.writes_before_death = chats.writes_before_death = bus.unclear = None
        if "dies" in end:
            epoch += 1
            owner = ChatOwner(store, bus, chats, epoch)
    return chats


async def one_round(
    owner: ChatOwner, store: MemoryStore, bus: MemoryBus, chats: MemoryChats, batch: list[Any], end: str, number: int
) -> None:
    match end:
        case "dies writing messages":
            store.writes_before_death = number
        case "dies writing chats":
            chats.writes_before_death, chats.backwards = divmod(number, 2)
        case "unclear":
            bus.unclear = Unclear(stored=bool(number % 2), after=number)
    await owner.handle(batch)
    if end == "dies before ack":
        raise Died


# --- A number that is dialled in several spellings -------------------------------------------------------------------

OWN, DIALLED = "551187654321@s.whatsapp.net", "5511987654321@s.whatsapp.net"


def went(number: int, **fields: Any) -> AnyFact:
    """WhatsApp took our message with this number, for the account's own number."""
    about = {"wa_id": f"3EB0{number}", "message_id": f"019a9d3c-7c00-7000-8000-{number:012x}", "to": OWN}
    return progressed("sent", f"s{number}", number, **{**about, **fields})


def answered(number: int) -> AnyFact:
    """The contact's message, from its own number."""
    return wrote(number, chat="551187654321", sender="551187654321", chat_jid=OWN, sender_jid=OWN)


ANSWERED = [
    sent(1, to=DIALLED),
    went(2, wa_id="3EB01"),
    answered(3),
    sent(4, "lagi", to=DIALLED),
    went(5, wa_id="3EB04"),
]


async def test_an_answer_lands_in_the_chat_of_the_number_that_was_dialled() -> None:
    (chat,) = await kept(ANSWERED)
    assert (chat.chat_jid, chat.phone, chat.lid) == (OWN, "551187654321", LID)
    assert set(chat.keys) == {f"{SESSION}/{jid}" for jid in (OWN, DIALLED, LID)}
    assert (chat.last.text, chat.incoming, chat.name) == ("lagi", 1, "Bu Sari")


async def test_whoever_has_written_before_is_found_again_under_another_spelling() -> None:
    (chat,) = await kept([answered(1), sent(2, to=DIALLED), went(3, wa_id="3EB02"), answered(4)])
    assert (chat.chat_jid, chat.incoming, chat.last.text) == (OWN, 2, "apa kabar")


async def test_a_receipt_tells_the_own_number_too() -> None:
    (chat,) = await kept([sent(1, to=DIALLED), receipt("delivered", "r1", 2, wa_ids=["3EB01"], chat=OWN), answered(3)])
    assert (chat.chat_jid, chat.incoming) == (OWN, 1)


async def test_a_message_that_has_not_left_yet_changes_no_address() -> None:
    (chat,) = await kept([sent(1, to=DIALLED), went(2, wa_id="3EB01"), sent(3, to=DIALLED)])
    assert (chat.chat_jid, chat.phone) == (OWN, "551187654321")


@pytest.mark.parametrize("cut", range(1, len(ANSWERED)))
async def test_the_chat_is_the_same_wherever_a_batch_ends_and_whatever_comes_again(cut: int) -> None:
    chats, messages = MemoryChats(), MemoryStore()
    owner = ChatOwner(messages, MemoryBus(), chats)
    all_facts = deliveries(ANSWERED)
    for batch in (all_facts[:cut], all_facts[:cut], all_facts[cut - 1 :]):
        await owner.handle(batch)
    (seen,) = chats.seen().values()
    (whole,) = await kept(ANSWERED)
    assert (seen.chat_jid, set(seen.keys), seen.incoming, seen.last) == (
        whole.chat_jid,
        set(whole.keys),
        whole.incoming,
        whole.last,
    )
