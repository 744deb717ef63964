"""One open session of the scripted network: its events go out one after another, and what is refused is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from libs.runtime.tasks import end
from services.sessions.engines import base as engine
from services.sessions.engines.scripted_links import Device

KEPT = engine.Receipt | engine.Message | engine.About | engine.Undecryptable
"""What must be acknowledged, and comes again at the next login when it was not."""


class Socket:
    """One open session."""

    def __init__(
        self, request: engine.Open, handler: engine.Handler, *, taken: Callable[[engine.Event, Socket], None]
    ) -> None:
        self.request, self._handler, self._taken = request, handler, taken
        self.number: str | None = None
        self.codes: list[str] = []
        self.pair_codes: dict[str, str] = {}
        """The number that asked for it, by pairing code."""
        self.pairing: asyncio.Future[Device] | None = None
        """A link that waits for a passkey: done with the device once it is linked."""
        self.pairing_number = ""
        self.challenged = False
        """The passkey was taken, and its code waits to be compared."""
        self._events: asyncio.Queue[tuple[float, engine.Event]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())
        self.refused: list[engine.Event] = []

    @property
    def who(self) -> dict[str, Any]:
        """What each of its events names: session and connection number."""
        return {"session": self.request.session, "connection": self.request.connection}

    @property
    def session(self) -> str:
        """Its session."""
        return self.request.session

    @property
    def connection(self) -> int:
        """Its connection number."""
        return self.request.connection

    def emit(self, event: engine.Event, *, delay_ms: int = 0) -> None:
        """Hand this event to the owner, after those before it, and not before the delay is over."""
        due = asyncio.get_running_loop().time() + delay_ms / 1000 if delay_ms else 0.0
        self._events.put_nowait((due, event))

    async def close(self) -> None:
        """No further event goes out."""
        await end(self._task)
        while not self._events.empty():
            self.refused.append(self._events.get_nowait()[1])

    async def _run(self) -> None:
        while True:
            due, event = await self._events.get()
            try:
                if due:
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                taken = await self._handler(event)
            except asyncio.CancelledError:
                self.refused.append(event)
                raise
            except Exception:
                taken = False
            if taken:
                self._taken(event, self)
            else:
                self.refused.append(event)
