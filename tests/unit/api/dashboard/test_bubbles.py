"""How messages look in a conversation: their order, reactions, answers, choices and media."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from libs.contracts.records import HistoryEntry, MessageRow, ReactionEntry, VoteEntry
from services.api.dashboard.bubbles import Choice, bubble_of, bubbles_of
from services.api.messages.vcards import vcard_of
from tests.unit.api.builders import AT


def message(wa_id: str = "W1", **fields: Any) -> MessageRow:
    """A text that came in."""
    given: dict[str, Any] = {
        "id": f"s1/in/{wa_id}",
        "customer_id": "cus_1",
        "session_id": "s1",
        "shard": 0,
        "wa_id": wa_id,
        "direction": "in",
        "message_id": f"m-{wa_id}",
        "type": "text",
        "text": "Halo",
        "status": "received",
        "created_at": AT,
    }
    return MessageRow(**(given | fields))


def reaction(to: str, emoji: str, wa_id: str, status: str = "sent") -> MessageRow:
    """What this number has put on a message."""
    return message(
        wa_id,
        direction="out",
        type="reaction",
        text=emoji,
        details={"waId": to, "emoji": emoji},
        status=status,
        created_at=AT + timedelta(seconds=int(wa_id[1:])),
    )


def order(*rows: MessageRow) -> list[str]:
    """How these, newest first, are read."""
    return [each.row.wa_id for each in bubbles_of(rows, [])]


def test_a_chat_is_read_from_the_top() -> None:
    rows = [message(f"W{number}", created_at=AT + timedelta(seconds=number)) for number in (3, 2, 1)]
    assert order(*rows) == ["W1", "W2", "W3"]


def test_within_a_second_messages_stand_as_they_came_and_went() -> None:
    asked = message("W1", direction="out", created_at=AT.replace(microsecond=500_000), history=[brought(11)])
    answered = message("W2", created_at=AT.replace(microsecond=0), history=[brought(12)])
    again = message("W3", created_at=AT.replace(microsecond=0), history=[brought(13)])
    assert order(asked, answered, again) == order(asked, again, answered) == ["W1", "W2", "W3"]


def brought(seq: int) -> HistoryEntry:
    """The fact that brought a message."""
    return HistoryEntry(status="received", at=AT, fact_seq=seq)


def of_ours(emoji: str) -> list[ReactionEntry]:
    """What status keeps of it."""
    return [ReactionEntry(sender="", emoji=emoji, at=AT)]


@pytest.mark.parametrize(
    ("emoji", "shown"), [("🙏", {"🙏": 1}), ("", {})], ids=["as it is kept", "not once it was taken back"]
)
def test_a_reaction_of_ours_stands_at_its_message_alone(emoji: str, shown: dict[str, int]) -> None:
    (bubble,) = bubbles_of([reaction("W1", "👍", "R1"), message("W1", reactions=of_ours(emoji))], [])
    assert bubble.reactions == shown


@pytest.mark.parametrize(("emoji", "shown"), [("🙏", {"🙏": 1}), ("", {})], ids=["another", "none any more"])
def test_a_reaction_on_its_way_is_shown_instead_of_the_present_one(emoji: str, shown: dict[str, int]) -> None:
    rows = [reaction("W1", emoji, "R2", "queued"), reaction("W1", "👍", "R1"), message("W1", reactions=of_ours("👍"))]
    (bubble,) = bubbles_of(rows, [])
    assert bubble.reactions == shown


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([reaction("W0", "👍", "R1", "queued"), message("W1")], id="to a message of another page"),
        pytest.param([reaction("W1", "👍", "R1", "failed"), message("W1")], id="that failed"),
        pytest.param([reaction("W1", "👍", "R1"), message("W1")], id="to a message that tells nothing of it"),
    ],
)
def test_a_reaction_that_cannot_stand_at_its_message_stands_by_itself(rows: list[MessageRow]) -> None:
    assert [each.row.type for each in bubbles_of(rows, [])] == ["text", "reaction"]


def test_the_same_emoji_of_several_people_is_counted() -> None:
    said = [ReactionEntry(sender=f"62{n}", emoji=emoji, at=AT) for n, emoji in enumerate(["👍", "😂", "👍", ""])]
    assert bubble_of(message(reactions=said)).reactions == {"👍": 2, "😂": 1}


def test_an_answer_shows_what_it_answers_where_that_is_known() -> None:
    known, unknown = message("W2", reply_to="W1"), message("W3", reply_to="W0")
    shown = bubbles_of([unknown, known], [message("W1", text="Ada kopi?")])
    assert [each.answers.text if each.answers else None for each in shown] == ["Ada kopi?", None]


def test_a_poll_shows_every_option_with_its_votes() -> None:
    votes = [VoteEntry(sender=f"62{n}", options=["Soto"], at=AT) for n in range(2)]
    poll = message(type="poll", details={"question": "Apa?", "options": ["Soto", "Rawon"]}, votes=votes)
    assert bubble_of(poll).choices == [Choice(option="Soto", votes=2), Choice(option="Rawon", votes=0)]


def test_a_card_shows_its_numbers() -> None:
    card = message(type="contact", details={"name": "Sari", "vcard": vcard_of("Sari", ["6281234567890"])})
    assert bubble_of(card).phones == ["+6281234567890"]


@pytest.mark.parametrize(
    ("kind", "looks"),
    [("image", "picture"), ("sticker", "picture"), ("video", "film"), ("voice", "sound"), ("document", "file")],
)
def test_a_medium_that_came_in_has_an_address_before_it_is_downloaded(kind: str, looks: str) -> None:
    shown = bubble_of(message(type=kind, text=None, mimetype="x/y", media_ref=b"ref"))
    assert (shown.media_id, shown.looks) == ("in_m-W1", looks)


def test_a_deleted_message_has_no_medium() -> None:
    shown = bubble_of(message(type="image", text=None, revoked_at=AT))
    assert (shown.media_id, shown.looks) == (None, "")
