"""One customer's page: it offers for a subscription exactly what the books will allow."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from libs.contracts.records import Subscription
from services.api.accounts.records import Customer
from services.api.billing import bookings
from services.api.billing.bookings import Books, Deal
from services.api.billing.terms import Standing
from services.api.dashboard.pages.platform_customer import Dossier, Ledger
from services.api.dashboard.rendering import Clock
from services.api.errors import Refusal
from tests.unit.api.builders import AT, HOUR, subscription

FIRST = {"id": "sub_1", "started_at": AT - HOUR, "ends_at": AT + HOUR}
SITUATIONS: dict[str, list[dict[str, Any]]] = {
    "runs": [FIRST],
    "is over": [{**FIRST, "ends_at": AT}],
    "has no end": [{**FIRST, "ends_at": None}],
    "is cancelled": [{**FIRST, "status": "cancelled"}],
    "is not paid": [{**FIRST, "status": "pending", "ends_at": None}],
    "is followed": [FIRST, {"id": "sub_2", "started_at": AT + HOUR, "ends_at": AT + 2 * HOUR}],
    "follows": [{**FIRST, "started_at": AT + HOUR, "ends_at": AT + 2 * HOUR}, {"id": "sub_0", "ends_at": AT + HOUR}],
}


def dossier(rows: list[Subscription]) -> Dossier:
    return Dossier(
        customer=Customer(id="cus_1", created_at=AT, name="Toko", email="toko@example.com"),
        standing=Standing(),
        subscriptions=rows,
        ledger=Ledger(rows=[], balance=0, held=0, before=None, next=None),
        users=[],
        users_total=0,
        payments=[],
        payments_total=0,
        plans=[],
        clock=Clock(ZoneInfo("UTC"), "en"),
        at=AT,
    )


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_offered_is_what_the_books_allow(situation: str) -> None:
    rows = [subscription(**fields) for fields in SITUATIONS[situation]]
    shown = dossier(rows)
    books = Books(customer=shown.customer, subscriptions=rows, pending=[])
    assert shown.can_extend(rows[0]) == allowed(
        lambda: bookings.extended(books, rows[0].id, Deal(cycles=1, by="usr_1"), AT, ends_at=None)
    )
    assert shown.can_end(rows[0]) == allowed(lambda: bookings.cancelled(books, rows[0].id, AT, by="usr_1", note=None))


def allowed(book: Any) -> bool:
    try:
        book()
    except Refusal:
        return False
    return True
