"""Webhooks as api makes them, without api; and what must have come to an endpoint, by what stands in UPDATES."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import nats.errors
from msgspec.structs import replace

from libs.contracts.calls import AnyWebhookAnswer, AnyWebhookAsk, RedeliverFrame, TryWebhook
from libs.contracts.ids import CACHE_DROPPED, UPDATES, new_id, shard_of, webhook_call_subject
from libs.contracts.updates import Frame
from libs.contracts.webhooks import VERSIONS_ID, Webhook, WebhookDelivery, WebhookStart
from libs.runtime.bus import Bus
from libs.runtime.crypto import KeyRing
from libs.runtime.mongo import Client, Database, from_documents
from libs.runtime.replay import log_of, stored_after
from services.api.webhooks import definitions, store_webhooks
from tests.integration.status.stream import SHARDS
from tests.processes import PATIENCE_S, TEST_KEYS, eventually
from tests.unit.status.builders import CUSTOMER

LONG_AGO = timedelta(days=30)


class Hooks:
    """Makes and changes webhooks of the tests' customer."""

    def __init__(self, bus: Bus, client: Client, database: Database) -> None:
        self.bus, self.database, self._client = bus, database, client
        self._ring = KeyRing.parse(TEST_KEYS)
        self.secrets: dict[str, str] = {}

    async def make(self, url: str, *, announced: bool = True, **fields: Any) -> Webhook:
        """A new webhook, from now on."""
        webhook_id, log, at = new_id("whk"), await log_of(self.bus, UPDATES), datetime.now(UTC)
        secret, sealed = definitions.new_secret(self._ring, webhook_id)
        given: dict[str, Any] = {
            "id": webhook_id,
            "customer_id": CUSTOMER,
            "url": url,
            "secrets": [sealed],
            "start": WebhookStart(number=1, version=0, log=log.name, since=log.last),
            "version": 0,
            "enabled_at": at - LONG_AGO,
            "created_at": at,
            "updated_at": at,
        }
        made = Webhook(**(given | fields))
        self.secrets[webhook_id] = secret
        stored = await store_webhooks.add_webhook(self._client, self.database, made, most=1_000)
        if announced:
            await self.announce()
        return stored

    async def change(self, webhook: Webhook, change: Callable[[Webhook], Webhook]) -> Webhook:
        """Change it as it is now."""
        changed = await store_webhooks.change_webhook(self._client, self.database, CUSTOMER, webhook.id, change)
        assert changed is not None
        await self.announce()
        return changed

    async def delete(self, webhook: Webhook) -> None:
        """Delete it."""
        await self.change(webhook, lambda now: replace(now, deleted_at=datetime.now(UTC)))

    async def replay(self, webhook: Webhook, since: int) -> Webhook:
        """Have everything above this sequence sent again."""
        log = await log_of(self.bus, UPDATES)
        return await self.change(webhook, lambda now: definitions.replayed(now, log, since=since, at=datetime.now(UTC)))

    async def switch_on(self, webhook: Webhook, *, ended: int = 0) -> Webhook:
        """Switch it on again; `ended`: the start that its failures have ended."""
        log = await log_of(self.bus, UPDATES)
        fields = {"is_enabled": True}
        return await self.change(
            webhook, lambda now: definitions.with_fields(now, fields, log, ended=ended, at=datetime.now(UTC))
        )

    async def rotate(self, webhook: Webhook) -> str:
        """The new secret."""
        secret, sealed = definitions.new_secret(self._ring, webhook.id)
        await self.change(webhook, lambda now: definitions.rotated(now, sealed, datetime.now(UTC)))
        return secret

    async def announce(self) -> None:
        """Say that something has changed."""
        await self.bus.broadcast(CACHE_DROPPED, VERSIONS_ID.encode())

    async def deliveries(self, webhook: Webhook) -> list[WebhookDelivery]:
        """Its log, by place in UPDATES."""
        found = self.database["deliveries"].find({"webhookId": webhook.id}).sort("seq")
        return from_documents(WebhookDelivery, await found.to_list())

    async def statuses(self, webhook: Webhook) -> dict[str, int]:
        """How many of its deliveries are in which state."""
        counts: dict[str, int] = defaultdict(int)
        for row in await self.deliveries(webhook):
            counts[row.status] += 1
        return dict(counts)

    async def health(self, webhook: Webhook) -> dict[str, Any]:
        """How its endpoint does, as it is stored."""
        return await self.database["webhook_health"].find_one({"_id": webhook.id}) or {}

    async def test(self, webhook: Webhook) -> AnyWebhookAnswer:
        """Ask for a test."""
        ask = TryWebhook(customer_id=CUSTOMER, webhook_id=webhook.id)
        return await self._asked(shard_of(webhook.id, SHARDS), ask)

    async def redeliver(self, row: WebhookDelivery, customer_id: str = CUSTOMER) -> AnyWebhookAnswer:
        """Ask for a delivery to be sent again."""
        ask = RedeliverFrame(customer_id=customer_id, webhook_id=row.webhook_id, delivery_id=row.id)
        return await self._asked(row.shard, ask)

    async def _asked(self, shard: int, ask: AnyWebhookAsk) -> AnyWebhookAnswer:
        """The answer, once the shard has an owner."""

        async def answer() -> AnyWebhookAnswer | None:
            try:
                found: AnyWebhookAnswer = await self.bus.ask(
                    webhook_call_subject(shard), ask, AnyWebhookAnswer, timeout_s=PATIENCE_S
                )
            except nats.errors.NoRespondersError:
                return None
            return found

        found = await eventually(answer)
        assert found is not None
        return found


async def due(bus: Bus, webhook: Webhook, *, since: int | None = None) -> dict[str | None, list[int]]:
    """By session, the sequences of the frames that it must have got since its start, in order."""
    after = webhook.start.since if since is None else since
    by_session: dict[str | None, list[int]] = defaultdict(list)
    async for seq, message in stored_after(bus, UPDATES, "updates.>", after):
        frame = msgspec.json.decode(message.data, type=Frame[msgspec.Raw])
        if webhook.takes(frame.session_id, frame.type):
            by_session[frame.session_id].append(seq)
    return dict(by_session)
