"""Every webhook of the deployment as this process knows it: kept in memory, looked at again when one changes.

A change is announced by a broadcast, which may get lost, so the one counter of all changes is read every two seconds
too. Nothing is lost in between: see `webhooks.py` on starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import nats.errors
from nats.aio.msg import Msg

from libs.contracts.ids import CACHE_DROPPED
from libs.contracts.webhooks import VERSIONS_ID, Webhook, is_working
from libs.runtime import logs
from libs.runtime.bus import Bus
from libs.runtime.feeds import is_infrastructure
from services.status.webhooks.store import WebhookStore

LOOK_EVERY_S = 2.0
CLOCKS_APART = timedelta(minutes=5)
"""Another replica may have dated its word that a webhook is disabled so much earlier."""


class Definitions:
    """The definitions up to `version`, deleted ones too: lines ask what became of them."""

    def __init__(self, store: WebhookStore, bus: Bus) -> None:
        self._store, self._bus = store, bus
        self._webhooks: dict[str, Webhook] = {}
        self._of: dict[str, dict[str, Webhook]] = {}
        self._redirected: dict[str, int] = {}
        self._disabled: dict[str, int] = {}
        self._disabled_until: datetime | None = None
        self._poke = asyncio.Event()
        self._reading = asyncio.Lock()
        self._watchers: set[Callable[[], None]] = set()
        self.version = 0

    async def load(self) -> None:
        """Read all of them, and listen for changes."""
        await self.refresh()
        with contextlib.suppress(nats.errors.Error):
            await self._bus.nats.subscribe(CACHE_DROPPED, cb=self._heard)

    async def run(self) -> None:
        """Keep up with changes until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._poke.wait()
            self._poke.clear()
            try:
                await self.refresh()
            except Exception as error:
                if not is_infrastructure(error):
                    logs.get().exception("the definitions of webhooks could not be read")

    async def refresh(self) -> None:
        """Know every change that was made before this call. Raises PyMongoError."""
        async with self._reading:
            version = await self._store.version()
            changed = await self._store.changed_after(self.version) if version > self.version else []
            disabled = await self._store.disabled_after(self._disabled_until)
            known = {each.id: each.disabled_start for each in disabled}
            is_news = bool(changed) or any(self._disabled.get(each, 0) < start for each, start in known.items())
            for webhook in changed:
                self._learn(webhook)
            self._disabled |= {each: max(start, self._disabled.get(each, 0)) for each, start in known.items()}
            self._note_time(each.disabled_at for each in disabled)
            self.version = max(version, self.version, *(webhook.version for webhook in changed))
        if is_news:
            self._tell()

    async def say_changed(self) -> None:
        """Have every replica look again."""
        await self._bus.broadcast(CACHE_DROPPED, VERSIONS_ID.encode())

    def disable(self, webhook: Webhook) -> None:
        """This start of the webhook has ended: known here at once."""
        self._disabled[webhook.id] = max(webhook.start.number, self._disabled.get(webhook.id, 0))
        self._tell()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called after every change."""
        self._watchers.add(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call it no more."""
        self._watchers.discard(watcher)

    # --- Asking ------------------------------------------------------------------------------------------------------

    def get(self, webhook_id: str) -> Webhook | None:
        """The webhook, whatever its state."""
        return self._webhooks.get(webhook_id)

    def working(self, webhook_id: str) -> Webhook | None:
        """The webhook if it is to be sent anything."""
        webhook = self._webhooks.get(webhook_id)
        return webhook if webhook is not None and self._works(webhook) else None

    def working_of(self, customer_id: str) -> list[Webhook]:
        """The customer's webhooks that are to be sent anything."""
        return [webhook for webhook in self._of.get(customer_id, {}).values() if self._works(webhook)]

    def changed_after(self, version: int) -> list[Webhook]:
        """Those above this version, deleted ones too."""
        return [webhook for webhook in self._webhooks.values() if webhook.version > version]

    def begun_after(self, version: int) -> list[Webhook]:
        """Those that work, with a start or a replay above this version."""
        return [each for each in self._webhooks.values() if each.begun_after(version) and self._works(each)]

    def redirected_after(self, version: int) -> list[Webhook]:
        """Those that work, and whose address or order has changed above this version, as this process has seen."""
        ids = [webhook_id for webhook_id, at in self._redirected.items() if at > version]
        return [webhook for webhook_id in ids if (webhook := self.working(webhook_id)) is not None]

    def _works(self, webhook: Webhook) -> bool:
        return is_working(webhook, self._disabled.get(webhook.id, 0))

    # --- Learning ----------------------------------------------------------------------------------------------------

    def _learn(self, webhook: Webhook) -> None:
        before = self._webhooks.get(webhook.id)
        if before is not None and (before.url, before.ordered) != (webhook.url, webhook.ordered):
            self._redirected[webhook.id] = webhook.version
        self._webhooks[webhook.id] = webhook
        own = self._of.setdefault(webhook.customer_id, {})
        if webhook.deleted_at is None:
            own[webhook.id] = webhook
        else:
            own.pop(webhook.id, None)

    def _note_time(self, times: Iterable[datetime | None]) -> None:
        latest = max((at for at in times if at is not None), default=None)
        if latest is not None:
            self._disabled_until = max(latest - CLOCKS_APART, self._disabled_until or latest - CLOCKS_APART)

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    async def _heard(self, message: Msg) -> None:
        if message.data == VERSIONS_ID.encode():
            self._poke.set()
