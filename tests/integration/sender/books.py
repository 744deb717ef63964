"""What the books of a customer say, and whether they add up: read as of one moment, while others go on booking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's ledger as of one moment."""

    entries: list[dict[str, Any]]

    @property
    def balance(self) -> int:
        """What may still be spent."""
        return self.entries[-1]["balance"] if self.entries else 0

    @property
    def held(self) -> int:
        """What is reserved."""
        return self.entries[-1]["held"] if self.entries else 0

    def check(self) -> None:
        """The sum of the ledger is the balance, and that of what is held; no row is missing."""
        assert [entry["number"] for entry in self.entries] == list(range(1, len(self.entries) + 1))
        balance = held = 0
        for entry in self.entries:
            balance, held = balance + entry["amount"], held + entry["hold"]
            assert (entry["balance"], entry["held"]) == (balance, held)
            assert entry["kind"] != "reserve" or balance >= 0, "sending took the balance below zero"

    def of_message(self, message_id: str) -> int:
        """What a message has cost so far, what is held for it included."""
        return -sum(entry["amount"] for entry in self.entries if entry["messageId"] == message_id)

    def steps(self, message_id: str) -> list[str]:
        """What was booked for a message, in order."""
        return [entry["kind"] for entry in self.entries if entry["messageId"] == message_id]


async def books_of(database: Any, customer_id: str) -> Books:
    """The customer's books now: rows are only added, so what is read in their order is how they were at one moment."""
    rows = database["ledger"].find({"customerId": customer_id}).sort("number", 1)
    return Books(entries=[row async for row in rows])


def customer_row(customer_id: str, **fields: Any) -> dict[str, Any]:
    """A customer as api stores it."""
    return {"_id": customer_id, "name": "Toko", "email": "toko@example.com", **fields}


def subscription_row(customer_id: str, **fields: Any) -> dict[str, Any]:
    """A subscription as api stores it: metered, a text for 2 credits, everything else for 1."""
    began = datetime.now(UTC) - timedelta(days=1)
    return {
        "_id": f"sub_{customer_id}",
        "customerId": customer_id,
        "planId": "plan_1",
        "planName": "Metered",
        "allowance": {"maxSessions": 5, "isMetered": True, "prices": {"text": 2}},
        "price": 0,
        "currency": "IDR",
        "billingCycle": "monthly",
        "createdAt": began,
        "startedAt": began,
        "endsAt": None,
        "status": "active",
        **fields,
    }
