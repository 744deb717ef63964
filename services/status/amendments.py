"""What happens to a message that exists: edits, deletions, reactions, votes and failed actions, as rules on its row.

None of them raises a status. Each is noted in the history, from which it is told like a rise. What comes before its
message waits in the row that it makes, and is told with the message.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from libs.contracts.events import (
    ActionFailed,
    MessageEdited,
    MessageReacted,
    MessageRevoked,
    PollVoted,
)
from libs.contracts.records import HistoryEntry, MessageRow, ReactionEntry, VoteEntry
from services.status.moments import as_stored

Amendment = MessageEdited | MessageRevoked | MessageReacted | PollVoted | ActionFailed
Said = TypeVar("Said", ReactionEntry, VoteEntry)

FAILED = {"edit": "edit_failed", "revoke": "revoke_failed"}
AMENDMENTS = frozenset({"edited", "revoked", "reaction", "poll_vote", *FAILED.values()})
"""What a history holds beside the rises."""
CAPTIONED = frozenset({"image", "video", "document", "audio", "voice", "sticker"})
KEPT = 50
"""So many of them stay in a history: somebody may react to one message a thousand times."""


def is_amendment(entry: HistoryEntry) -> bool:
    """Whether the entry is no rise."""
    return entry.status in AMENDMENTS


def amended(row: MessageRow, fact: Amendment, seq: int) -> MessageRow:
    """The row after the fact; the same object when nothing changes. Raises KeyError for an action without a name."""
    match fact:
        case MessageEdited():
            return _edited(row, fact, seq)
        case MessageRevoked():
            return _revoked(row, fact, seq)
        case MessageReacted():
            return _reacted(row, fact, seq)
        case PollVoted():
            return _voted(row, fact, seq)
        case ActionFailed():
            return _with_entry(row, fact, seq, FAILED[fact.action], reason=fact.code, detail=fact.detail)


def may_concern(row: MessageRow, fact: Amendment) -> bool:
    """Whether this message is one to which they may do that: ids are the senders' own choice, and prove nothing.

    Words are changed by their author alone. Others' messages are deleted in groups only: by who says to do so as an
    administrator of that very group (`edit` of the stanza is "8", whatsmeow types/message.go), and by this number,
    whose deletions WhatsApp has taken. Who the administrators are is not looked up: that costs a call for each.
    """
    match fact:
        case ActionFailed():
            return True
        case MessageEdited():
            return _is_author(row, fact)
        case MessageRevoked():
            return _is_author(row, fact) or _is_administrators(row, fact)
        case MessageReacted() | PollVoted():
            return row.direction == "out" or _may_be_same(row.chat, fact.chat)


def _is_author(row: MessageRow, fact: MessageEdited | MessageRevoked) -> bool:
    if row.direction == "out":
        return fact.from_me if _is_of_the_same_link(row, fact) else row.number == fact.sender
    return not fact.from_me and _may_be_same(row.from_, fact.sender)


def _is_of_the_same_link(row: MessageRow, fact: MessageEdited | MessageRevoked) -> bool:
    """Whether the number that sent the message is the one to which this came. Another one of ours is a stranger."""
    return row.number is None or fact.number is None or row.number == fact.number


def _is_administrators(row: MessageRow, fact: MessageRevoked) -> bool:
    return _form_of(row.chat) == "group" and row.chat == fact.chat and (fact.by_admin or fact.from_me)


def _may_be_same(one: str | None, other: str) -> bool:
    """A LID and a number may be the same person's: which number a LID has is learned at some time, or never."""
    return one is None or one == other or {_form_of(one), _form_of(other)} == {"lid", "phone"}


def _form_of(address: str | None) -> str:
    _, _, server = (address or "").partition("@")
    return {"g.us": "group", "lid": "lid"}.get(server, "phone")


# --- One rule for each kind ------------------------------------------------------------------------------------------


def _edited(row: MessageRow, fact: MessageEdited, seq: int) -> MessageRow:
    at = as_stored(fact.at)
    if row.revoked_at is not None or (row.edited_at is not None and row.edited_at > at):
        return row
    after = _awaiting_its_author(replace(with_words(row, fact.text), edited_at=at, fact_seq=seq), fact)
    shows_nothing = row.edited_at is not None and (row.text, row.caption) == (after.text, after.caption)
    return after if shows_nothing else _with_entry(after, fact, seq, "edited")


def with_words(row: MessageRow, words: str | None) -> MessageRow:
    """The row with other words: a medium's are its caption. Those for a message that has not come are its text."""
    return replace(row, caption=words) if row.type in CAPTIONED else replace(row, text=words)


def _revoked(row: MessageRow, fact: MessageRevoked, seq: int) -> MessageRow:
    if row.revoked_at is not None:
        return row
    after = _awaiting_its_author(replace(row, revoked_at=as_stored(fact.at)), fact)
    return _with_entry(after if row.message_id is None else emptied(after), fact, seq, "revoked")


def _awaiting_its_author(row: MessageRow, fact: MessageEdited | MessageRevoked) -> MessageRow:
    """A row whose message has not come remembers in `from_` who did the last of it; nobody stands for this number."""
    return row if row.message_id is not None else replace(row, from_=None if fact.from_me else fact.sender)


def emptied(row: MessageRow) -> MessageRow:
    """The row without anything that the message said."""
    return replace(
        row,
        text=None,
        caption=None,
        file_name=None,
        media_id=None,
        mimetype=None,
        media_bytes=None,
        media_ref=None,
        details=None,
        mentions=[],
    )


def _reacted(row: MessageRow, fact: MessageReacted, seq: int) -> MessageRow:
    """What the phone did and what was done through us is this number's one reaction."""
    sender = "" if fact.from_me else fact.sender
    said = ReactionEntry(sender=sender, emoji=fact.emoji, at=as_stored(fact.at))
    former = _former(row.reactions, said)
    if former is not None and former.at > said.at:
        return row
    after = replace(row, reactions=_replaced(row.reactions, former, said), fact_seq=seq)
    shows_nothing = said.emoji == (former.emoji if former is not None else "")
    return after if shows_nothing else _with_entry(after, fact, seq, "reaction")


def _voted(row: MessageRow, fact: PollVoted, seq: int) -> MessageRow:
    said = VoteEntry(sender=fact.sender, options=fact.options, at=as_stored(fact.at))
    former = _former(row.votes, said)
    if former is not None and former.at > said.at:
        return row
    after = replace(row, votes=_replaced(row.votes, former, said), fact_seq=seq)
    shows_nothing = said.options == (former.options if former is not None else [])
    return after if shows_nothing else _with_entry(after, fact, seq, "poll_vote")


def _former(entries: list[Said], said: Said) -> Said | None:
    """What this person has said before. What was taken back stays, empty, so that an older word cannot revive it."""
    return next((each for each in entries if each.sender == said.sender), None)


def _replaced(entries: list[Said], former: Said | None, said: Said) -> list[Said]:
    return sorted([*(each for each in entries if each is not former), said], key=lambda each: (each.at, each.sender))


# --- The history -----------------------------------------------------------------------------------------------------


def _with_entry(
    row: MessageRow, fact: Amendment, seq: int, status: str, *, reason: str | None = None, detail: str | None = None
) -> MessageRow:
    """The row with one more entry. It is told at once when customers know the message, else with its content."""
    is_known = row.message_id is not None
    entry = HistoryEntry(
        status=status,
        at=as_stored(fact.at),
        fact_seq=seq,
        fact_id=fact.id,
        reason=reason,
        detail=detail,
        attempts=row.attempts,
        due_seq=seq if is_known else 0,
    )
    noted = replace(row, history=[*row.history, entry], fact_seq=seq)
    return noted if is_known else _shortened(noted, told_before=1)


def pruned(row: MessageRow, told_before: int) -> MessageRow:
    """The row without its oldest amendments when they are too many: those that were due with facts before this one.

    Every fact before the batch at work is told, so no frame is lost that is still due.
    """
    return row if len(row.history) <= KEPT else _shortened(row, told_before)


def _shortened(row: MessageRow, told_before: int) -> MessageRow:
    too_many = sum(map(is_amendment, row.history)) - KEPT
    if too_many <= 0:
        return row
    droppable = (number for number, each in enumerate(row.history) if is_amendment(each) and each.due_seq < told_before)
    dropped = {number for number, _ in zip(droppable, range(too_many), strict=False)}
    return replace(row, history=[each for number, each in enumerate(row.history) if number not in dropped])


# --- What came before its message ------------------------------------------------------------------------------------


def awaiting(pending: MessageRow, row_id: str) -> MessageRow:
    """A row for a message that comes in, with what was done to it before; receipts are for what the number sent."""
    blank = MessageRow(
        id=row_id,
        customer_id=pending.customer_id,
        session_id=pending.session_id,
        shard=pending.shard,
        wa_id=pending.wa_id,
        direction="in",
        created_at=pending.created_at,
    )
    return replace(
        blank,
        text=pending.text,
        from_=pending.from_,
        edited_at=pending.edited_at,
        revoked_at=pending.revoked_at,
        reactions=pending.reactions,
        votes=pending.votes,
        history=[each for each in pending.history if is_amendment(each)],
    )


def completed(pending: MessageRow, filled: MessageRow) -> MessageRow:
    """The row whose content has come now, with what was done to the message before: by its author, as far as we know.

    An administrator's deletion that outran its message is forgotten: it came to no chat that we could compare.
    """
    if pending.edited_at is None and pending.revoked_at is None:
        return filled
    if not _is_of_the_author(pending, filled):
        others = [each for each in filled.history if each.status not in ("edited", "revoked")]
        return replace(filled, edited_at=None, revoked_at=None, history=others)
    return with_words(filled, pending.text) if pending.revoked_at is None else emptied(filled)


def _is_of_the_author(pending: MessageRow, filled: MessageRow) -> bool:
    is_ours = pending.from_ is None
    if filled.direction == "out":
        return is_ours
    return not is_ours and _may_be_same(filled.from_, pending.from_ or "")
