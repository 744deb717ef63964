"""One session's socket at the engine: opened when a login slot is free, through its proxy, and closed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag

from libs.contracts.records import SessionRecord, SessionState
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing, KeyRingError
from libs.runtime.facts import Teller
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end
from services.sessions.engines import base as engine
from services.sessions.fitness import Fitness
from services.sessions.moments import Clock, utc_now
from services.sessions.store import SessionStore

OPEN_TIMEOUT_S = 35.0
CLOSE_TIMEOUT_S = 5.0
LOGIN_WITHIN_S = 20.0
"""A login that said nothing for this long makes room for the next one; its outcome still counts when it comes."""

CONNECTION_ENDS = (
    engine.Disconnected | engine.LoggedOut | engine.Replaced | engine.Banned | engine.Outdated | engine.QrEnded
)
OUR_OWN_REASONS = frozenset({"fenced", "store", "not_open"})
"""Ends of a connect attempt that say nothing about reaching WhatsApp."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's owner works with; shared by all sessions of a shard."""

    store: SessionStore
    teller: Teller
    engine: engine.Engine
    lease: Lease
    logins: asyncio.Semaphore
    fitness: Fitness
    ring: KeyRing
    crash: CrashPoints
    device_name: str
    now: Clock = utc_now


class ProxyUnreadable(Exception):
    """The session's proxy was sealed with a key that this deployment does not have: no connecting around it."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"the proxy of session {session_id} cannot be read")


class Socket:
    """The socket of one session; `number` is its connection number, None while there is none."""

    def __init__(self, ports: Ports, session_id: str, tell: Callable[[engine.Event], None]) -> None:
        self._ports, self._session_id, self._tell = ports, session_id, tell
        self.number: int | None = None
        self.proxy: str | None = None
        """The sealed proxy through which it was opened."""
        self.connected_since: float | None = None
        """When it logged in; monotonic seconds."""
        self._answered = False
        self._settled = asyncio.Event()
        self._login: asyncio.Task[None] | None = None

    def is_current(self, connection: int) -> bool:
        """Whether an event of this connection number still counts."""
        return connection == self.number

    @property
    def fence(self) -> int:
        """What our key writes carry now (engine port, `open`)."""
        return self._ports.lease.epoch << 20 | self._ports.engine.worker_start

    async def open(self, state: SessionState, wish: SessionRecord) -> None:
        """Begin to connect, as soon as fewer than the allowed logins are under way. Raises ProxyUnreadable."""
        proxy = self._unsealed(wish)
        await self._stop_login()
        self._ports.fitness.offline(self._session_id)
        self.number, self.proxy, self.connected_since = state.connection, wish.proxy, None
        self._answered = False
        self._settled = asyncio.Event()
        device_name = wish.device_name or self._ports.device_name
        self._login = asyncio.create_task(self._log_in(state.connection, state.link, device_name, proxy))

    def _unsealed(self, wish: SessionRecord) -> str | None:
        if wish.proxy is None:
            return None
        try:
            return self._ports.ring.open(wish.proxy, about=wish.id).decode()
        except (KeyRingError, InvalidTag, ValueError):
            raise ProxyUnreadable(wish.id) from None

    async def _log_in(self, connection: int, link: int, device_name: str, proxy: str | None) -> None:
        try:
            async with self._ports.logins:
                await self._ports.lease.until_usable()
                request = engine.Open(
                    session=self._session_id,
                    link=link,
                    fence=self.fence,
                    connection=connection,
                    device_name=device_name,
                    proxy=proxy,
                    lease=self._ports.lease.name,
                )
                reply = await self.call(request, OPEN_TIMEOUT_S)
                if isinstance(reply, engine.Done):
                    await self._until_settled()
                    return
        except LeaseLost:
            return
        reason = reply.code if isinstance(reply, engine.Failed) else "connect_failed"
        cause = "" if isinstance(reply, engine.Failed) else "engine"
        self._tell(engine.Disconnected(session=self._session_id, connection=connection, reason=reason, cause=cause))

    async def _until_settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOGIN_WITHIN_S):
                await self._settled.wait()

    def heard(self, event: engine.Event) -> None:
        """Take notice of an event of this connection: how far the login came, and whether WhatsApp is reached."""
        fitness = self._ports.fitness
        if isinstance(event, CONNECTION_ENDS):
            fitness.offline(self._session_id)
            self.connected_since = None
            self._judge_end(event)
        elif isinstance(event, engine.Connected):
            fitness.online(self._session_id)
            self.connected_since = time.monotonic()
        elif isinstance(event, engine.Qr):
            fitness.reached()
        else:
            return
        self._answered = True
        self._settled.set()

    def _judge_end(self, event: CONNECTION_ENDS) -> None:
        if not isinstance(event, engine.Disconnected):
            self._ports.fitness.reached()
        elif not self._answered and self.proxy is None and event.reason not in OUR_OWN_REASONS:
            self._ports.fitness.failed(time.monotonic())

    def ended(self) -> None:
        """Nothing of it runs any more at the engine."""
        self.number = self.connected_since = None
        self._settled.set()
        self._ports.fitness.offline(self._session_id)

    async def close(self) -> None:
        """Close it. May run twice."""
        await self._stop_login()
        if self.number is not None:
            self.ended()
            await self.call(engine.Close(session=self._session_id), CLOSE_TIMEOUT_S)

    async def _stop_login(self) -> None:
        if self._login is not None:
            await end(self._login)
            self._login = None

    async def call(self, request: engine.Request, timeout_s: float) -> engine.Reply | None:
        """Ask the engine; None when it is down or does not answer in time."""
        try:
            return await self._ports.engine.call(request, timeout_s=timeout_s)
        except (engine.EngineDown, TimeoutError):
            return None
