"""Answers what the edge asks about webhooks: send a test, send a delivery again."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from libs.contracts.calls import (
    AnyWebhookAnswer,
    AnyWebhookAsk,
    AskDone,
    AskFailed,
    RedeliverFrame,
    TryWebhook,
    WebhookTried,
)
from libs.contracts.ids import new_id
from libs.contracts.times import iso
from libs.contracts.webhooks import Webhook
from libs.runtime import logs
from libs.runtime.bus import encode
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import Lease
from services.status.webhooks.courier import Courier, test_body
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.lines import Lines
from services.status.webhooks.store import WebhookStore

ASKS_AT_ONCE = 8

NOT_NOW = AskFailed(code="TEMPORARY", detail="The service is not complete at the moment; try again.")

_decode = msgspec.json.Decoder(AnyWebhookAsk).decode


class WebhookAsks:
    """The edge's questions to the owner of one shard."""

    def __init__(
        self, lease: Lease, definitions: Definitions, store: WebhookStore, courier: Courier, lines: Lines
    ) -> None:
        self._lease, self._definitions, self._store = lease, definitions, store
        self._courier, self._lines = courier, lines

    async def on_request(self, request: bytes) -> bytes:
        """The handler of the subject: always answers."""
        try:
            ask = _decode(request)
        except msgspec.MsgspecError:
            return encode(AskFailed(code="NOT_POSSIBLE", detail="This question is not understood here."))
        return encode(await self.answer(ask))

    async def answer(self, ask: AnyWebhookAsk) -> AnyWebhookAnswer:
        """Carry it out, or say why not; never raises."""
        try:
            return await self._answer(ask)
        except Exception as error:
            if not is_infrastructure(error):
                logs.get().exception("a question about a webhook failed", webhook=ask.webhook_id)
            return NOT_NOW

    async def _answer(self, ask: AnyWebhookAsk) -> AnyWebhookAnswer:
        await self._lease.until_usable()
        await self._definitions.refresh()
        webhook = self._definitions.get(ask.webhook_id)
        if webhook is None or webhook.customer_id != ask.customer_id or webhook.deleted_at is not None:
            return AskFailed(code="GONE", detail="There is no such webhook.")
        match ask:
            case TryWebhook():
                return await self._try(webhook)
            case RedeliverFrame():
                return await self._redeliver(ask, webhook)

    async def _try(self, webhook: Webhook) -> AnyWebhookAnswer:
        body = test_body(new_id("frm"), iso(datetime.now(UTC)), webhook)
        tried = (await self._courier.test(webhook, body)).attempt
        return WebhookTried(
            duration_ms=tried.duration_ms, status=tried.status, error=tried.error, response=tried.response
        )

    async def _redeliver(self, ask: RedeliverFrame, webhook: Webhook) -> AnyWebhookAnswer:
        if self._definitions.working(webhook.id) is None:
            return AskFailed(code="NOT_POSSIBLE", detail="The webhook is disabled.")
        await self._courier.until_written()  # else the outcome of its last attempt would end it again
        row = await self._store.redeliver(ask.delivery_id, ask.customer_id, self._lease.epoch, datetime.now(UTC))
        if row is None or row.shard != self._lease.shard:
            return AskFailed(code="GONE", detail="There is no such delivery.")
        self._lines.look_at(webhook.id, row.session_id, ordered=webhook.ordered)
        return AskDone()
