"""Customer endpoints for webhooks: definitions, tests, secrets, the log of deliveries, redelivery and replay."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from libs.contracts.calls import AskDone, RedeliverFrame, TryWebhook, WebhookTried
from libs.contracts.errors import ApiError
from libs.contracts.ids import shard_of
from libs.contracts.webhooks import WebhookDelivery
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts import audit
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import localized
from services.api.messages.views import Paging
from services.api.sessions.views import Done
from services.api.webhooks import definitions, store_webhooks
from services.api.webhooks.asking import asked
from services.api.webhooks.definitions import NewWebhook, WebhookChange
from services.api.webhooks.views import (
    WebhookAnswer,
    WebhookDeliveryAnswer,
    WebhookDeliveryList,
    WebhookList,
    WebhookPagination,
    WebhookSecretAnswer,
    WebhookTestAnswer,
    WebhookTestResult,
    delivery_detail,
    delivery_object,
    reason_shown,
    stored_id,
    webhook_object,
)

MOST_DELIVERIES = 200
WebhookRef = Annotated[str, PathParameter(description="The webhook's id.")]
DeliveryRef = Annotated[str, PathParameter(description="The delivery's id.")]
Limit = Annotated[int, QueryParameter(ge=1, le=100)]
Offset = Annotated[int, QueryParameter(ge=0, le=10_000)]


@get("/", operation_id="list_webhooks")
async def list_webhooks(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], limit: Limit = 20, offset: Offset = 0
) -> WebhookList:
    """The customer's webhooks, newest first."""
    caller.require("webhooks")
    page, total = await store_webhooks.webhooks_newest_first(
        edge.database, caller.customer_id, only=caller.session_ids, limit=limit, offset=offset
    )
    return WebhookList(
        data=[webhook_object(each) for each in page],
        pagination=WebhookPagination(total=total, limit=limit, offset=offset, has_more=offset + len(page) < total),
    )


@post("/", operation_id="create_webhook", status_code=200)
async def create_webhook(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewWebhook]
) -> WebhookSecretAnswer:
    """Have frames posted to an address of yours, from now on. The secret verifies them, and is shown this once."""
    made = await definitions.create(edge, caller, data)
    return WebhookSecretAnswer(
        data=webhook_object(made.kept),
        secret=made.secret,
        message=localized(confirmations.WEBHOOK_CREATED),
    )


@get("/{webhook_id:str}", operation_id="get_webhook")
async def get_webhook(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], webhook_id: WebhookRef
) -> WebhookAnswer:
    """One webhook, and how its endpoint does."""
    return WebhookAnswer(data=webhook_object(await definitions.found(edge, caller, webhook_id)))


@put("/{webhook_id:str}", operation_id="update_webhook")
async def update_webhook(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    webhook_id: WebhookRef,
    data: JSONBody[WebhookChange],
) -> WebhookAnswer:
    """Change a webhook, or switch it on or off. A new address gets what still waits at once."""
    return WebhookAnswer(
        data=webhook_object(await definitions.change(edge, caller, webhook_id, data)),
        message=localized(confirmations.WEBHOOK_UPDATED),
    )


@delete("/{webhook_id:str}", operation_id="delete_webhook", status_code=200)
async def delete_webhook(edge: NamedDependency[Edge], caller: NamedDependency[Caller], webhook_id: WebhookRef) -> Done:
    """Delete a webhook, and what still waits for it."""
    await definitions.remove(edge, caller, webhook_id)
    return Done(message=localized(confirmations.WEBHOOK_DELETED))


@post("/{webhook_id:str}/test", operation_id="test_webhook", status_code=200)
async def test_webhook(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], webhook_id: WebhookRef
) -> WebhookTestAnswer:
    """Post a frame of the type `webhook.test` now, once, and tell what the endpoint answered."""
    webhook = (await definitions.found(edge, caller, webhook_id)).webhook
    ask = TryWebhook(customer_id=caller.customer_id, webhook_id=webhook.id)
    tried = await asked(edge, shard_of(webhook.id, edge.settings.shards), ask, WebhookTried)
    is_delivered = tried.status is not None and 200 <= tried.status < 300
    result = WebhookTestResult(
        delivered=is_delivered,
        status=tried.status,
        error=reason_shown(tried.error),
        response=tried.response,
        duration_ms=tried.duration_ms,
    )
    return WebhookTestAnswer(
        data=result, message=localized(confirmations.WEBHOOK_TAKEN if is_delivered else confirmations.WEBHOOK_NOT_TAKEN)
    )


@post("/{webhook_id:str}/rotate-secret", operation_id="rotate_webhook_secret", status_code=200)
async def rotate_webhook_secret(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], webhook_id: WebhookRef
) -> WebhookSecretAnswer:
    """A new secret, shown this once. For 24 hours requests are signed with the old one too."""
    made = await definitions.rotate_secret(edge, caller, webhook_id)
    return WebhookSecretAnswer(
        data=webhook_object(made.kept), secret=made.secret, message=localized(confirmations.WEBHOOK_SECRET_REPLACED)
    )


@post("/{webhook_id:str}/replay", operation_id="replay_webhook", status_code=202)
async def replay_webhook(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    webhook_id: WebhookRef,
    since: Annotated[
        str, QueryParameter(max_length=40, description="A cursor or a time: what follows it is sent again.")
    ],
) -> WebhookAnswer:
    """Send everything after a cursor, or since a time, again, in order.

    A receiver that knows frames by id takes the missing ones.
    """
    kept = await definitions.replay(edge, caller, webhook_id, since)
    return WebhookAnswer(data=webhook_object(kept), message=localized(confirmations.REPLAY_BEGUN))


# --- Deliveries ------------------------------------------------------------------------------------------------------


@get("/{webhook_id:str}/deliveries", operation_id="list_webhook_deliveries")
async def list_webhook_deliveries(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    webhook_id: WebhookRef,
    status: Annotated[Literal["pending", "delivered", "failed"] | None, QueryParameter()] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_DELIVERIES)] = 50,
    cursor: Annotated[str | None, QueryParameter(max_length=400)] = None,
) -> WebhookDeliveryList:
    """The webhook's log, newest first, without the bodies."""
    webhook = (await definitions.found(edge, caller, webhook_id)).webhook
    try:
        page = await store_webhooks.deliveries_newest_first(
            edge.database, webhook, status=status, after=cursor or None, limit=limit
        )
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error
    return WebhookDeliveryList(
        data=[delivery_object(row) for row in page.rows],
        pagination=Paging(limit=limit, next=page.next, has_more=page.next is not None),
    )


@get("/deliveries/{delivery_id:str}", operation_id="get_webhook_delivery")
async def get_webhook_delivery(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], delivery_id: DeliveryRef
) -> WebhookDeliveryAnswer:
    """One delivery: the body of its requests, and what came of each attempt."""
    return WebhookDeliveryAnswer(data=delivery_detail(await _delivery(edge, caller, delivery_id)))


@post("/deliveries/{delivery_id:str}/redeliver", operation_id="redeliver_webhook", status_code=202)
async def redeliver_webhook(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], delivery_id: DeliveryRef
) -> WebhookDeliveryAnswer:
    """Send a delivery again, whatever became of it; one that still waits is tried at once."""
    row = await _delivery(edge, caller, delivery_id)
    ask = RedeliverFrame(customer_id=caller.customer_id, webhook_id=row.webhook_id, delivery_id=row.id)
    await asked(edge, row.shard, ask, AskDone)
    await audit.note(edge, caller, "webhook.redelivered", row.webhook_id, {"delivery": delivery_id})
    return WebhookDeliveryAnswer(
        data=delivery_detail(await _delivery(edge, caller, delivery_id)), message=localized(confirmations.SENT_AGAIN)
    )


async def _delivery(edge: Edge, caller: Caller, delivery_id: str) -> WebhookDelivery:
    caller.require("webhooks")
    row = await store_webhooks.delivery_by_id(edge.database, caller.customer_id, stored_id(delivery_id))
    if row is None:
        raise Refusal(ApiError.NOT_FOUND, what="delivery")
    await definitions.found(edge, caller, row.webhook_id)
    return row


router = Router(
    path="/api/customer/whatsapp/webhooks",
    route_handlers=[
        list_webhooks,
        create_webhook,
        get_webhook,
        update_webhook,
        delete_webhook,
        test_webhook,
        rotate_webhook_secret,
        replay_webhook,
        list_webhook_deliveries,
        get_webhook_delivery,
        redeliver_webhook,
    ],
    tags=["Webhooks"],
)
