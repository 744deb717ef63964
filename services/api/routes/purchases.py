"""What a customer may buy: the plans on offer, asking for one, and the payments that wait for it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts.audit import note
from services.api.billing import bookings, store_plans
from services.api.billing.bookings import Deal
from services.api.billing.subscribing import booked, plan_for, transaction_for
from services.api.billing.views import (
    BookingAnswer,
    PaymentAnswer,
    booking_answer,
    payment_object,
    plan_object,
)
from services.api.context import Edge
from services.api.routes.platform_plans import PlanList
from services.api.routes.platform_subscriptions import Cycles, Method, Note
from services.api.times import now
from services.api.web.paging import Limit, Offset, pagination


class PurchaseWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A plan for so many cycles; `note` is for those who look for the payment."""

    plan_id: Annotated[str, Meta(max_length=100)]
    cycles: Cycles = 1
    payment_method: Method = "transfer"
    note: Note | None = None


@get("/plans", operation_id="list_offered_plans")
async def list_offered_plans(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], limit: Limit = 50, offset: Offset = 0
) -> PlanList:
    """The plans that may be asked for."""
    caller.require("read")
    plans, total = await store_plans.plans_newest_first(edge.database, offered=True, limit=limit, offset=offset)
    return PlanList(data=[plan_object(plan) for plan in plans], pagination=pagination(total, limit, offset, len(plans)))


@post("/purchases", operation_id="request_purchase", status_code=200)
async def request_purchase(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[PurchaseWish]
) -> BookingAnswer:
    """Ask for a plan. The payment is pending until an operator confirms it; asking twice is asking once."""
    caller.require_account()
    plan, at = await plan_for(edge, data.plan_id), now()
    by = caller.user_id or caller.key_id or ""
    deal = Deal(cycles=data.cycles, by=by, payment_method=data.payment_method, note=data.note)
    done = await booked(edge, caller.customer_id, lambda books: bookings.requested(books, plan, deal, at))
    if done.subscription is not None:
        await note(edge, caller, "purchase.requested", done.payment.id if done.payment else None, {"plan": plan.name})
    return booking_answer(done, confirmations.PURCHASE_WAITS, now())


@get("/transactions/{transaction_id:str}", operation_id="get_transaction")
async def get_transaction(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], transaction_id: FromPath[str]
) -> PaymentAnswer:
    """One payment with its history."""
    caller.require("read")
    return PaymentAnswer(
        data=payment_object(await transaction_for(edge, transaction_id, customer_id=caller.customer_id))
    )


@post("/transactions/{transaction_id:str}/cancel", operation_id="cancel_purchase", status_code=200)
async def cancel_purchase(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], transaction_id: FromPath[str]
) -> BookingAnswer:
    """Take back a purchase whose payment is pending."""
    caller.require_account()
    row, at = await transaction_for(edge, transaction_id, customer_id=caller.customer_id), now()
    by = caller.user_id or caller.key_id or ""
    done = await booked(
        edge, caller.customer_id, lambda books: bookings.settled(books, row.id, "cancelled", at, by=by, note=None)
    )
    await note(edge, caller, "purchase.cancelled", row.id)
    payment = await transaction_for(edge, transaction_id, customer_id=caller.customer_id)
    return booking_answer(msgspec.structs.replace(done, payment=payment), confirmations.PURCHASE_CANCELLED, now())


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[list_offered_plans, request_purchase, get_transaction, cancel_purchase],
    tags=["Plan and payments"],
)
