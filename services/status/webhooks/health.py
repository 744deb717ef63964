"""How endpoints do: who fails, since when, who is given up, and the notice that says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo.asynchronous.collection import AsyncCollection

from libs.contracts.events import CustomerNotified
from libs.contracts.times import iso, iso_or_none
from libs.contracts.webhooks import Webhook, WebhookHealth
from libs.runtime import logs
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.facts import tell
from libs.runtime.feeds import is_infrastructure
from libs.runtime.mongo import Database, Document, from_document
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.schedule import Outcome, is_given_up

NOTE_EVERY_S = 20.0
"""A webhook's success, or its failure, is written at most so often while nothing changes..."""
LOOKS = 10
"""...but that often before its time is over."""
TELL_EVERY_S = 5.0
DAY_S = 24 * 3600
FAILING, GONE = "FAILING", "GONE"


class Healths:
    """The health of the endpoints that this process sends to; `run` tells what another process could not."""

    def __init__(
        self,
        database: Database,
        definitions: Definitions,
        bus: Bus,
        crash: CrashPoints,
        *,
        shards: int,
        disable_after_days: float,
    ) -> None:
        self._rows: AsyncCollection[Document] = database["webhook_health"]
        self._definitions, self._bus, self._crash = definitions, bus, crash
        self._shards, self._days = shards, disable_after_days
        self._note_every_s = min(NOTE_EVERY_S, disable_after_days * DAY_S / LOOKS)
        self._failing: set[str] = set()
        self._noted: dict[str, float] = {}

    def is_failing(self, webhook_id: str) -> bool:
        """Whether its last request from here failed."""
        return webhook_id in self._failing

    async def note(self, webhook: Webhook, outcome: Outcome) -> None:
        """Take this outcome into account; disables the webhook when its time is over. Raises PyMongoError."""
        was_failing = webhook.id in self._failing
        (self._failing.discard if outcome.is_delivered else self._failing.add)(webhook.id)
        clock = asyncio.get_running_loop().time()
        is_news = was_failing == outcome.is_delivered or outcome.is_gone
        if not is_news and clock - self._noted.get(webhook.id, -NOTE_EVERY_S) < self._note_every_s:
            return
        self._noted[webhook.id] = clock
        if outcome.is_delivered:
            await self._note_success(webhook)
        else:
            await self._note_failure(webhook, outcome)

    async def run(self) -> None:
        """Tell every now and then what is untold, until cancelled."""
        while True:
            try:
                await self.tell_untold()
            except Exception as error:
                if not is_infrastructure(error):
                    logs.get().exception("a notice about a webhook could not be told")
            await asyncio.sleep(TELL_EVERY_S)

    async def tell_untold(self) -> None:
        """Publish the notices that are stored and not told. May run twice: readers know each by its id."""
        async for row in self._rows.find({"untold.id": {"$type": "string"}}):
            fact = msgspec.convert(row["untold"], CustomerNotified)
            await tell(self._bus, [fact], self._shards)
            await self._rows.update_one({"_id": row["_id"], "untold.id": fact.id}, {"$unset": {"untold": ""}})

    async def _note_success(self, webhook: Webhook) -> None:
        well = {"customerId": webhook.customer_id, "lastSuccessAt": _now(), "failingSince": None}
        await self._rows.update_one({"_id": webhook.id}, {"$set": well}, upsert=True)

    async def _note_failure(self, webhook: Webhook, outcome: Outcome) -> None:
        at = _now()
        failed: dict[str, Any] = {
            "customerId": webhook.customer_id,
            "lastFailureAt": at,
            "lastError": {"$literal": outcome.attempt.error},
            "failingSince": {"$ifNull": ["$failingSince", at]},
        }
        row = await self._rows.find_one_and_update(
            {"_id": webhook.id}, [{"$set": failed}], upsert=True, return_document=True
        )
        health = from_document(WebhookHealth, row or {})
        since = max(health.failing_since or at, webhook.enabled_at)
        if outcome.is_gone:
            await self._disable(webhook, health, GONE, at)
        elif is_given_up(since, health.last_success_at, at, days=self._days):
            await self._disable(webhook, health, FAILING, at)

    async def _disable(self, webhook: Webhook, health: WebhookHealth, reason: str, at: datetime) -> None:
        """End this start of the webhook, and store with it what is to be told."""
        changes = {"disabledAt": at, "disabledReason": reason, "disabledStart": webhook.start.number}
        fact = _notice(webhook, health, reason, at)
        untold = msgspec.to_builtins(fact, builtin_types=(datetime,))
        await self._rows.update_one(
            {"_id": webhook.id, "disabledStart": {"$not": {"$gte": webhook.start.number}}},
            {"$set": {**changes, "untold": untold}},
        )
        self._crash.at("status.webhook_disabled")
        logs.get().warning("a webhook is disabled", webhook=webhook.id, reason=reason)
        self._definitions.disable(webhook)
        await self._definitions.say_changed()
        await self.tell_untold()


def _notice(webhook: Webhook, health: WebhookHealth, reason: str, at: datetime) -> CustomerNotified:
    return CustomerNotified(
        id=f"{webhook.id}/disabled/{webhook.start.number}",
        customer_id=webhook.customer_id,
        session_id=webhook.customer_id,
        at=at,
        update="webhook.disabled",
        data={
            "webhookId": webhook.id,
            "url": webhook.url,
            "reason": reason,
            "error": health.last_error,
            "failingSince": iso_or_none(health.failing_since),
            "disabledAt": iso(at),
        },
    )


def _now() -> datetime:
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
