"""Tells customers of changes and of the end of their subscriptions: each once, whichever edge does it, whenever."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

from pymongo.errors import PyMongoError

from libs.contracts.events import CustomerNotified
from libs.contracts.ids import fact_subject
from libs.contracts.records import Subscription
from libs.contracts.subscriptions import status_of
from libs.contracts.times import iso, iso_or_none
from libs.contracts.updates import SubscriptionNotice
from libs.runtime import logs
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from libs.runtime.mongo import to_document
from services.api.billing import store_plans
from services.api.billing.cycles import is_worth_telling, next_notice
from services.api.billing.standings import customer_changed
from services.api.context import Edge
from services.api.times import now

EVERY_S = 20.0
MOST_AT_ONCE = 200

log = logs.get()


async def keep_telling(edge: Edge) -> None:
    """Tell what is due, every 20 s, for ever. Every edge does: status tells the same fact once."""
    while True:
        await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads work, guards nothing
        try:
            await tell_what_is_due(edge)
        except (PyMongoError, BusDown, PublishUnclear, StreamFull) as error:
            log.warning("subscriptions' notices could not be told; tried again soon", reason=type(error).__name__)


async def tell_what_is_due(edge: Edge) -> int:
    """Tell what is due by now; returns how much was. Raises PyMongoError, BusDown, PublishUnclear, StreamFull."""
    told = 0
    while due := await store_plans.subscriptions_with_news(edge.database, now(), most=MOST_AT_ONCE):
        for row in due:
            await tell(edge, row)
        told += len(due)
    return told


async def tell(edge: Edge, row: Subscription) -> None:
    """Publish the fact, then note that it is told: a death in between repeats it under the same id."""
    notice, at = row.notice or "", row.notice_at or now()
    rows = await store_plans.subscriptions_of(edge.database, row.customer_id)
    if is_worth_telling(notice, row, rows):
        fact = fact_of(row, notice)
        subject = fact_subject("notice", row.customer_id, edge.settings.shards)
        await edge.bus.publish(subject, fact, msg_id=fact.id, repeat_for_s=edge.settings.repeat_for_s)
        await customer_changed(edge, row.customer_id)
    warned_before = timedelta(days=edge.settings.expiry_notice_days)
    await store_plans.notice_is_told(
        edge.database, row, *next_notice(notice, row.ends_at, at, warned_before=warned_before)
    )


def fact_of(row: Subscription, notice: str) -> CustomerNotified:
    """The fact; its id is the same whoever tells it, and another one after each change."""
    at = row.notice_at or row.created_at
    return CustomerNotified(
        id=f"{row.id}/{notice}/{iso(at)}",
        customer_id=row.customer_id,
        session_id=row.customer_id,
        at=at,
        update=f"subscription.{notice}",
        data=_data_of(row, notice),
    )


def _data_of(row: Subscription, notice: str) -> dict[str, Any]:
    at = row.notice_at or row.created_at
    return to_document(
        SubscriptionNotice(
            subscription_id=row.id,
            package_name=row.plan_name,
            status=status_of(row, at),
            max_sessions=row.allowance.max_sessions,
            start_date=iso(row.started_at),
            end_date=iso_or_none(row.ends_at),
        )
    )
