"""What a customer's subscription allows, and how it and the payments look in both dialects. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts import subscriptions
from libs.contracts.records import Subscription
from libs.contracts.subscriptions import ACTIVE, EXPIRED, INACTIVE, PENDING, Term, status_of
from services.api.accounts.records import Account, Purchase, Transaction
from services.api.sentences import Phrase
from services.api.times import Time, iso, iso_or_none

MONTHS = {"monthly": 1, "yearly": 12}
_WAITING = {
    EXPIRED: Phrase(
        "The subscription has ended: linked sessions stay linked, and messages wait until it is renewed",
        "Langganan telah berakhir: sesi tertaut tetap tertaut, dan pesan menunggu sampai diperpanjang",
    ),
    PENDING: Phrase(
        "The subscription is not paid yet: linked sessions stay linked, and messages wait until it is",
        "Langganan belum dibayar: sesi tertaut tetap tertaut, dan pesan menunggu sampai dibayar",
    ),
    INACTIVE: Phrase(
        "No subscription is active: linked sessions stay linked, and messages wait until one is",
        "Tidak ada langganan aktif: sesi tertaut tetap tertaut, dan pesan menunggu sampai ada",
    ),
}
_SHOWN_STATUS = {"success": "SUCCESS", "pending": "PENDING", "failed": "FAILED", "cancelled": "CANCELLED"}
_PAID_STATUS = {"success": "paid", "pending": "pending", "failed": "failed", "cancelled": "failed"}
_ASKED_STATUS = {
    "SUCCESS": ["success"],
    "PENDING": ["pending"],
    "FAILED": ["failed"],
    "CANCELLED": ["cancelled"],
    "success": ["success"],
    "paid": ["success"],
    "pending": ["pending"],
    "failed": ["failed", "cancelled"],
    "cancelled": ["cancelled"],
}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer may do now. Without an active subscription: nothing, and no error."""

    active: bool = False
    status: str = INACTIVE
    """`ACTIVE INACTIVE PENDING EXPIRED`."""
    package_name: str | None = None
    max_sessions: int = 0
    features: list[str] = []
    used: int = 0
    subscription: Subscription | None = None
    ends_at: datetime | None = None
    """When what was bought ends, with all that follows it without a gap; of what is over, when it ended."""

    @property
    def can_create(self) -> bool:
        """Whether one more session fits."""
        return self.used < self.max_sessions


def standing_of(account: Account | None, at: datetime) -> Standing:
    """What the customer may do at this time."""
    if account is None:
        return Standing()
    term, used = subscriptions.standing(account.subscriptions, at), account.customer.sessions_used
    if term.subscription is None:
        return Standing(used=used)
    subscription = term.subscription
    return Standing(
        active=term.active,
        status=term.status,
        package_name=subscription.plan_name if term.active else None,
        max_sessions=subscription.allowance.max_sessions if term.active else 0,
        features=subscription.allowance.features if term.active else [],
        used=used,
        subscription=subscription,
        ends_at=_end_of(term, subscription),
    )


def _end_of(term: Term, subscription: Subscription) -> datetime | None:
    return term.until if term.active else subscription.ends_at


def why_waiting(standing: Standing) -> Phrase | None:
    """Why no message of the customer leaves now; None with an active subscription."""
    return None if standing.active else _WAITING[standing.status]


def statuses_asked(text: str) -> list[str] | None:
    """The payments' statuses behind a query's `status`, in either spelling; None for an unknown one."""
    return _ASKED_STATUS.get(text)


def month_began(at: datetime, time_zone: str) -> datetime:
    """When the present month began where the customer lives."""
    try:
        local = at.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        local = at
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


# --- GET /sessions ---------------------------------------------------------------------------------------------------


class SessionQuota(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many sessions there are, and may be."""

    used: int
    max: int
    can_create_more: bool


class Package(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The plan as the sessions page shows it."""

    name: str | None
    max_sessions: int
    features: list[str]


class SubscriptionBrief(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The subscription as the sessions page shows it."""

    package_name: str | None
    max_sessions: int
    current_sessions: int
    can_create_more_sessions: bool
    end_date: Time | None
    status: str
    """`ACTIVE INACTIVE PENDING EXPIRED`."""


def quota_view(standing: Standing) -> SessionQuota:
    """`sessionQuota`."""
    return SessionQuota(used=standing.used, max=standing.max_sessions, can_create_more=standing.can_create)


def package_view(standing: Standing) -> Package:
    """`package`."""
    return Package(name=standing.package_name, max_sessions=standing.max_sessions, features=standing.features)


def brief_view(standing: Standing) -> SubscriptionBrief:
    """`subscription` of the list of sessions."""
    return SubscriptionBrief(
        package_name=standing.package_name,
        max_sessions=standing.max_sessions,
        current_sessions=standing.used,
        can_create_more_sessions=standing.can_create,
        end_date=iso_or_none(standing.ends_at),
        status=standing.status,
    )


# --- GET /subscription -----------------------------------------------------------------------------------------------


class SubscriptionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The subscription, upper-case dialect."""

    id: str
    package_name: str
    status: str
    max_sessions: int
    features: list[str]
    billing_cycle: str
    next_billing_date: Time | None
    price: int
    currency: str


class MonthlyUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many messages may be accepted in this month, and how many were."""

    limit: int
    accepted: int


class Usage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is used of it."""

    sessions_used: int
    messages_this_month: int
    monthly: MonthlyUsage | UnsetType = UNSET
    """Left out where the plan sets no limit."""


class SubscriptionData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The subscription, lower-case dialect."""

    has_active_subscription: bool
    package_name: str | None
    max_sessions: int
    current_sessions: int
    can_create_more_sessions: bool
    start_date: Time | None
    end_date: Time | None
    status: str
    subscription_id: str | None
    package_id: str | None
    price: int


class SubscriptionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /subscription; `subscription` is left out when there is none."""

    usage: Usage
    data: SubscriptionData
    subscription: SubscriptionView | UnsetType = UNSET
    success: bool = True


def subscription_answer(
    standing: Standing, *, messages_this_month: int, monthly: MonthlyUsage | None = None
) -> SubscriptionAnswer:
    """The union body; `monthly` where the plan limits the messages of a month."""
    subscription = standing.subscription
    return SubscriptionAnswer(
        subscription=UNSET if subscription is None else _subscription_view(standing, subscription),
        usage=Usage(
            sessions_used=standing.used,
            messages_this_month=messages_this_month,
            monthly=UNSET if monthly is None else monthly,
        ),
        data=SubscriptionData(
            has_active_subscription=standing.active,
            package_name=standing.package_name,
            max_sessions=standing.max_sessions,
            current_sessions=standing.used,
            can_create_more_sessions=standing.can_create,
            start_date=iso_or_none(subscription.started_at) if subscription else None,
            end_date=iso_or_none(standing.ends_at),
            status="active" if standing.active else "inactive",
            subscription_id=subscription.id if subscription else None,
            package_id=subscription.plan_id if subscription else None,
            price=subscription.price if subscription else 0,
        ),
    )


def _subscription_view(standing: Standing, subscription: Subscription) -> SubscriptionView:
    return SubscriptionView(
        id=subscription.id,
        package_name=subscription.plan_name,
        status=standing.status,
        max_sessions=subscription.allowance.max_sessions,
        features=subscription.allowance.features,
        billing_cycle=subscription.billing_cycle,
        next_billing_date=iso_or_none(standing.ends_at),
        price=subscription.price,
        currency=subscription.currency,
    )


# --- GET /transactions -----------------------------------------------------------------------------------------------


class PackageInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was bought."""

    name: str
    max_sessions: int


class TransactionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A payment, upper-case dialect."""

    id: str
    type: str
    description: str
    amount: int
    currency: str
    status: str
    created_at: Time
    package_info: PackageInfo | UnsetType = UNSET


class TransactionData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A payment, lower-case dialect. `duration` is in months."""

    id: str
    transaction_id: str
    package_name: str | None
    package_description: str | None
    max_sessions: int
    amount: int
    status: str
    payment_method: str
    purchase_date: Time
    start_date: Time | None
    end_date: Time | None
    duration: int | None
    subscription_status: str
    is_active: bool


def shown_status(row: Transaction) -> str:
    """`SUCCESS PENDING FAILED CANCELLED`."""
    return _SHOWN_STATUS[row.status]


def transaction_view(row: Transaction) -> TransactionView:
    """One entry of `transactions`."""
    bought = row.purchase
    return TransactionView(
        id=row.id,
        type=row.kind.upper(),
        description=row.description,
        amount=row.amount,
        currency=row.currency,
        status=shown_status(row),
        created_at=iso(row.created_at),
        package_info=PackageInfo(name=bought.plan_name, max_sessions=bought.allowance.max_sessions)
        if bought
        else UNSET,
    )


def transaction_data(row: Transaction, subscription: Subscription | None, at: datetime) -> TransactionData:
    """One entry of `data.transactions`; `subscription` is what was bought."""
    bought, status = row.purchase, status_of(subscription, at) if subscription else INACTIVE
    return TransactionData(
        id=row.id,
        transaction_id=row.id,
        package_name=bought.plan_name if bought else None,
        package_description=bought.plan_description if bought else None,
        max_sessions=bought.allowance.max_sessions if bought else 0,
        amount=row.amount,
        status=_PAID_STATUS[row.status],
        payment_method=row.payment_method,
        purchase_date=iso(row.created_at),
        start_date=iso_or_none(subscription.started_at) if subscription else None,
        end_date=iso_or_none(subscription.ends_at) if subscription else None,
        duration=months_of(bought) if bought else None,
        subscription_status=status.lower(),
        is_active=status == ACTIVE,
    )


def months_of(bought: Purchase) -> int | None:
    """How many months were paid for."""
    months = MONTHS.get(bought.billing_cycle)
    return None if months is None else months * bought.cycles
