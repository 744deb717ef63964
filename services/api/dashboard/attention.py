"""What of the account needs a person beside the devices, and the click that mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from libs.contracts.credits import LedgerEntry
from services.api.billing.terms import Standing
from services.api.dashboard.endpoints import DISABLED, Endpoint
from services.api.dashboard.rendering import Clock, thousands
from services.api.dashboard.words import Say

PLAN = "plan"


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """One line below "Needs attention". `path`, below the overview's, is where it is mended."""

    id: str
    icon: str
    advice: str
    path: str
    action: str
    """What the link says."""
    title: str = ""
    status: str = ""
    """Of a webhook."""
    disabled_webhook: str = ""
    """The webhook that one click switches on again."""


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of what messages take: `credits` None where they cost nothing, `messages` None without a limit."""

    credits: int | None = None
    is_low: bool = False
    """`credits.low` was told, and nothing was added since."""
    messages: int | None = None
    """That may still be accepted in this month."""


def funds_of(standing: Standing, last: LedgerEntry | None, messages: int | None) -> Funds:
    """`last` is the last row of the ledger: it says what all come to."""
    subscription = standing.subscription
    if subscription is None or not subscription.allowance.is_metered:
        return Funds(messages=messages)
    return Funds(
        credits=last.balance if last is not None else 0,
        is_low=last is not None and last.warned_low,
        messages=messages,
    )


def concerns_of(
    standing: Standing,
    funds: Funds,
    endpoints: Sequence[Endpoint],
    at: datetime,
    *,
    told_before: timedelta,
    say: Say,
    clock: Clock,
) -> list[Concern]:
    """What needs a person, the worst first. A subscription's end is told so long before it."""
    plan = [*_of_subscription(standing, at, told_before, say, clock), *_of_funds(standing, funds, say, clock)]
    return [*plan, *(_of_webhook(each, say) for each in endpoints if each.needs_a_person)]


def _of_subscription(
    standing: Standing, at: datetime, told_before: timedelta, say: Say, clock: Clock
) -> Iterator[Concern]:
    renew = say("overview.attend_renew")
    if not standing.active:
        yield Concern(id="subscription", icon="package", advice=say("overview.plan_ended"), path=PLAN, action=renew)
    elif standing.ends_at is not None and standing.ends_at - at <= told_before:
        ends = say("overview.plan_ending", plan=standing.package_name or "", moment=clock.moment(standing.ends_at))
        yield Concern(id="subscription", icon="package", advice=ends, path=PLAN, action=renew)


def _of_funds(standing: Standing, funds: Funds, say: Say, clock: Clock) -> Iterator[Concern]:
    look = say("overview.attend_look")
    if funds.credits is not None and funds.credits <= 0:
        yield Concern(id="credits", icon="wallet", advice=say("overview.credits_over"), path=PLAN, action=look)
    elif funds.credits is not None and funds.is_low:
        low = say("overview.credits_low", count=thousands(funds.credits, clock.language))
        yield Concern(id="credits", icon="wallet", advice=low, path=PLAN, action=look)
    if standing.active and funds.messages is not None and funds.messages <= 0:
        yield Concern(id="messages", icon="send", advice=say("overview.messages_over"), path=PLAN, action=look)


def _of_webhook(endpoint: Endpoint, say: Say) -> Concern:
    return Concern(
        id=endpoint.id,
        icon="webhook",
        title=endpoint.title,
        status=endpoint.status,
        advice=endpoint.advice,
        path=f"webhooks/{endpoint.id}",
        action=say("overview.attend_look"),
        disabled_webhook=endpoint.id if endpoint.status == DISABLED else "",
    )
