"""The lines of waiting deliveries of one shard: in order for each webhook and session, or each for itself."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from libs.contracts.webhooks import PENDING, WebhookDelivery
from libs.runtime import logs
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end
from services.status.webhooks.courier import Courier
from services.status.webhooks.store import WebhookStore

LOOK_AHEAD = 50
"""Deliveries of a line that are held in memory; the others wait in MongoDB."""
AT_ONCE = 50
"""Deliveries of an unordered webhook, in one shard, that are on their way or wait for a place."""
AGAIN_S = 1.0

Ended = Callable[["Line"], None]

Key = tuple[str, str | None]
"""Webhook and session; None stands for all sessions of an unordered webhook."""


class Line(ABC):
    """Deliveries of one webhook, worked off until none is pending; `ended` is called then, in the same step."""

    taken_to = 0
    """The highest sequence that it has read or was given."""

    def __init__(self, key: Key, lease: Lease, store: WebhookStore, courier: Courier, ended: Ended) -> None:
        self.key, self._lease, self._store, self._courier, self._ended = key, lease, store, courier, ended
        self._wake = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    @abstractmethod
    def offer(self, rows: Sequence[WebhookDelivery]) -> None:
        """These were stored just now."""

    @abstractmethod
    def look_again(self) -> None:
        """What is pending is not what it was: read it anew, and try at once what is due now."""

    async def stop(self) -> None:
        """End it at once; a request that is on its way is given up, and will be made again."""
        await end(self.task)

    @abstractmethod
    async def _work(self) -> None:
        """Until nothing is pending. Raises LeaseLost, and errors of MongoDB."""

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
                return
            except LeaseLost:
                self._ended(self)
                return
            except Exception as error:
                if not is_infrastructure(error):
                    logs.get().exception("a line of deliveries failed; it goes on")
            self.look_again()
            await asyncio.sleep(AGAIN_S)

    async def _woken_within(self, wait_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        return self._wake.is_set()


class OrderedLine(Line):
    """One session's frames for one webhook: the next leaves when the one before is settled."""

    def __init__(
        self,
        webhook_id: str,
        session_id: str,
        *,
        lease: Lease,
        store: WebhookStore,
        courier: Courier,
        ended: Ended,
        first: Sequence[WebhookDelivery] = (),
    ) -> None:
        self._webhook_id, self._session_id = webhook_id, session_id
        self._ready = deque(first)
        self.taken_to = first[-1].seq if first else 0
        self._behind = not first
        """Whether MongoDB holds more than is in memory."""
        self._is_reading = False
        super().__init__((webhook_id, session_id), lease, store, courier, ended)

    def offer(self, rows: Sequence[WebhookDelivery]) -> None:
        """Take them, unless there are too many, or others before them that are not in memory."""
        new = [row for row in rows if row.seq > self.taken_to]
        if self._behind or self._is_reading or len(self._ready) + len(new) > LOOK_AHEAD:
            self._behind = True
        elif new:
            self._ready.extend(new)
            self.taken_to = new[-1].seq

    def look_again(self) -> None:
        """Forget what is in memory."""
        self._ready.clear()
        self._behind = True
        self._wake.set()

    async def _work(self) -> None:
        while True:
            if not self._ready and self._behind:
                await self._read()
            if self._ready:
                if not await self._settled(self._ready.popleft()):
                    break
            elif not self._behind:
                break
        self._ended(self)

    async def _read(self) -> None:
        """What is offered, or to be looked at again, meanwhile sets `_behind` for another read."""
        self._wake.clear()
        self._behind, self._is_reading = False, True
        try:
            rows = await self._store.pending_in_order(self._lease.shard, self._webhook_id, self._session_id, LOOK_AHEAD)
        finally:
            self._is_reading = False
        if self._wake.is_set():
            return
        self._ready.extend(rows)
        self.taken_to = max([self.taken_to, *(row.seq for row in rows[-1:])])
        self._behind = self._behind or len(rows) == LOOK_AHEAD

    async def _settled(self, row: WebhookDelivery) -> bool:
        """Try it until it is delivered or given up, or something has changed; False: the webhook does not work now."""
        while row.status == PENDING:
            wait_s = (row.next_at - datetime.now(UTC)).total_seconds()
            if wait_s > 0 and await self._woken_within(wait_s):
                return True
            after = await self._courier.attempt(row, self._lease)
            if after is None:
                return False
            row = after
        return True


class LooseLine(Line):
    """All frames of one webhook in this shard: each is sent as soon as it is due, whatever becomes of the others."""

    def __init__(self, webhook_id: str, *, lease: Lease, store: WebhookStore, courier: Courier, ended: Ended) -> None:
        self._webhook_id = webhook_id
        self._on_their_way: dict[str, asyncio.Task[None]] = {}
        self._is_over = False
        super().__init__((webhook_id, None), lease, store, courier, ended)

    def offer(self, rows: Sequence[WebhookDelivery]) -> None:
        """They are read with the others."""
        self._wake.set()

    def look_again(self) -> None:
        """The same."""
        self._wake.set()

    async def stop(self) -> None:
        """End those that are on their way too."""
        await super().stop()
        await end(*self._on_their_way.values())

    async def _work(self) -> None:
        while not self._is_over:
            self._wake.clear()
            wait_s = await self._send_what_is_due()
            if wait_s is None and not self._on_their_way and not self._wake.is_set():
                break
            await self._woken_within(wait_s if wait_s is not None else AGAIN_S)
        self._ended(self)

    async def _send_what_is_due(self) -> float | None:
        """Seconds until the next one is due; None when none is pending but those on their way."""
        room = AT_ONCE - len(self._on_their_way)
        if room <= 0:
            return AGAIN_S
        rows = await self._store.pending_soonest(
            self._lease.shard, self._webhook_id, room, but=list(self._on_their_way)
        )
        now = datetime.now(UTC)
        for row in rows:
            if row.next_at > now:
                return (row.next_at - now).total_seconds()
            self._on_their_way[row.id] = asyncio.create_task(self._send(row))
        return 0.0 if len(rows) == room else None

    async def _send(self, row: WebhookDelivery) -> None:
        try:
            self._is_over = self._is_over or await self._courier.attempt(row, self._lease) is None
        except LeaseLost:
            self._is_over = True
        except Exception:
            logs.get().exception("a delivery failed; it is tried again")
            await asyncio.sleep(AGAIN_S)
        finally:
            del self._on_their_way[row.id]
            self._wake.set()


class Lines:
    """The lines of one shard that have work."""

    def __init__(self, lease: Lease, store: WebhookStore, courier: Courier) -> None:
        self._lease, self._store, self._courier = lease, store, courier
        self._lines: dict[Key, Line] = {}
        self._held: dict[str, set[str]] = {}
        """The webhooks that are held, each with the sessions of which something was offered meanwhile."""
        self._ending: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._read_to = 0
        """The highest sequence that an ended line has taken: what is offered only now may have been read and sent."""

    def offer(self, webhook_id: str, *, ordered: bool, rows: Sequence[WebhookDelivery]) -> None:
        """These, of one session, were stored just now, and are the latest of it."""
        if self._is_held(webhook_id, rows[0].session_id):
            return
        session_id = rows[0].session_id if ordered else None
        line = self._lines.get((webhook_id, session_id))
        if line is not None:
            line.offer(rows)
        else:
            is_new = rows[0].seq > self._read_to and len(rows) <= LOOK_AHEAD
            self._open(webhook_id, session_id, first=rows if is_new else ())

    def look_at(self, webhook_id: str, session_id: str, *, ordered: bool) -> None:
        """Something may be pending there that was not offered."""
        if self._is_held(webhook_id, session_id):
            return
        key = (webhook_id, session_id if ordered else None)
        line = self._lines.get(key)
        if line is not None:
            line.look_again()
        else:
            self._open(*key)

    def hold(self, webhook_id: str) -> None:
        """Send nothing to this webhook until it is released; requests on their way are given up."""
        self._held.setdefault(webhook_id, set())
        for key in [key for key in self._lines if key[0] == webhook_id]:
            stopping = asyncio.create_task(self._lines.pop(key).stop())
            self._ending.add(stopping)
            stopping.add_done_callback(self._ending.discard)

    async def until_quiet(self) -> None:
        """Wait until no request is on its way any more that was given up."""
        if self._ending:
            await asyncio.wait(set(self._ending))

    def release(self, webhook_id: str, sessions: Sequence[str], *, ordered: bool) -> None:
        """Send again what is pending of these sessions, and what was offered since it was held."""
        offered = self._held.pop(webhook_id, set())
        for session_id in offered.union(sessions):
            self.look_at(webhook_id, session_id, ordered=ordered)

    async def stop(self) -> None:
        """End all of them."""
        self._stopped = True
        await asyncio.gather(*self._ending, *(line.stop() for line in self._lines.values()))
        self._lines.clear()

    def _is_held(self, webhook_id: str, session_id: str) -> bool:
        held = self._held.get(webhook_id)
        if held is not None:
            held.add(session_id)
        return held is not None or self._stopped

    def _open(self, webhook_id: str, session_id: str | None, first: Sequence[WebhookDelivery] = ()) -> None:
        lease, store, courier = self._lease, self._store, self._courier
        if session_id is None:
            line: Line = LooseLine(webhook_id, lease=lease, store=store, courier=courier, ended=self._forget)
        else:
            line = OrderedLine(
                webhook_id, session_id, lease=lease, store=store, courier=courier, ended=self._forget, first=first
            )
        self._lines[line.key] = line

    def _forget(self, line: Line) -> None:
        self._read_to = max(self._read_to, line.taken_to)
        if self._lines.get(line.key) is line:
            del self._lines[line.key]
