"""What happens to a message that exists: what its row is after it, in any order, and who may do what."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts.content import Context, Image, Location, Poll, Quote, Reaction
from libs.contracts.events import AnyFact
from libs.contracts.records import MessageRow
from libs.contracts.updates import MESSAGE_UPDATES, MessageView
from libs.contracts.views import message_view
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.status.amendments import AMENDMENTS, KEPT
from services.status.publishing import ShardStream
from services.status.ranks import LEVELS
from services.status.turns import Shard, Turn
from tests.unit.status.builders import (
    INCOMING,
    OURS,
    PHONE,
    ROW,
    SESSION,
    WA_ID,
    action_failed,
    at,
    deliveries,
    edited,
    held,
    progressed,
    queued,
    reacted,
    receipt,
    received,
    revoked,
    voted,
)

IN_ROW = f"{SESSION}/in/in1"
GROUP = "120363000000000000@g.us"
OTHER = "6289876543210"


def rows_after(facts: Iterable[AnyFact], found: dict[str, MessageRow] | None = None, seq: int = 1) -> Any:
    """Every row after these facts, by id."""
    lease = Lease(7, 1, confirmed_at=0, timing=Timing())
    turn = Turn(Shard(lease, ShardStream(lease)), deliveries(facts, seq))
    return (found or {}) | {change.after.id: change.after for change in turn.project(found or {})}


def view_after(facts: Iterable[AnyFact], row: str = IN_ROW) -> MessageView:
    return message_view(rows_after(facts)[row])


def history_of(row: MessageRow) -> list[tuple[str, int]]:
    return [(entry.status, entry.due_seq) for entry in row.history]


def test_every_frame_type_is_a_rise_or_an_amendment() -> None:
    assert LEVELS.keys() | AMENDMENTS == set(MESSAGE_UPDATES)
    assert not LEVELS.keys() & AMENDMENTS


# --- What each does --------------------------------------------------------------------------------------------------


def test_an_edit_changes_the_words_and_raises_nothing() -> None:
    row = rows_after([received(), edited("baru", seconds=3)])[IN_ROW]
    assert (row.text, row.edited_at, row.status, row.rank) == ("baru", at(3), "received", 40)
    assert history_of(row) == [("received", 1), ("edited", 2)]


def test_an_edit_of_a_medium_changes_its_caption() -> None:
    view = view_after([received(content_class="image", text=None, caption="a"), edited("b")])
    assert (view.text, view.caption) == (None, "b")


def test_a_deleted_message_says_nothing_more() -> None:
    details = {"question": "?", "options": ["a", "b"]}
    facts = [received(caption="c", file_name="f", mimetype="m", media_bytes=1, media_ref=b"r", details=details)]
    row = rows_after([*facts, reacted(), revoked(seconds=4)])[IN_ROW]
    assert (row.text, row.caption, row.file_name, row.mimetype, row.media_bytes, row.media_ref) == (None,) * 6
    assert (row.media_id, row.details, row.revoked_at, row.status) == (None, None, at(4), "received")
    assert message_view(row).media is None
    assert len(row.reactions) == 1


def test_what_is_deleted_is_not_edited_and_not_deleted_again() -> None:
    rows = rows_after([received(), revoked()])
    assert rows_after([edited(seconds=9), revoked("again", 9)], rows, seq=3) == rows


def test_a_reaction_replaces_the_same_persons_former_one() -> None:
    view = view_after([received(), reacted("+"), reacted("!", seconds=1, sender=OTHER), reacted("-", seconds=2)])
    assert [(each.from_, each.emoji) for each in view.reactions] == [(OTHER, "!"), (PHONE, "-")]


def test_an_empty_reaction_takes_the_former_one_back_and_an_older_one_does_not_come_again() -> None:
    rows = rows_after([received(), reacted("+"), reacted("", seconds=2)])
    assert message_view(rows[IN_ROW]).reactions == []
    assert history_of(rows[IN_ROW]) == [("received", 1), ("reaction", 2), ("reaction", 3)]
    assert rows_after([reacted("+", "the same told again", 0)], rows, seq=4) == rows


@pytest.mark.parametrize(("message", "wa_id", "row"), [(received(), INCOMING, IN_ROW), (queued(), WA_ID, ROW)])
def test_our_reactions_at_the_phone_and_through_us_are_one(message: AnyFact, wa_id: str, row: str) -> None:
    ours = [
        reacted("+", "at the phone", wa_id=wa_id, from_me=True),
        reacted("-", "through us", seconds=1, wa_id=wa_id, from_me=True, sender=""),
    ]
    rows = rows_after([message, reacted("!", wa_id=wa_id), *ours, *ours])
    assert [(each.from_, each.emoji) for each in message_view(rows[row]).reactions] == [(PHONE, "!"), (None, "-")]
    assert [status for status, _ in history_of(rows[row])[1:]] == ["reaction"] * 3
    assert rows_after(ours, rows, seq=9) == rows
    gone = rows_after([reacted("", "taken back", seconds=2, wa_id=wa_id, from_me=True)], rows, seq=11)
    assert [each.from_ for each in message_view(gone[row]).reactions] == [PHONE]


def test_taking_back_what_was_never_there_tells_nothing() -> None:
    assert history_of(rows_after([received(), reacted(""), voted()])[IN_ROW]) == [("received", 1)]


def test_a_vote_replaces_the_same_persons_former_one() -> None:
    votes = [
        voted("a", "b"),
        voted("b", seconds=1, sender=OTHER),
        voted("c", seconds=2),
        voted(seconds=3, sender=OTHER),
    ]
    view = view_after([received(content_class="poll"), *votes])
    assert [(each.from_, each.options) for each in view.votes] == [(PHONE, ["c"])]


@pytest.mark.parametrize("action", ["edit", "revoke"])
def test_a_failed_action_is_noted_with_its_reason_and_changes_no_status(action: str) -> None:
    row = rows_after([queued(), progressed("sent"), action_failed(action)])[ROW]
    assert (row.status, row.code, row.text) == ("sent", None, "halo")
    entry = row.history[-1]
    assert (entry.status, entry.reason, entry.detail, entry.due_seq) == (f"{action}_failed", "REFUSED", "No.", 3)


@pytest.mark.parametrize(
    "fact",
    [edited(), revoked(), reacted(), voted("a"), action_failed(wa_id=INCOMING)],
    ids=["edited", "revoked", "reacted", "voted", "failed"],
)
def test_the_same_again_changes_nothing(fact: AnyFact) -> None:
    rows = rows_after([received(), fact])
    assert rows_after([fact], rows, seq=3) == rows


def undated(view: MessageView) -> MessageView:
    reactions, votes = [replace(each, at="") for each in view.reactions], [replace(each, at="") for each in view.votes]
    return replace(view, edited_at=None, reactions=reactions, votes=votes)


@pytest.mark.parametrize("fact", [edited(), revoked(), reacted(), voted("a")], ids=["edited", "revoked", "+", "voted"])
def test_the_same_under_another_id_and_later_shows_nothing(fact: Any) -> None:
    """As when our own edit comes back from another device of ours."""
    row = rows_after([received(), fact])[IN_ROW]
    again = rows_after([replace(fact, id="another", at=at(1))], {IN_ROW: row}, seq=3)[IN_ROW]
    assert again.history == row.history
    assert undated(message_view(again)) == undated(message_view(row))


def test_a_held_message_goes_on_waiting_when_somebody_reacts() -> None:
    row = rows_after([queued(), held("session"), reacted(wa_id=queued().wa_id)])[ROW]
    assert (row.waiting_for, row.status) == ("session", "queued")


# --- Whose message it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "fact"),
    [
        pytest.param(received(), edited(sender=OTHER), id="another person edits"),
        pytest.param(received(), edited(from_me=True, wa_id=INCOMING), id="we edit what came in"),
        pytest.param(queued(), edited(wa_id=queued().wa_id), id="the recipient edits ours"),
        pytest.param(queued(), revoked(wa_id=queued().wa_id), id="the recipient deletes ours"),
        pytest.param(received(), revoked(sender=OTHER), id="another person deletes"),
        pytest.param(received(chat=GROUP), edited(sender=OTHER, chat=GROUP), id="another member edits"),
        pytest.param(received(chat=GROUP), revoked(sender=OTHER, chat=GROUP), id="another member deletes"),
        pytest.param(
            received(chat=GROUP),
            revoked(sender=OTHER, chat="120363000000000001@g.us", by_admin=True),
            id="an administrator of another group",
        ),
        pytest.param(received(), revoked(sender=OTHER, by_admin=True), id="an administrator of no group"),
        pytest.param(received(), revoked(from_me=True, wa_id=INCOMING), id="we, what came in"),
        pytest.param(received(), reacted(chat=GROUP, sender=OTHER), id="a reaction in another chat"),
        pytest.param(received(), voted("a", chat=OTHER, sender=OTHER), id="a vote in another chat"),
    ],
)
def test_what_somebody_may_not_do_changes_nothing_and_makes_no_row(message: AnyFact, fact: AnyFact) -> None:
    rows = rows_after([message])
    assert rows_after([fact], rows, seq=2) == rows


@pytest.mark.parametrize(
    ("message", "fact"),
    [
        pytest.param(
            received(chat=GROUP), revoked(sender=OTHER, chat=GROUP, by_admin=True), id="an administrator deletes"
        ),
        pytest.param(received(chat=GROUP), revoked(chat=GROUP), id="a member deletes its own"),
        pytest.param(queued(to=GROUP), revoked(wa_id=queued().wa_id, chat=GROUP, by_admin=True), id="an admin, ours"),
        pytest.param(received(chat=GROUP), revoked(from_me=True, wa_id=INCOMING, chat=GROUP), id="we, in our group"),
        pytest.param(received(), edited(sender="123456789@lid"), id="a number whose LID was not known"),
        pytest.param(received(chat="1@lid", sender="1@lid"), edited(), id="a LID whose number was not known"),
        pytest.param(queued(), edited(from_me=True), id="we edit our own"),
        pytest.param(received("own", from_me=True), edited(from_me=True, wa_id=INCOMING), id="the phone edits its own"),
        pytest.param(queued(), reacted(wa_id=queued().wa_id, chat=OTHER), id="the number has another form"),
    ],
)
def test_what_somebody_may_do_is_noted(message: AnyFact, fact: AnyFact) -> None:
    (row,) = rows_after([message, fact]).values()
    assert [entry.due_seq for entry in row.history] == [1, 2]


def test_of_two_messages_that_bear_one_id_the_one_is_meant_to_which_it_can_be_done() -> None:
    facts = [received(chat=GROUP, sender=OTHER), received("in2", chat=PHONE), edited("hers")]
    rows = rows_after(facts)
    assert (rows[IN_ROW].text, rows[f"{SESSION}/in/in2"].text) == ("apa kabar", "hers")


# --- Order -----------------------------------------------------------------------------------------------------------


def shown(view: MessageView) -> MessageView:
    """As it stands, without which rise was seen when."""
    return replace(view, attempts=0)


@pytest.mark.parametrize(
    ("facts", "row"),
    [
        pytest.param(
            [
                received(),
                *[edited(text, f"e{n}", n) for n, text in enumerate("bcb")],
                reacted("+"),
                reacted("-", "r", 1),
            ],
            IN_ROW,
            id="words and reactions",
        ),
        pytest.param(
            [received(), revoked(seconds=3), reacted("+"), reacted("", seconds=1), reacted("!", sender=OTHER)],
            IN_ROW,
            id="deletion",
        ),
        pytest.param(
            [
                received(content_class="poll", chat=GROUP),
                *[voted(option, seconds=n, chat=GROUP) for n, option in enumerate("aba")],
                *[voted(option, seconds=n, chat=GROUP, sender=OTHER) for n, option in enumerate("ab")],
            ],
            IN_ROW,
            id="votes",
        ),
        pytest.param(
            [
                queued(content=Image(media_id="m", mimetype="image/png", caption="a")),
                progressed("sent"),
                receipt("read"),
                edited("b", seconds=1, from_me=True),
                reacted("+", wa_id=queued().wa_id),
                action_failed(),
            ],
            ROW,
            id="our own",
        ),
    ],
)
def test_any_order_of_the_same_facts_gives_the_same_message(facts: list[AnyFact], row: str) -> None:
    expected = view_after(facts, row)
    for order in itertools.permutations(facts):
        assert shown(view_after(order, row)) == shown(expected)


@pytest.mark.parametrize("cut", range(1, 6))
def test_what_comes_before_its_message_is_kept_and_told_with_it(cut: int) -> None:
    early = [edited("b"), reacted("+"), voted("a"), revoked(seconds=4), action_failed(wa_id=INCOMING)]
    pending = rows_after(early[:cut])
    assert [row.message_id for row in pending.values()] == [None]
    row = rows_after([received()], pending, seq=9)[IN_ROW]
    kinds = ["edited", "reaction", "poll_vote", "revoked", "edit_failed"]
    assert history_of(row) == [("received", 9), *[(kind, 9) for kind in kinds[:cut]]]
    assert row.text == ("b" if cut < 4 else None)
    assert len(row.reactions) == (cut >= 2)


def test_a_pending_edit_is_for_its_authors_message_only() -> None:
    pending = rows_after([edited("forged", sender=OTHER)])
    row = rows_after([received()], pending, seq=2)[IN_ROW]
    assert (row.text, row.edited_at, history_of(row)) == ("apa kabar", None, [("received", 2)])
    ours = rows_after([queued()], rows_after([edited("forged", wa_id=queued().wa_id)]), seq=2)[ROW]
    assert (ours.text, ours.edited_at, ours.from_, history_of(ours)) == ("halo", None, None, [("queued", 2)])


@pytest.mark.parametrize(
    "early", [[revoked(sender=OTHER)], [edited(), revoked(sender=OTHER)], [revoked(from_me=True, wa_id=INCOMING)]]
)
def test_a_pending_deletion_is_for_its_authors_message_only(early: list[AnyFact]) -> None:
    pending = rows_after(early)
    row = rows_after([received()], pending, seq=9)[IN_ROW]
    assert (row.text, row.revoked_at, history_of(row)) == ("apa kabar", None, [("received", 9)])


def test_receipts_of_a_message_that_we_sent_do_not_raise_one_that_came_in() -> None:
    row = rows_after([receipt("read", wa_ids=[INCOMING]), reacted(), received()])[IN_ROW]
    assert (row.status, row.read_at, history_of(row)) == ("received", None, [("received", 3), ("reaction", 3)])


# --- The history's bound ---------------------------------------------------------------------------------------------


def many_reactions(number: int) -> list[AnyFact]:
    return [reacted(f"{n % 7}", f"r{n}", n) for n in range(number)]


def test_a_thousand_reactions_leave_a_short_history_and_every_rise() -> None:
    rows = rows_after([received()])
    facts = many_reactions(1000)
    for start in range(0, 1000, 10):
        rows = rows_after(facts[start : start + 10], rows, seq=2 + start)
    statuses = [entry.status for entry in rows[IN_ROW].history]
    assert statuses[0] == "received"
    assert len(statuses) <= 1 + KEPT + 10
    assert [each.emoji for each in rows[IN_ROW].reactions] == [facts[-1].emoji]  # pyright: ignore


def test_no_entry_is_dropped_whose_frame_may_be_untold() -> None:
    row = rows_after([received(), *many_reactions(100)])[IN_ROW]
    assert len(row.history) == 101, "all are due with facts of the batch at work"


def test_what_awaits_its_message_is_bounded_too() -> None:
    (pending,) = rows_after(many_reactions(200)).values()
    assert len(pending.history) == KEPT


# --- What a message refers to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "details"),
    [
        (Location(latitude=1.5, longitude=2.5, name="Monas"), {"latitude": 1.5, "longitude": 2.5, "name": "Monas"}),
        (Poll(question="?", options=["a", "b"]), {"question": "?", "options": ["a", "b"], "selectable": 1}),
        (Reaction(wa_id="W", emoji="+"), {"waId": "W", "emoji": "+"}),
    ],
    ids=["place", "poll", "reaction"],
)
def test_a_message_without_words_shows_its_details(content: Any, details: dict[str, Any]) -> None:
    assert view_after([queued(content=content)], ROW).details == details


def test_a_message_shows_what_it_answers_and_whom_it_mentions() -> None:
    context = Context(quote=Quote(wa_id="W"), mentions=[f"{OURS}@s.whatsapp.net", "1@lid"])
    sent = view_after([queued(context=context)], ROW)
    came = view_after([received(reply_to="W", mentions=context.mentions, details={"name": "x"})])
    assert (sent.reply_to, sent.mentions, sent.details) == ("W", [OURS, "1@lid"], None)
    assert (came.reply_to, came.mentions, came.details) == ("W", [OURS, "1@lid"], {"name": "x"})


# --- Numbers that were linked before ---------------------------------------------------------------------------------

A, B = "6281110001110", "6282220002220"


@pytest.mark.parametrize(
    ("change", "deletes"),
    [
        pytest.param(revoked(wa_id=WA_ID, from_me=True, sender="", number=A), True, id="by the number that sent it"),
        pytest.param(revoked(wa_id=WA_ID, from_me=True, sender=B, number=B), False, id="not by the next one"),
        pytest.param(revoked(wa_id=WA_ID, from_me=True, sender="", number=None), True, id="by who was not noted"),
        pytest.param(revoked(wa_id=WA_ID, sender=A, number=B), True, id="by the former one, seen by the next"),
        pytest.param(revoked(wa_id=WA_ID, sender=PHONE, number=B), False, id="by a stranger"),
        pytest.param(revoked(wa_id=WA_ID, sender="1@lid", number=B), False, id="by who may be anybody"),
    ],
)
def test_a_message_of_a_former_number_is_that_numbers(change: AnyFact, deletes: bool) -> None:
    row = rows_after([queued(), progressed("sent", number=A), change])[ROW]
    assert row.number == A
    assert (row.revoked_at is not None) is deletes
