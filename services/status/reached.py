"""Which number a message of ours reached, where WhatsApp knows the recipient under another than was dialled; pure."""

from __future__ import annotations

from libs.contracts.events import AnyFact, MessageProgressed, ReceiptReceived
from libs.contracts.records import MessageRow
from services.status.contents import PHONE_JID, jid_of


def number_reached(fact: AnyFact, row: MessageRow) -> str | None:
    """JID of the recipient's own number, when the fact tells it and another was dialled.

    Sender's word and a receipt each tell it, for either may come first, and one may not come at all.
    """
    match fact:
        case MessageProgressed():
            reached = fact.to
        case ReceiptReceived():
            reached = fact.chat
        case _:
            reached = None
    dialled = jid_of(row.to or "")
    if reached is None or reached == dialled or row.direction != "out":
        return None
    return reached if reached.endswith(PHONE_JID) and dialled.endswith(PHONE_JID) and dialled != PHONE_JID else None


def addresses_reached(fact: AnyFact, row: MessageRow) -> tuple[str, ...]:
    """The number that the message reached, and the one that was dialled; nothing where they are the same."""
    reached = number_reached(fact, row)
    return () if reached is None else (reached, jid_of(row.to or ""))
