"""What the plan allows of messages: refuses those beyond a month's number."""

from __future__ import annotations

from libs.contracts.errors import ApiError
from services.api.billing.monthly import Month
from services.api.billing.standings import account_for
from services.api.billing.terms import month_began, standing_of
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.times import iso, now


async def month_of(edge: Edge, customer_id: str) -> Month | None:
    """The customer's present month; None when its plan sets no limit, or none is active (then messages wait)."""
    account, at = await account_for(edge, customer_id), now()
    standing = standing_of(account, at)
    if account is None or not standing.active or standing.subscription is None:
        return None
    limit = standing.subscription.allowance.monthly_messages
    if limit is None:
        return None
    return Month(customer_id=customer_id, began_at=month_began(at, account.customer.time_zone), limit=limit)


async def count_message(edge: Edge, customer_id: str) -> Month | None:
    """Count one message that is about to be accepted; returns where, for `give_back`. Raises Refusal."""
    month = await month_of(edge, customer_id)
    if month is not None and not await edge.monthly.take(month):
        resets = f"{month.next_began:%Y-%m-%d}"
        details = {"monthlyMessages": month.limit, "resetsAt": iso(month.next_began)}
        raise Refusal(ApiError.MESSAGE_LIMIT_REACHED, details=details, limit=month.limit, resets=resets)
    return month


async def uncount_message(edge: Edge, month: Month | None) -> None:
    """A message that was counted there was not accepted after all."""
    if month is not None:
        await edge.monthly.give_back(month)
