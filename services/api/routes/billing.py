"""What the customer has subscribed to, paid and used: subscription, transactions and the dashboard's summary."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.billing import quotas, store_plans, store_transactions, terms
from services.api.billing.terms import PackageInfo, Standing, SubscriptionAnswer, TransactionData, TransactionView
from services.api.context import Edge
from services.api.errors import invalid
from services.api.figures import store_stats
from services.api.sessions import store_sessions
from services.api.sessions.views import CONNECTED
from services.api.times import Time, iso, iso_or_none, now
from services.api.web.paging import Limit, Offset, Pagination, pagination


class ActiveSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The plan that holds now."""

    subscription_id: str
    package_name: str
    max_sessions: int
    start_date: Time
    end_date: Time | None


class TransactionSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Over all pages."""

    total_transactions: int
    has_active_subscription: bool


class TransactionsData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The payments, lower-case dialect."""

    transactions: list[TransactionData]
    active_subscription: ActiveSubscription | None
    pagination: Pagination
    summary: TransactionSummary


class TransactionList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /transactions, in both dialects."""

    transactions: list[TransactionView]
    pagination: Pagination
    data: TransactionsData
    success: bool = True


async def standing_for(edge: Edge, caller: Caller) -> tuple[Standing, str]:
    """What the customer may do now, and the customer's time zone."""
    at = now()
    account = await store_customers.account_of(edge.database, caller.customer_id)
    return terms.standing_of(account, at), account.customer.time_zone if account else "UTC"


@get("/subscription", operation_id="get_subscription")
async def get_subscription(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> SubscriptionAnswer:
    """The subscription and what is used of it; never an error when there is none."""
    standing, time_zone = await standing_for(edge, caller)
    since = terms.month_began(now(), time_zone)
    sent, _ = await store_stats.messages_sent_and_failed(edge.database, caller.customer_id, since)
    month = await quotas.month_of(edge, caller.customer_id)
    if month is None:
        return terms.subscription_answer(standing, messages_this_month=sent)
    monthly = terms.MonthlyUsage(limit=month.limit, accepted=await edge.monthly.accepted(month))
    return terms.subscription_answer(standing, messages_this_month=sent, monthly=monthly)


@get("/transactions", operation_id="list_transactions")
async def list_transactions(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    status: Annotated[
        str | None, QueryParameter(max_length=40, description="In either spelling, such as SUCCESS or paid.")
    ] = None,
    start_date: Annotated[
        str | None, QueryParameter(max_length=40, name="startDate", description="Date or time, inclusive.")
    ] = None,
    end_date: Annotated[
        str | None, QueryParameter(max_length=40, name="endDate", description="Date or time, inclusive.")
    ] = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> TransactionList:
    """The customer's payments, newest first; never an error when there are none."""
    wanted = _wanted(status, start_date, end_date)
    (standing, _), (rows, total) = await asyncio.gather(
        standing_for(edge, caller),
        store_transactions.transactions_of(edge.database, caller.customer_id, wanted, limit=limit, offset=offset),
    )
    bought = {row.subscription_id for row in rows if row.subscription_id}
    subscriptions = await store_plans.subscriptions_by_id(edge.database, bought)
    at, paging = now(), pagination(total, limit, offset, len(rows))
    return TransactionList(
        transactions=[terms.transaction_view(row) for row in rows],
        pagination=paging,
        data=TransactionsData(
            transactions=[
                terms.transaction_data(row, subscriptions.get(row.subscription_id or ""), at) for row in rows
            ],
            active_subscription=_active(standing),
            pagination=paging,
            summary=TransactionSummary(total_transactions=total, has_active_subscription=standing.active),
        ),
    )


def _active(standing: Standing) -> ActiveSubscription | None:
    if not standing.active or standing.subscription is None:
        return None
    return ActiveSubscription(
        subscription_id=standing.subscription.id,
        package_name=standing.subscription.plan_name,
        max_sessions=standing.max_sessions,
        start_date=iso(standing.subscription.started_at),
        end_date=iso_or_none(standing.ends_at),
    )


def _wanted(status: str | None, start_date: str | None, end_date: str | None) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if status and status.lower() != "all":
        statuses = terms.statuses_asked(status)
        if statuses is None:
            raise invalid("status", "it is SUCCESS, PENDING, FAILED or CANCELLED, or paid, pending or failed")
        wanted["status"] = {"$in": statuses}
    between: dict[str, Any] = {}
    if start_date:
        between["$gte"] = _moment("startDate", start_date, end=False)
    if end_date:
        between["$lte"] = _moment("endDate", end_date, end=True)
    if between:
        wanted["createdAt"] = between
    return wanted


def _moment(field: str, text: str, *, end: bool) -> datetime:
    """A date (the whole day, UTC) or a time."""
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
            return day + timedelta(days=1, milliseconds=-1) if end else day
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(field, "it is a date such as 2026-01-31 or an ISO-8601 time") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# --- The dashboard's summary -----------------------------------------------------------------------------------------


class QuotaSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Sessions of the plan."""

    total: int
    used: int
    remaining: int


class MessageStats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Messages of the present month."""

    sent: int
    failed: int


class WhatsappSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The customer's WhatsApp at a glance."""

    expiration: Time | None
    session_quota: QuotaSummary
    active_sessions: int
    message_stats: MessageStats


class SuccessCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Payments that succeeded; there are no other products here, so `product` is 0."""

    total: int
    product: int
    whatsapp: int


class PendingCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Payments that wait."""

    awaiting_payment: int
    awaiting_verification: int


class TransactionCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Payments by outcome."""

    success: SuccessCount
    pending: PendingCount
    failed: int
    total_overall: int


class RecentPurchase(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the last payments; `duration` in months."""

    id: str
    package_name: str
    duration: int | None
    amount: int
    currency: str
    created_at: Time


class RecentHistory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last payments; `products` is empty here."""

    products: list[RecentPurchase]
    whatsapp: list[RecentPurchase]


class DashboardData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first page of the customer's dashboard."""

    whatsapp_summary: WhatsappSummary
    transaction_summary: TransactionCounts
    product_delivery_log: list[PackageInfo]
    recent_history: RecentHistory
    last_updated: Time


class DashboardAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /api/customer/dashboard."""

    data: DashboardData
    success: bool = True


@get("/api/customer/dashboard", operation_id="get_dashboard")
async def get_dashboard(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> DashboardAnswer:
    """Sessions, messages of the month and payments at a glance."""
    standing, time_zone = await standing_for(edge, caller)
    at = now()
    (sent, failed), counts, (recent, _), connected = await asyncio.gather(
        store_stats.messages_sent_and_failed(edge.database, caller.customer_id, terms.month_began(at, time_zone)),
        store_transactions.transactions_by_status(edge.database, caller.customer_id),
        store_transactions.transactions_of(edge.database, caller.customer_id, {}, limit=5, offset=0),
        store_sessions.sessions_in(edge.database, caller.customer_id, CONNECTED),
    )
    return DashboardAnswer(
        data=DashboardData(
            whatsapp_summary=WhatsappSummary(
                expiration=iso_or_none(standing.ends_at),
                session_quota=QuotaSummary(
                    total=standing.max_sessions,
                    used=standing.used,
                    remaining=max(0, standing.max_sessions - standing.used),
                ),
                active_sessions=connected,
                message_stats=MessageStats(sent=sent, failed=failed),
            ),
            transaction_summary=_counts(counts),
            product_delivery_log=[],
            recent_history=RecentHistory(
                products=[],
                whatsapp=[
                    RecentPurchase(
                        id=row.id,
                        package_name=row.purchase.plan_name if row.purchase else row.description,
                        duration=terms.months_of(row.purchase) if row.purchase else None,
                        amount=row.amount,
                        currency=row.currency,
                        created_at=iso(row.created_at),
                    )
                    for row in recent
                ],
            ),
            last_updated=iso(at),
        )
    )


def _counts(counts: dict[str, int]) -> TransactionCounts:
    success = counts.get("success", 0)
    return TransactionCounts(
        success=SuccessCount(total=success, product=0, whatsapp=success),
        pending=PendingCount(awaiting_payment=counts.get("pending", 0), awaiting_verification=0),
        failed=counts.get("failed", 0) + counts.get("cancelled", 0),
        total_overall=sum(counts.values()),
    )


router = Router(
    path="/",
    route_handlers=[
        Router(path="/api/customer/whatsapp", route_handlers=[get_subscription, list_transactions]),
        get_dashboard,
    ],
    tags=["Plan and payments"],
)
