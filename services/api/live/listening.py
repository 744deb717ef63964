"""Follows a listener from its cursor on: what it missed from the log, then from memory, then live, without a seam."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import nats.errors

from libs.contracts.ids import UPDATES, new_id
from libs.runtime.bus import Bus, BusDown
from libs.runtime.replay import ReplayBroken, log_of, stored_after
from services.api.live.filters import Cursor
from services.api.live.hub import Hub, Listener, LiveFrame
from services.api.times import iso, now

PING_EVERY_S = 20.0
REPLAY_RETRY_S = 0.5
READY_TIMEOUT_S = 5.0
OTHER_LOG, TOO_OLD, PAST_END = "other_log", "too_old", "past_end"


class Ping(msgspec.Struct, frozen=True):
    """Nothing has happened; everything up to `cursor` has been told. A stream without a cursor begins with one."""

    cursor: Cursor

    @property
    def text(self) -> str:
        """The ping as it is sent."""
        return f'{{"type":"ping","cursor":"{self.cursor}"}}'


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What follows `since` cannot be told in full; the stream goes on after `cursor`."""

    cursor: Cursor
    since: str
    reason: str
    """`too_old` (the log no longer reaches back), `other_log` (the log was made anew) or `past_end`."""

    @property
    def text(self) -> str:
        """The gap as it is sent: a frame like the others, of no session."""
        body = {
            "id": new_id("gap"),
            "cursor": str(self.cursor),
            "type": "gap",
            "sessionId": None,
            "occurredAt": iso(now()),
            "data": {"since": self.since, "reason": self.reason},
            "v": 1,
        }
        return msgspec.json.encode(body).decode()


Told = LiveFrame | Gap | Ping


class Listening:
    """One listener's way through the log. `position` is the sequence up to which everything has been told."""

    def __init__(self, hub: Hub, bus: Bus, listener: Listener) -> None:
        self._hub, self._bus, self._listener = hub, bus, listener
        self._ping_due = False
        self._gap: Gap | None = None
        self.position = 0

    @property
    def cursor(self) -> Cursor:
        """Where a listener that got everything so far may resume."""
        return Cursor(self._hub.log, self.position)

    async def begin(self, since: Cursor | None) -> None:
        """Find where the telling begins: now, or after `since`. Raises BusDown when the log cannot be asked."""
        hub = self._hub
        if not await hub.ready(READY_TIMEOUT_S):
            raise BusDown
        if since is None:
            self.position = hub.position
            self._ping_due = True  # else one that is cut off before its first frame does not know where to resume
        elif since.log == hub.log and hub.remembers(since.position) and since.position <= hub.position:
            self.position = since.position
        else:
            await self._begin_in_log(since)

    async def _begin_in_log(self, since: Cursor) -> None:
        try:
            log = await log_of(self._bus, UPDATES)
        except (nats.errors.Error, TimeoutError, LookupError) as error:
            raise BusDown from error
        if since.log != log.name:
            self._skip(since, self._hub.position, OTHER_LOG)
        elif since.position > log.last:
            self._skip(since, self._hub.position, PAST_END)
        elif since.position < log.first - 1:
            self._skip(since, log.first - 1, TOO_OLD)
        else:
            self.position = since.position

    def _skip(self, since: Cursor, position: int, reason: str) -> None:
        self.position = position
        self._gap = Gap(cursor=self.cursor, since=str(since), reason=reason)

    async def told(self) -> AsyncGenerator[Told]:
        """Everything that the listener is to be told, in order, each frame once; ends when the listener has ended."""
        hub, listener = self._hub, self._listener
        with hub.admitted(listener):
            if self._gap is not None:
                yield self._gap
            async for frame in self._missed():
                yield frame
            hub.attach(listener)
            async for item in self._live():
                yield item

    async def _missed(self) -> AsyncGenerator[LiveFrame]:
        """Everything above `position` up to where the hub is. No await may come between its end and `attach`."""
        hub, chosen, listener = self._hub, self._listener.chosen, self._listener
        while listener.ended is None:
            if not hub.remembers(self.position):
                async for frame in self._stored():
                    yield frame
                continue
            recent = hub.recent(chosen, self.position)
            if not recent:
                self.position = max(self.position, hub.position)
                return
            for frame in recent:
                self.position = frame.seq
                yield frame

    async def _stored(self) -> AsyncGenerator[LiveFrame]:
        """What the log holds above `position`. When it has all come, `position` is where the hub was at the start."""
        hub, chosen = self._hub, self._listener.chosen
        log, reached = hub.log, hub.position
        try:
            async for seq, message in stored_after(
                self._bus, UPDATES, f"updates.*.{chosen.customer_id}.>", self.position
            ):
                if self._listener.ended is not None:
                    return
                self.position = seq
                frame = LiveFrame(log, seq, (message.headers or {})["Nats-Subject"], message.data)
                if chosen.takes(frame.session_id, frame.type):
                    yield frame
            self.position = max(self.position, reached)
        except (ReplayBroken, BusDown):
            await asyncio.sleep(REPLAY_RETRY_S)  # NATS is away or slow: go on from where it broke

    async def _live(self) -> AsyncGenerator[LiveFrame | Ping]:
        listener, hub = self._listener, self._hub
        timer = self._next_ping()
        try:
            while listener.ended is None:
                if self._ping_due:
                    self._ping_due, timer = False, self._next_ping()
                    yield Ping(self.cursor)
                elif listener.waiting:
                    frame = listener.waiting.popleft()
                    if frame.seq > self.position:
                        self.position = frame.seq
                        yield frame
                else:
                    self.position = max(self.position, hub.position)
                    listener.wake.clear()
                    await listener.wake.wait()
        finally:
            timer.cancel()

    def _next_ping(self) -> asyncio.TimerHandle:
        def due() -> None:
            self._ping_due = True
            self._listener.wake.set()

        return asyncio.get_running_loop().call_later(PING_EVERY_S, due)
