"""A shard's webhooks: what stands in UPDATES becomes deliveries, and deliveries are sent, as long as the lease holds.

A webhook gets every frame from its start on, though its definition may be heard of late. When a process learns of a
start, the frames that the shard handled before without it are read back from UPDATES and made up for; until then
nothing is sent to it, so that the order holds. How far a shard knows of starts is stored, for the next owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from libs.contracts.ids import UPDATES, shard_token, webhook_call_subject
from libs.contracts.updates import Frame
from libs.contracts.webhooks import Webhook, WebhookDelivery, WebhookReplay, WebhookStart, delivery_id
from libs.runtime import logs
from libs.runtime.answering import Answerer
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery, Feed, is_infrastructure
from libs.runtime.replay import Log, ReplayBroken, log_of, stored_after
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end
from services.status.webhooks.asks import ASKS_AT_ONCE, NOT_NOW, WebhookAsks
from services.status.webhooks.courier import AnyFrame, Courier, body_of
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.lines import Lines
from services.status.webhooks.store import WebhookStore

AGAIN_S = 0.5
AT_ONCE = 500
"""Rows that are stored in one go while frames are made up for."""

_decode = msgspec.json.Decoder(Frame[msgspec.Raw]).decode


class ShardWebhooks:
    """The deliveries of one shard under a lease."""

    def __init__(
        self,
        lease: Lease,
        *,
        bus: Bus,
        definitions: Definitions,
        store: WebhookStore,
        courier: Courier,
        crash: CrashPoints,
    ) -> None:
        self._lease, self._bus, self._definitions, self._store = lease, bus, definitions, store
        self._courier, self._crash = courier, crash
        self._lines = Lines(lease, store, courier)
        self._log = Log(name="", first=0, last=0)
        self._known = self._seen = 0
        self._held: set[str] = set()
        """The webhooks to be released once they are followed."""
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        asks = WebhookAsks(lease, definitions, store, courier, self._lines)
        subject = webhook_call_subject(lease.shard)
        self._answerer = Answerer(bus, subject, asks.on_request, at_once=ASKS_AT_ONCE, cut_off=NOT_NOW)
        self.feed = Feed[AnyFrame](
            stream=UPDATES,
            subjects=[f"updates.{shard_token(lease.shard)}.>"],
            types=Frame[msgspec.Raw],
            handle=self.take,
        )

    async def start(self) -> None:
        """Take up what a former owner left: deliveries that wait, and starts that the shard does not know of."""
        self._log = await log_of(self._bus, UPDATES)
        self._known, self._seen = await self._store.known_to(self._lease.shard), self._definitions.version
        self._definitions.watch(self._notice)
        self._notice()
        for webhook_id, session_id in await self._store.lines(self._lease.shard):
            webhook = self._definitions.working(webhook_id)
            if webhook is not None:
                self._lines.look_at(webhook_id, session_id, ordered=webhook.ordered)
        await self._answerer.start()
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End every request and every wait."""
        self._definitions.unwatch(self._notice)
        await self._answerer.stop()
        if self._following is not None:
            await end(self._following)
        await self._lines.stop()

    # --- Frames ------------------------------------------------------------------------------------------------------

    async def take(self, batch: list[Delivery[AnyFrame]]) -> None:
        """The feed's handler: store what is to be delivered of these frames; then it is sent, beside the feed."""
        rows = [row for each in batch for row in self._rows(each.message, each.subject, each.seq)]
        if not rows:
            return
        added = {row.id for row in await self._store.add(rows)}
        self._crash.at("status.after_deliveries")
        rows.sort(key=lambda row: (row.webhook_id, row.session_id, row.seq))
        for (webhook_id, session_id), group in groupby(rows, key=lambda row: (row.webhook_id, row.session_id)):
            self._offer(webhook_id, session_id, list(group), added)

    def _offer(self, webhook_id: str, session_id: str, rows: list[WebhookDelivery], added: set[str]) -> None:
        webhook = self._definitions.working(webhook_id)
        if webhook is None:
            return
        if all(row.id in added for row in rows):
            self._lines.offer(webhook_id, ordered=webhook.ordered, rows=rows)
        else:  # the batch was handled before: what became of it then is in MongoDB
            self._lines.look_at(webhook_id, session_id, ordered=webhook.ordered)

    def _rows(self, frame: AnyFrame, subject: str, seq: int) -> list[WebhookDelivery]:
        # updates.<shard>.<customer>.<session>.<two tokens of type>
        _, _, customer_id, session_id, _ = subject.split(".", 4)
        wanting = [
            webhook
            for webhook in self._definitions.working_of(customer_id)
            if webhook.takes(frame.session_id, frame.type) and webhook.has_begun(self._log.name, seq)
        ]
        payload = self._payload(frame, seq) if wanting else ""
        return [self._row(webhook, frame, session_id, seq, payload, webhook.number) for webhook in wanting]

    def _payload(self, frame: AnyFrame, seq: int) -> str:
        return msgspec.json.encode(body_of(frame, self._log.name, seq)).decode()

    def _row(
        self, webhook: Webhook, frame: AnyFrame, session_id: str, seq: int, payload: str, number: int
    ) -> WebhookDelivery:
        at = datetime.now(UTC)
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        return WebhookDelivery(
            id=delivery_id(webhook.id, frame.id),
            customer_id=webhook.customer_id,
            webhook_id=webhook.id,
            session_id=session_id,
            shard=self._lease.shard,
            epoch=self._lease.epoch,
            frame_id=frame.id,
            frame_type=frame.type,
            seq=seq,
            start=number,
            payload=payload,
            next_at=at,
            created_at=at,
        )

    # --- Changes of definitions --------------------------------------------------------------------------------------

    def _notice(self) -> None:
        """Something has changed: what begins or is pointed elsewhere is sent nothing, from this very step on."""
        for webhook_id in self._unfollowed():
            self._lines.hold(webhook_id)
            self._held.add(webhook_id)
        self._changed.set()

    def _unfollowed(self) -> set[str]:
        """The webhooks with a start, a replay or another address that this shard has not followed yet."""
        changed = self._definitions.begun_after(self._known) + self._definitions.redirected_after(self._seen)
        return {webhook.id for webhook in changed}

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._settle()
            except LeaseLost:
                return
            except Exception as error:
                if not is_infrastructure(error) and not isinstance(error, ReplayBroken):
                    logs.get().exception("a change of webhooks could not be followed; it is tried again")
                self._changed.set()
                await asyncio.sleep(AGAIN_S)

    async def _settle(self) -> None:
        """Do what the changes ask for that this shard has not followed yet. May run twice."""
        version = self._definitions.version
        begun = self._definitions.begun_after(self._known)
        redirected = self._definitions.redirected_after(self._seen)
        if begun or redirected:  # they are held: an outcome that is stored later would undo what is stored here
            await self._lines.until_quiet()
            await self._courier.until_written()
        for webhook in self._definitions.changed_after(self._seen):
            if webhook.deleted_at is not None:
                self._lines.hold(webhook.id)
                await self._store.forget(webhook.id, self._lease.shard)
        for webhook in begun:
            for start in webhook.begun_after(self._known):
                await self._make_up_for(webhook, start)
        if begun and not await self._store.note_known(self._lease.shard, version, self._lease.epoch):
            raise LeaseLost(self._lease.shard, self._lease.epoch)
        for webhook in begun + redirected:
            await self._store.hasten(webhook.id, self._lease.shard, self._lease.epoch, datetime.now(UTC))
        self._known, self._seen = max(self._known, version) if begun else self._known, version
        for webhook_id in self._held - self._unfollowed():
            await self._release(webhook_id)

    async def _release(self, webhook_id: str) -> None:
        """Send again, unless something has changed meanwhile that must be followed first."""
        await self._lines.until_quiet()
        sessions = await self._store.lines_of(self._lease.shard, webhook_id)
        if webhook_id in self._unfollowed():
            return
        webhook = self._definitions.get(webhook_id)
        self._held.discard(webhook_id)
        self._lines.release(webhook_id, sessions, ordered=webhook is None or webhook.ordered)

    async def _make_up_for(self, webhook: Webhook, start: WebhookStart) -> None:
        """Store what is to be delivered of the frames since this start or replay, up to now.

        Frames that come later find it among the definitions. Raises BusDown, ReplayBroken, PyMongoError, LeaseLost.
        """
        self._log = await log_of(self._bus, UPDATES)
        since = start.since if start.log == self._log.name else 0
        until = start.until if isinstance(start, WebhookReplay) and start.log == self._log.name else 0
        subject = f"updates.{shard_token(self._lease.shard)}.{webhook.customer_id}.>"
        rows: list[WebhookDelivery] = []
        async for seq, message in stored_after(self._bus, UPDATES, subject, since):
            frame = _decode(message.data)
            _, _, _, session_id, _ = (message.headers or {})["Nats-Subject"].split(".", 4)
            if webhook.takes(frame.session_id, frame.type):
                rows.append(self._row(webhook, frame, session_id, seq, self._payload(frame, seq), start.number))
            if len(rows) >= AT_ONCE:
                await self._store_made_up(rows, until)
                rows = []
        await self._store_made_up(rows, until)

    async def _store_made_up(self, rows: Sequence[WebhookDelivery], until: int) -> None:
        await self._lease.until_usable()
        await self._store.add_again([row for row in rows if row.seq <= until])
        await self._store.add([row for row in rows if row.seq > until])
