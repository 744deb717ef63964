"""Whether a listener may still listen: asked at each ping, and as soon as what stands behind its credential changes."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator

from pymongo.errors import PyMongoError

from libs.runtime.bus import BusDown
from libs.runtime.tasks import end
from services.api.access.callers import Caller
from services.api.access.gate import caller_behind
from services.api.billing.standings import customer_subject
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.live.hub import Listener

UNAUTHORIZED = 4401


class Entitlement:
    """The right with which a stream was opened; `listener` is ended with UNAUTHORIZED once it holds no more."""

    def __init__(self, edge: Edge, caller: Caller, listener: Listener) -> None:
        self._edge, self._caller, self._listener = edge, caller, listener
        self._context = contextvars.copy_context()  # a key's addresses are compared with the client's
        self._asking: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """End the listener at once when the right ends, here or at another edge, while the block runs."""
        with self._edge.memory.watching(_subjects_of(self._caller), self._ask_soon):
            await self.ask()  # it may have ended since the stream was asked for
            try:
                yield
            finally:
                await end(*self._asking)

    async def ask(self) -> None:
        """End the listener unless the right still holds."""
        if not await self._holds():
            self._listener.end(UNAUTHORIZED)

    def _ask_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.ask(), context=self._context)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _holds(self) -> bool:
        """Whether whoever listens may do and see what it could; while NATS or MongoDB is away, it is believed to."""
        caller = self._caller
        try:
            present = await caller_behind(
                self._edge, key_hash=caller.key_hash, login_id=caller.login_id, customer_id=caller.customer_id
            )
        except Refusal:  # the customer is suspended, or the address no longer on the key's list
            return False
        except (BusDown, PyMongoError):
            return True
        return present is not None and present.has_rights_of(caller)


def _subjects_of(caller: Caller) -> list[str]:
    """What is broadcast when the credential, or what it may do, changes."""
    behind = f"key/{caller.key_id}" if caller.key_id is not None else f"user/{caller.user_id}"
    return [behind, customer_subject(caller.customer_id)]
