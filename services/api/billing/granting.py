"""Grants credits: tells sender, waits until they are booked, and lets every edge know."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec
from pymongo.errors import DuplicateKeyError

from libs.contracts.commands import GrantCredits
from libs.contracts.credits import LedgerEntry
from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id, send_subject
from libs.runtime.bus import PublishUnclear
from libs.runtime.mongo import to_document
from services.api.accounts.records import Transaction, TransactionStep
from services.api.billing import store_credits
from services.api.billing.standings import customer_changed
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.live.hub import WatchedFrame
from services.api.requests import nats_headers

WAIT_S = 5.0


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid for a top-up."""

    amount: int
    currency: str
    method: str


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a customer gets, or with a minus gives back. Carried out once for each `id`."""

    id: str
    customer_id: str
    reason: str
    amount: int
    note: str | None
    by: str
    at: datetime
    payment: Payment | None = None


def grant_id_of(customer_id: str, key: str | None) -> str:
    """The same for the same Idempotency-Key and customer; a new one without a key."""
    if key is None:
        return new_id("grt")
    return "grt_" + hashlib.sha256(f"{customer_id}|{key}".encode()).hexdigest()[:20]


async def granted(edge: Edge, grant: Grant) -> LedgerEntry | None:
    """The row that the grant made in the ledger; None when it is accepted and not booked after WAIT_S.

    Safe to repeat. Raises Refusal IDEMPOTENCY_KEY_REUSED when another grant was booked under its id, OUTCOME_UNKNOWN,
    and BusDown when certainly nothing was stored.
    """
    edge.require_bus()
    booked = await store_credits.entry_of_grant(edge.database, grant.customer_id, grant.id)
    if booked is not None:
        return _same(grant, booked)
    if grant.payment is not None:
        await _keep_payment(edge, grant, grant.payment)
    with edge.hub.watch(grant.customer_id, lambda frame: _tells(frame, grant.id)) as watch:
        await _publish(edge, grant)
        await watch.first(WAIT_S)
    await customer_changed(edge, grant.customer_id)
    return await store_credits.entry_of_grant(edge.database, grant.customer_id, grant.id)


def _same(grant: Grant, booked: LedgerEntry) -> LedgerEntry:
    if (booked.kind, booked.amount) != (grant.reason, grant.amount):
        raise Refusal(ApiError.IDEMPOTENCY_KEY_REUSED)
    return booked


def _tells(frame: WatchedFrame, grant_id: str) -> bool:
    return frame.type == "credits.changed" and frame.data.get("grantId") == grant_id


async def _publish(edge: Edge, grant: Grant) -> None:
    command = GrantCredits(
        customer_id=grant.customer_id,
        session_id=grant.customer_id,
        grant_id=grant.id,
        reason=grant.reason,
        amount=grant.amount,
        note=grant.note,
        by=grant.by,
        at=grant.at,
    )
    try:
        await edge.bus.publish(
            send_subject(grant.customer_id, edge.settings.shards),
            command,
            msg_id=f"{grant.customer_id}/{grant.id}",
            headers=nats_headers(),
            repeat_for_s=edge.settings.repeat_for_s,
        )
    except PublishUnclear as error:
        raise Refusal(ApiError.OUTCOME_UNKNOWN, details={"grantId": grant.id}) from error


async def _keep_payment(edge: Edge, grant: Grant, payment: Payment) -> None:
    """Before the grant: a repeat finds it, and a grant has always its payment."""
    row = Transaction(
        id=f"trx_{grant.id.removeprefix('grt_')}",
        created_at=grant.at,
        customer_id=grant.customer_id,
        kind="topup",
        description=f"{grant.amount} credits",
        amount=payment.amount,
        currency=payment.currency,
        status="success",
        payment_method=payment.method,
        history=[TransactionStep(status="success", at=grant.at, by=grant.by, note=grant.note)],
    )
    try:
        await edge.database.transactions.insert_one(to_document(row))
    except DuplicateKeyError:
        return
