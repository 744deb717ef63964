"""How messages look in a conversation: what each says, what it answers, and what people said to it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from libs.contracts.records import MessageRow
from libs.contracts.views import media_of
from services.api.messages.vcards import phones_in

LOOKS = {"image": "picture", "sticker": "picture", "video": "film", "audio": "sound", "voice": "sound"}
"""How a medium of each type is shown; every other one is a file."""
TYPES = (
    *("text", "image", "video", "audio", "voice", "document", "sticker"),
    *("location", "contact", "poll", "reaction"),
)
"""Of the messages that can be sent."""
NOT_SENT = ("failed", "cancelled", "expired")
ON_ITS_WAY = ("queued", "sending")


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """An option of a poll, and how many have chosen it."""

    option: str
    votes: int


class Bubble(msgspec.Struct, frozen=True, kw_only=True):
    """A message, ready to be shown. `answers` is None, too, for a message that is no longer known."""

    row: MessageRow
    media_id: str | None = None
    looks: str = ""
    """`picture`, `film`, `sound` or `file`; empty without a medium."""
    answers: MessageRow | None = None
    reactions: dict[str, int] = {}
    """How many people said it with this emoji, the most frequent first."""
    choices: list[Choice] = []
    phones: list[str] = []
    """Those on a card."""


def bubble_of(row: MessageRow, *, answers: MessageRow | None = None, ours: str | None = None) -> Bubble:
    """The message as it is shown; `ours` is the emoji that is on its way to it, empty to take the present one back."""
    medium = media_of(row)
    media_id = None if medium is None else medium.media_id
    said = row.details or {}
    kept = [each.emoji for each in row.reactions if ours is None or each.sender]
    emojis = Counter(emoji for emoji in (*kept, ours) if emoji)
    return Bubble(
        row=row,
        media_id=media_id,
        looks="" if media_id is None else LOOKS.get(row.type or "", "file"),
        answers=answers,
        reactions=dict(emojis.most_common()),
        choices=_choices(row),
        phones=phones_in(str(said.get("vcard", ""))) if row.type == "contact" else [],
    )


def _choices(row: MessageRow) -> list[Choice]:
    if row.type != "poll":
        return []
    votes = Counter(option for vote in row.votes for option in vote.options)
    options: list[str] = (row.details or {}).get("options", [])
    return [Choice(option=option, votes=votes[option]) for option in options]


def bubbles_of(newest_first: Sequence[MessageRow], answered: Iterable[MessageRow]) -> list[Bubble]:
    """A page of a chat in the order in which people read it.

    A reaction of this number stands at the message that it is about, where that is on the page and tells of it.
    """
    known = {row.wa_id: row for row in answered}
    rows = in_order(newest_first)
    ours = {_reacts_to(row): row.text or "" for row in rows if row.status in ON_ITS_WAY}
    shown_there = {row.wa_id for row in rows if row.wa_id in ours or not all(each.sender for each in row.reactions)}
    return [
        bubble_of(row, answers=known.get(row.reply_to or ""), ours=ours.get(row.wa_id))
        for row in rows
        if _reacts_to(row) not in shown_there
    ]


def in_order(newest_first: Sequence[MessageRow]) -> list[MessageRow]:
    """The messages as they came and went: WhatsApp tells whole seconds, within which the facts have their order."""
    return sorted(reversed(newest_first), key=lambda row: (int(row.created_at.timestamp()), _first_fact_of(row)))


def _first_fact_of(row: MessageRow) -> int:
    return row.history[0].fact_seq if row.history else 0


def _reacts_to(row: MessageRow) -> str | None:
    """The WhatsApp id of the message that this one, a reaction that may have left, is about."""
    if row.type != "reaction" or row.status in NOT_SENT:
        return None
    return (row.details or {}).get("waId")
