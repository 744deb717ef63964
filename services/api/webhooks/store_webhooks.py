"""Webhooks in MongoDB: the definitions, which api writes, and what status keeps of them, which it only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession

from libs.contracts.webhooks import VERSIONS_ID, Webhook, WebhookDelivery, WebhookHealth
from libs.runtime.mongo import Client, Database, Document, from_document, from_documents, in_transaction, to_document
from services.api.web.cursors import behind, cursor_behind

KEPT_DELETED_S = 24 * 3600
NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES: dict[str, list[IndexModel]] = {
    "webhooks": [
        IndexModel([("customerId", ASCENDING), ("deletedAt", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("version", ASCENDING)]),
        IndexModel([("deletedAt", ASCENDING)], expireAfterSeconds=KEPT_DELETED_S),
    ],
}


class TooManyWebhooks(Exception):
    """The customer has as many webhooks as may be: nothing was stored."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"there are {most} webhooks already")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and how its endpoint does; no health before its first delivery."""

    webhook: Webhook
    health: WebhookHealth | None = None


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first, and where the next page begins; None at the end."""

    rows: list[WebhookDelivery]
    next: str | None


# --- Definitions -----------------------------------------------------------------------------------------------------


async def add_webhook(client: Client, database: Database, webhook: Webhook, *, most: int) -> Webhook:
    """Store a new webhook; returns it with its version. Raises TooManyWebhooks."""

    async def store(session: AsyncClientSession) -> Webhook:
        version = await _next_version(database, session)  # one after the other from here on: the count is exact
        own = {"customerId": webhook.customer_id, "deletedAt": None}
        if await database.webhooks.count_documents(own, limit=most, session=session) >= most:
            raise TooManyWebhooks(most)
        made = stamped(webhook, version)
        await database.webhooks.insert_one(to_document(made), session=session)
        return made

    return await in_transaction(client, store)


async def change_webhook(
    client: Client, database: Database, customer_id: str, webhook_id: str, change: Callable[[Webhook], Webhook]
) -> Webhook | None:
    """Apply `change` to the webhook as it is now, under a new version; None when it is gone. `change` may run twice."""

    async def store(session: AsyncClientSession) -> Webhook | None:
        version = await _next_version(database, session)
        own = {"_id": webhook_id, "customerId": customer_id, "deletedAt": None}
        found = await database.webhooks.find_one(own, session=session)
        if found is None:
            return None
        before = from_document(Webhook, found)
        after = stamped(change(before), version)
        await database.webhooks.replace_one({"_id": webhook_id}, to_document(after), session=session)
        return after

    return await in_transaction(client, store)


def stamped(webhook: Webhook, version: int) -> Webhook:
    """The webhook under this version, which is also that of a start or a replay without one."""
    start = webhook.start if webhook.start.version else replace(webhook.start, version=version)
    replays = [each if each.version else replace(each, version=version) for each in webhook.replays]
    return replace(webhook, version=version, start=start, replays=replays)


async def _next_version(database: Database, session: AsyncClientSession) -> int:
    """The changes of all webhooks have one counter: whoever has seen one has seen all before it."""
    found: Document | None = await database.webhook_versions.find_one_and_update(
        {"_id": VERSIONS_ID},
        {"$inc": {"version": 1}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return int((found or {})["version"])


async def webhooks_newest_first(
    database: Database, customer_id: str, *, only: Sequence[str] | None, limit: int, offset: int
) -> tuple[list[Kept], int]:
    """One page of the customer's webhooks, and how many there are; `only`: those of nothing but these sessions."""
    query: Document = {"customerId": customer_id, "deletedAt": None}
    if only is not None:
        query["sessionIds"] = {"$type": "array", "$not": {"$elemMatch": {"$nin": list(only)}}}
    found = await database.webhooks.find(query).sort(NEWEST_FIRST).skip(offset).limit(limit).to_list()
    return await _with_health(database, found), await database.webhooks.count_documents(query)


async def webhook_by_id(database: Database, customer_id: str, webhook_id: str) -> Kept | None:
    """The customer's webhook."""
    found = await database.webhooks.find_one({"_id": webhook_id, "customerId": customer_id, "deletedAt": None})
    return None if found is None else (await _with_health(database, [found]))[0]


async def _with_health(database: Database, documents: Sequence[Document]) -> list[Kept]:
    ids = [document["_id"] for document in documents]
    rows = await database.webhook_health.find({"_id": {"$in": ids}}).to_list() if ids else []
    healths = {health.id: health for health in from_documents(WebhookHealth, rows)}
    return [Kept(webhook=from_document(Webhook, each), health=healths.get(each["_id"])) for each in documents]


# --- Deliveries ------------------------------------------------------------------------------------------------------


async def deliveries_newest_first(
    database: Database, webhook: Webhook, *, status: str | None, after: str | None, limit: int
) -> DeliveryPage:
    """A page of the webhook's log, without bodies. Raises ValueError when `after` is not a cursor of ours."""
    query: Document = {"customerId": webhook.customer_id, "webhookId": webhook.id}
    if status is not None:
        query["status"] = status
    if after is not None:
        query["$and"] = behind(after, "createdAt")
    found = await database.deliveries.find(query).sort(NEWEST_FIRST).limit(limit + 1).to_list()
    rows = from_documents(WebhookDelivery, found)
    return DeliveryPage(
        rows=rows[:limit],
        next=cursor_behind(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None,
    )


async def delivery_by_id(database: Database, customer_id: str, delivery: str) -> WebhookDelivery | None:
    """The customer's delivery."""
    found = await database.deliveries.find_one({"_id": delivery, "customerId": customer_id})
    return None if found is None else from_document(WebhookDelivery, found)
