"""Credits: what a message costs, and the ledger that sender keeps of each customer's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from libs.contracts.records import Allowance, Record

PRICE_WITHOUT_A_NAME: Final = 1
DEFAULT_PRICE: Final = "default"

RESERVE: Final = "reserve"
CHARGE: Final = "charge"
REFUND: Final = "refund"
REBOOK: Final = "rebook"
REFUSED: Final = "refused"
GRANTS: Final = ("topup", "gift", "correction")


def price_of(allowance: Allowance, message_type: str) -> int:
    """What a message of this type costs; 0 under an allowance that is not metered."""
    if not allowance.is_metered:
        return 0
    prices = allowance.prices
    return max(0, prices.get(message_type, prices.get(DEFAULT_PRICE, PRICE_WITHOUT_A_NAME)))


class LedgerEntry(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `ledger`, written by sender: why a customer's credits changed, and what they came to.

    `id` is `<message>/<retries>/<step>` with a step `reserve charge refund rebook`, or `<customer>/<grant>/grant`: a
    step that is booked again meets its row. (customerId, number) is unique too: a row continues the one before it, so
    what the last one says is the sum of all. No row is ever removed, nor changed but for `untold`.
    """

    number: int
    """Its place in the customer's ledger, from 1 without a gap."""
    kind: str
    """`reserve` takes credits aside for a message, `charge` spends them when it was sent, `refund` gives them back when
    it was not, `rebook` takes them again when it turns out to have been sent. `refused`: the balance did not cover the
    reservation. `topup gift correction`: by hand."""
    amount: int
    """Change of `balance`."""
    hold: int = 0
    """Change of `held`."""
    balance: int
    """What may still be spent, after this row. Sending never takes it below 0; a receipt that proves that a message was
    sent whose credits had been given back may, and so may a correction."""
    held: int
    """What is reserved for messages that have not ended, after this row; no part of `balance`."""
    warned_low: bool = False
    """`credits.low` was told, and no grant has lifted the balance to the threshold since."""
    warned_exhausted: bool = False
    """`credits.exhausted` was told, and nothing was granted since."""
    at: datetime
    message_id: str | None = None
    session_id: str | None = None
    note: str | None = None
    by: str | None = None
    """Id of the platform user."""
    untold: list[dict[str, Any]] = []
    """Facts that follow from this row and are not published yet."""
