"""Examples of the JSON bodies about credits."""

from __future__ import annotations

from typing import Any

CREDITS: dict[str, dict[str, Any]] = {
    "set_low_balance": {"early": {"threshold": 500}, "as everybody": {"threshold": None}},
    "grant_credits": {
        "paid": {
            "amount": 5000,
            "note": "Invoice 118",
            "payment": {"amount": 250000, "currency": "IDR", "method": "bank transfer"},
        },
        "gift": {"amount": 100, "reason": "gift", "note": "Welcome"},
        "correction": {"amount": -20, "reason": "correction", "note": "Booked twice by hand"},
    },
}
