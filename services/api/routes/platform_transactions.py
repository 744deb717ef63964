"""The platform's payments: list, and confirm or reject those that are pending."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from services.api import confirmations
from services.api.accounts.audit import note
from services.api.accounts.records import User
from services.api.billing import bookings, store_transactions, terms
from services.api.billing.subscribing import booked, transaction_for
from services.api.billing.views import (
    BookingAnswer,
    PaymentAnswer,
    PaymentObject,
    booking_answer,
    payment_object,
)
from services.api.context import Edge
from services.api.errors import invalid
from services.api.routes.platform_subscriptions import Note
from services.api.sentences import Phrase
from services.api.times import now
from services.api.web.paging import Limit, Offset, Pagination, pagination


class PaymentWord(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to stand in the payment's history, such as the bank's reference."""

    note: Note | None = None


class PaymentList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of payments, newest first."""

    data: list[PaymentObject]
    pagination: Pagination
    success: bool = True


@get("/transactions", operation_id="list_payments")
async def list_payments(
    edge: NamedDependency[Edge],
    customer: Annotated[str | None, QueryParameter(max_length=100)] = None,
    status: Annotated[str | None, QueryParameter(max_length=40, description="Such as PENDING.")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> PaymentList:
    """Everybody's payments with their history."""
    wanted: dict[str, Any] = {} if customer is None else {"customerId": customer}
    if status:
        statuses = terms.statuses_asked(status)
        if statuses is None:
            raise invalid("status", "it is SUCCESS, PENDING, FAILED or CANCELLED")
        wanted["status"] = statuses[0] if len(statuses) == 1 else {"$in": statuses}
    rows, total = await store_transactions.all_transactions(edge.database, wanted, limit=limit, offset=offset)
    return PaymentList(
        data=[payment_object(row) for row in rows], pagination=pagination(total, limit, offset, len(rows))
    )


@get("/transactions/{transaction_id:str}", operation_id="get_payment")
async def get_payment(edge: NamedDependency[Edge], transaction_id: FromPath[str]) -> PaymentAnswer:
    """One payment."""
    return PaymentAnswer(data=payment_object(await transaction_for(edge, transaction_id)))


@post("/transactions/{transaction_id:str}/confirm", operation_id="confirm_payment", status_code=200)
async def confirm_payment(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    transaction_id: FromPath[str],
    data: JSONBody[PaymentWord | None] = None,
) -> BookingAnswer:
    """The money is there: what was asked for begins now, or follows what the customer has of the same plan."""
    return await _settled(edge, operator, transaction_id, "success", data, confirmations.PAYMENT_CONFIRMED)


@post("/transactions/{transaction_id:str}/reject", operation_id="reject_payment", status_code=200)
async def reject_payment(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    transaction_id: FromPath[str],
    data: JSONBody[PaymentWord | None] = None,
) -> BookingAnswer:
    """The payment has failed: what was asked for will not begin."""
    return await _settled(edge, operator, transaction_id, "failed", data, confirmations.PAYMENT_REJECTED)


async def _settled(
    edge: Edge, operator: User, transaction_id: str, status: str, data: PaymentWord | None, message: Phrase
) -> BookingAnswer:
    row, at = await transaction_for(edge, transaction_id), now()
    text = data.note if data is not None else None
    done = await booked(
        edge,
        row.customer_id,
        lambda books: bookings.settled(books, row.id, status, at, by=operator.id, note=text),
    )
    action = "transaction.confirmed" if status == "success" else "transaction.rejected"
    await note(edge, operator, action, row.id, {"amount": row.amount}, customer_id=row.customer_id)
    payment = await transaction_for(edge, transaction_id)
    return booking_answer(msgspec.structs.replace(done, payment=payment), message, now())


router = Router(
    path="/api/platform",
    route_handlers=[list_payments, get_payment, confirm_payment, reject_payment],
    tags=["Platform: transactions"],
)
