"""What is booked in a customer's ledger, and what is told of it: pure rules.

A message has up to three rows for each time that it is queued. `reserve` comes before it may leave; then `charge` when
it was sent, or `refund` when it ended otherwise; and `rebook` when a receipt proves later that it was sent after all.
Which of them are due follows from the message's row in the outbox alone, so whoever finds the row books the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from libs.contracts.commands import GrantCredits
from libs.contracts.credits import CHARGE, REBOOK, REFUND, REFUSED, RESERVE, LedgerEntry
from libs.contracts.events import CustomerNotified
from libs.contracts.records import OutboxRow
from libs.contracts.updates import CreditsView
from services.sender import rows

replace = msgspec.structs.replace

CHANGED: Final = "credits.changed"
LOW: Final = "credits.low"
EXHAUSTED: Final = "credits.exhausted"


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """A row that the ledger of a customer shall have."""

    id: str
    customer_id: str
    kind: str
    amount: int
    """Change of the balance."""
    hold: int = 0
    """Change of what is reserved."""
    message_id: str | None = None
    session_id: str | None = None
    grant_id: str | None = None
    note: str | None = None
    by: str | None = None


def posting_of(row: OutboxRow) -> Posting:
    """What is due for a message that costs credits, as its row stands."""
    kind = _due(row)
    amount, hold = {
        RESERVE: (-row.credits, row.credits),
        CHARGE: (0, -row.credits),
        REFUND: (row.credits, -row.credits),
        REBOOK: (-row.credits, 0),
    }[kind]
    return Posting(
        id=f"{row.id}/{row.retries}/{kind}",
        customer_id=row.customer_id,
        kind=kind,
        amount=amount,
        hold=hold,
        message_id=row.id,
        session_id=row.session_id,
    )


def _due(row: OutboxRow) -> str:
    if row.status in rows.OPEN:
        return RESERVE
    if row.status != rows.SENT:
        return REFUND
    return REBOOK if row.refunded else CHARGE


def posting_of_grant(grant: GrantCredits) -> Posting:
    """What a grant books."""
    return Posting(
        id=f"{grant.customer_id}/{grant.grant_id}/grant",
        customer_id=grant.customer_id,
        kind=grant.reason,
        amount=grant.amount,
        grant_id=grant.grant_id,
        note=grant.note,
        by=grant.by,
    )


def posted(
    last: LedgerEntry | None, postings: Sequence[Posting], *, threshold: int, now: datetime
) -> list[LedgerEntry]:
    """The rows of these postings, in their order, after the customer's last row.

    A reservation that the balance does not cover becomes a row that says so.
    """
    entries: list[LedgerEntry] = []
    for posting in postings:
        last = _warned(_after(last, posting, now), posting, threshold)
        entries.append(last)
    return entries


def _after(last: LedgerEntry | None, posting: Posting, now: datetime) -> LedgerEntry:
    balance, held, number = (last.balance, last.held, last.number) if last is not None else (0, 0, 0)
    if posting.kind == RESERVE and balance + posting.amount < 0:
        posting = replace(posting, kind=REFUSED, amount=0, hold=0)
    return LedgerEntry(
        id=posting.id,
        customer_id=posting.customer_id,
        number=number + 1,
        kind=posting.kind,
        amount=posting.amount,
        hold=posting.hold,
        balance=balance + posting.amount,
        held=held + posting.hold,
        warned_low=last is not None and last.warned_low,
        warned_exhausted=last is not None and last.warned_exhausted,
        at=now,
        message_id=posting.message_id,
        session_id=posting.session_id,
        note=posting.note,
        by=posting.by,
    )


def _warned(entry: LedgerEntry, posting: Posting, threshold: int) -> LedgerEntry:
    """The row with what is told of it. A grant alone arms a warning again: refunds come and go."""
    if posting.grant_id is not None:
        entry = replace(
            entry,
            warned_low=entry.warned_low and entry.balance < threshold,
            warned_exhausted=entry.warned_exhausted and entry.balance <= 0,
        )
        entry = _telling(entry, CHANGED, threshold, grant_id=posting.grant_id)
    if entry.kind == REFUSED and not entry.warned_exhausted:
        entry = _telling(replace(entry, warned_exhausted=True), EXHAUSTED, threshold)
    if entry.amount < 0 and entry.balance < threshold and not entry.warned_low:
        entry = _telling(replace(entry, warned_low=True), LOW, threshold)
    return entry


def _telling(entry: LedgerEntry, update: str, threshold: int, *, grant_id: str | None = None) -> LedgerEntry:
    view = CreditsView(
        balance=entry.balance,
        held=entry.held,
        threshold=threshold,
        change=entry.amount if grant_id is not None else None,
        reason=entry.kind if grant_id is not None else None,
        grant_id=grant_id,
    )
    fact = CustomerNotified(
        id=f"{entry.customer_id}/{update}/{entry.number}",
        customer_id=entry.customer_id,
        session_id=entry.customer_id,
        at=entry.at,
        update=update,
        data=msgspec.to_builtins(view),
    )
    told: dict[str, Any] = msgspec.to_builtins(fact, builtin_types=(datetime,))
    return replace(entry, untold=[*entry.untold, told])
