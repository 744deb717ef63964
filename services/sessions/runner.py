"""One session's owner: brings what is to what is wanted, and follows what its engine says, one thing after another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime, timedelta

import msgspec

from libs.contracts.calls import AnyAskAnswer, AskFailed, PairCodeIssued
from libs.contracts.events import AnyFact, SessionChanged, SessionStatus
from libs.contracts.records import SessionRecord, SessionState
from libs.contracts.stages import CONNECT_FAILED
from libs.runtime import logs
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from libs.runtime.feeds import is_infrastructure
from libs.runtime.mongo import to_document
from libs.runtime.shards import LeaseLost
from libs.runtime.tasks import end
from services.sessions import lifecycle
from services.sessions.answers import failure_of
from services.sessions.engines import base as engine
from services.sessions.lifecycle import Next, Step
from services.sessions.qr import lifetime_s
from services.sessions.sockets import CLOSE_TIMEOUT_S, CONNECTION_ENDS, Ports, ProxyUnreadable, Socket
from services.sessions.store import UNLINK_FOR

UNLINK_TIMEOUT_S = 20.0
UNLINK_AGAIN_S = 300.0
PAIR_PHONE_TIMEOUT_S = 15.0
AGAIN_S = 0.5
MAX_IDLE_S = 5.0


class Reconcile(msgspec.Struct, frozen=True):
    """Compare with this wish."""

    wish: SessionRecord


class EngineLost(msgspec.Struct, frozen=True):
    """The engine worker died: every socket is gone."""


class PairCode(msgspec.Struct, frozen=True):
    """Somebody wants a code to link with by this phone number (digits); `answer` is set once."""

    phone: str
    answer: asyncio.Future[AnyAskAnswer]


Item = Reconcile | EngineLost | PairCode | engine.Event


class Runner:
    """The actor of one session. `submit` from anywhere; everything else happens in its own task."""

    def __init__(self, ports: Ports, *, wish: SessionRecord, state: SessionState | None, shard: int) -> None:
        self._ports, self._wish = ports, wish
        self._taken_over = state is not None
        self.state = state or SessionState(
            id=wish.id,
            customer_id=wish.customer_id,
            network=wish.engine,
            shard=shard,
            epoch=ports.lease.epoch,
            updated_at=ports.now(),
        )
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._socket = Socket(ports, wish.id, self.submit)
        self._codes: list[str] = []
        self._code_number = 0
        self._can_pair = False
        self._logged_in_as: str | None = None
        self._code_wanted: PairCode | None = None
        self._unlink_again_at = 0.0
        self._storing = asyncio.Lock()
        self._log = logs.get().bind(session=wish.id)
        self._task = asyncio.create_task(self._run())

    # --- From outside -------------------------------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        """The session."""
        return self._wish.id

    @property
    def customer_id(self) -> str:
        """Its customer."""
        return self._wish.customer_id

    @property
    def online(self) -> bool:
        """Whether messages can be handed over now."""
        return self._socket.number is not None and self.state.status in lifecycle.ONLINE

    @property
    def number(self) -> str | None:
        """The number (digits) that is linked, from its login on: what comes in next does not wait for the state."""
        return self._logged_in_as or self.state.phone

    @property
    def wants_online(self) -> bool:
        """Whether it is linked, and online or trying to be."""
        return self.state.linked and self.state.status not in lifecycle.RESTING

    async def until_stored(self) -> None:
        """Wait until the state that is being stored is the runner's own: others may have read it already."""
        async with self._storing:
            return

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for this session, ever."""
        return self.state.cleaned

    def submit(self, item: Item) -> None:
        """Put this to the runner's work."""
        if isinstance(item, engine.Paired | engine.Connected) and self.is_current(item.connection):
            self._logged_in_as = lifecycle.phone_of(item.jid)
        self._items.put_nowait(item)

    def is_current(self, connection: int) -> bool:
        """Whether an event of this connection number still counts."""
        return self._socket.is_current(connection)

    async def stop(self) -> None:
        """Give the session up: close its socket, keep its link. Nothing is told."""
        await end(self._task)
        self._refuse_code("TEMPORARY", "The session moves to another replica.")
        await self._close()

    # --- The loop -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        first: Item = Reconcile(self._wish)
        item: Item | None = first
        while not self.finished:
            try:
                await self._ports.lease.until_usable()
                await self._handle(item, first=item is first)
            except LeaseLost:
                return
            except Exception as error:
                if not is_infrastructure(error):
                    self._log.exception("a step of a session failed")
                else:
                    self._log.warning("a step of a session is repeated", error=type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                if is_infrastructure(error):
                    continue
            item = await self._next_item()

    async def _next_item(self) -> Item | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._idle_s()):
                return await self._items.get()
        return None

    def _idle_s(self) -> float:
        """Seconds until something is due by itself."""
        now = self._ports.now()
        due = [(at - now).total_seconds() for at in self._due_times()]
        return max(0.01, min([MAX_IDLE_S, *due]))

    def _due_times(self) -> list[datetime]:
        state = self.state
        attempt = state.next_attempt_at if self._may_attempt() else None
        shown = state.expires_at if state.status in lifecycle.LINKING and self._socket.number is not None else None
        restricted = state.resume_at if state.status is SessionStatus.RESTRICTED else None
        return [at for at in (attempt, shown, restricted) if at is not None]

    def _may_attempt(self) -> bool:
        return self._wish.live and self._wish.running and self._socket.number is None

    async def _handle(self, item: Item | None, *, first: bool) -> None:
        await self._tell_untold()
        match item:
            case None:
                await self._by_the_clock()
            case Reconcile(wish):
                await self._reconcile(wish, first=first)
            case EngineLost():
                await self._engine_lost()
            case PairCode():
                await self._begin_pairing(item)
            case _:
                await self._follow(item)
        await self._forget_old_links()
        if self.state.status in lifecycle.RESTING:
            self._refuse_code("NOT_POSSIBLE", "The attempt to link has ended; try again.")

    async def _by_the_clock(self) -> None:
        now = self._ports.now()
        shows = self.state.status in lifecycle.LINKING and self._socket.number is not None
        if shows and self.state.expires_at is not None and self.state.expires_at <= now:
            await self._next_code()
        elif self._may_attempt() and lifecycle.is_due(self.state, now):
            await self._attempt()
        elif step := lifecycle.on_time(self.state, now):
            await self._take(step)
        elif self._is_unlinking_due():
            await self._log_out()
        if self.state.failures and self._is_stable():
            await self._save(lifecycle.on_stable(self.state))

    def _is_unlinking_due(self) -> bool:
        unlinked = not self.state.linked and self.state.status == SessionStatus.LOGGED_OUT
        return self.state.deleted and not unlinked and time.monotonic() >= self._unlink_again_at

    def _is_stable(self) -> bool:
        since = self._socket.connected_since
        return self.online and since is not None and time.monotonic() - since >= lifecycle.STABLE_AFTER_S

    # --- Desired state ------------------------------------------------------------------------------------------------

    async def _reconcile(self, wish: SessionRecord | None, *, first: bool) -> None:
        wish = wish or await self._ports.store.wish_of(self.session_id)
        if wish is not None:
            self._wish = wish
        if first and self._taken_over and (step := lifecycle.on_taken_over(self.state, self._wish)):
            await self._take(step)
        while step := lifecycle.next_wish(self.state, self._wish, self._ports.now()):
            await self._take(step)
        if self._socket.number is not None and self._wish.proxy != self._socket.proxy and self._wish.running:
            await self._take(lifecycle.start(self.state, "proxy_changed"))

    async def _attempt(self) -> None:
        """The next connect attempt is due."""
        if self.state.status in lifecycle.RESTING:
            await self._reconcile(None, first=False)
            return
        waited = lifecycle.changed(self.state, next_attempt_at=None, resume_at=None)
        await self._take(Step(state=waited, then=Next.OPEN))

    # --- Steps --------------------------------------------------------------------------------------------------------

    async def _take(self, step: Step) -> None:
        """Store what follows, with its fact, then tell it, then do it."""
        state = step.state
        if step.then is Next.OPEN:
            state = lifecycle.changed(state, connection=state.connection + 1)
        if step.tell is not None:
            fact = self._fact(state, step.tell)
            state = lifecycle.changed(state, untold=[*state.untold, to_document(fact)])
        await self._save(state)
        self._ports.crash.at("sessions.after_write")
        await self._tell_untold()
        match step.then:
            case Next.NOTHING | Next.FORGET:
                pass
            case Next.OPEN:
                await self._open()
            case Next.CLOSE:
                await self._close()
            case Next.LOG_OUT:
                await self._log_out()

    def _fact(self, state: SessionState, update: str) -> SessionChanged:
        return SessionChanged(
            id=f"{self.session_id}-{self._ports.lease.epoch}-{time.time_ns():x}",
            customer_id=self.customer_id,
            session_id=self.session_id,
            at=self._ports.now(),
            update=update,
            status=state.status,
            epoch=self._ports.lease.epoch,
            connection=state.connection,
            reason=state.reason,
            phone=state.phone,
            qr=state.qr,
            expires_at=state.expires_at,
            pair_code=state.pair_code,
            resume_at=state.resume_at,
            passkey=state.passkey,
            cause=state.cause,
        )

    async def _save(self, state: SessionState) -> None:
        state = lifecycle.changed(state, epoch=self._ports.lease.epoch, updated_at=self._ports.now())
        await self._ports.lease.until_usable()
        async with self._storing:
            await self._ports.store.save(state)
            self.state = state

    async def _tell_untold(self) -> None:
        """Publish what is stored and not told. While NATS is away it stays stored, and is told later."""
        if not self.state.untold:
            return
        facts: list[AnyFact] = [msgspec.convert(doc, SessionChanged) for doc in self.state.untold]
        try:
            await self._ports.teller.tell(facts)
        except (BusDown, PublishUnclear, StreamFull):
            return
        self._ports.crash.at("sessions.after_publish")
        await self._save(lifecycle.changed(self.state, untold=[]))

    # --- The socket ---------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._forget_codes()
        try:
            await self._socket.open(self.state, self._wish)
        except ProxyUnreadable:
            self._log.error("the proxy of a session cannot be read with this key ring")
            await self._take(lifecycle.on_proxy_unreadable(self.state))

    async def _close(self) -> None:
        self._forget_codes()
        await self._socket.close()

    def _forget_codes(self) -> None:
        self._codes, self._can_pair = [], False

    async def _engine_lost(self) -> None:
        was_open = self._socket.number is not None
        self._forget_codes()
        self._socket.ended()
        if was_open and (step := lifecycle.on_disconnected(self.state, "engine_restarted", self._ports.now())):
            await self._take(step)

    # --- What the engine says -----------------------------------------------------------------------------------------

    async def _follow(self, event: engine.Event) -> None:
        if not self.is_current(event.connection):
            return
        self._socket.heard(event)
        if isinstance(event, engine.Qr):
            await self._show_codes(event.codes)
            return
        step = lifecycle.on_event(self.state, event, self._ports.now())
        if isinstance(event, CONNECTION_ENDS | engine.Paired | engine.Connected | engine.PasskeyRequired):
            self._forget_codes()
        if step is not None:
            await self._take(step)
        if isinstance(event, CONNECTION_ENDS) and self.is_current(event.connection):
            self._socket.ended()
        if isinstance(event, engine.Disconnected) and event.reason == CONNECT_FAILED:
            self._refuse_code("UNREACHABLE", "WhatsApp cannot be reached.", cause=event.cause or None)
        if isinstance(event, engine.PasskeyConfirmation) and event.skip:
            await self._socket.call(engine.PasskeyConfirm(session=self.session_id), PAIR_PHONE_TIMEOUT_S)

    # --- Codes to link with -------------------------------------------------------------------------------------------

    async def _show_codes(self, codes: list[str]) -> None:
        self._codes, self._code_number, self._can_pair = codes, -1, True
        await self._next_code()
        if self._code_wanted is not None:
            await self._ask_for_code()

    async def _next_code(self) -> None:
        number = self._code_number + 1
        if number >= len(self._codes):
            await self._nobody_linked()
            return
        expires_at = self._ports.now() + timedelta(seconds=lifetime_s(number))
        await self._take(lifecycle.on_code(self.state, self._codes[number], expires_at))
        self._code_number = number

    async def _nobody_linked(self) -> None:
        """What was shown last is over: an unscanned session costs nothing."""
        await self._close()
        await self._take(lifecycle.on_unlinked_in_time(self.state))

    async def _begin_pairing(self, wanted: PairCode) -> None:
        """Ask for a code now, or when the first QR code is there: WhatsApp gives none before."""
        await self._reconcile(None, first=False)
        if why := lifecycle.why_no_pair_code(self.state, self._wish):
            _answer(wanted, AskFailed(code="NOT_POSSIBLE", detail=why))
            return
        self._refuse_code("NOT_POSSIBLE", "Another code was asked for meanwhile.")
        self._code_wanted = wanted
        if self.state.status in lifecycle.RESTING:
            await self._take(lifecycle.start(self.state))
        if self._can_pair:
            await self._ask_for_code()

    async def _ask_for_code(self) -> None:
        wanted, self._code_wanted = self._code_wanted, None
        if wanted is None or wanted.answer.done():
            return
        request = engine.PairPhone(session=self.session_id, phone=wanted.phone)
        reply = await self._socket.call(request, PAIR_PHONE_TIMEOUT_S)
        if not isinstance(reply, engine.PairCodeReply):
            _answer(wanted, failure_of(reply, to=request))
            return
        expires_at = self._ports.now() + lifecycle.PAIR_CODE_FOR
        self._codes = []  # the pairing code is what is shown now
        await self._take(lifecycle.on_pair_code(self.state, reply.code, expires_at))
        _answer(wanted, PairCodeIssued(code=reply.code, expires_at=expires_at))

    def _refuse_code(self, code: str, detail: str, *, cause: str | None = None) -> None:
        wanted, self._code_wanted = self._code_wanted, None
        if wanted is not None:
            _answer(wanted, AskFailed(code=code, detail=detail, cause=cause))

    # --- Unlinking ----------------------------------------------------------------------------------------------------

    async def _log_out(self) -> None:
        """Unlink at WhatsApp. A deleted session is tried for 24 h; a logout that cannot be confirmed is done anyway."""
        deleted = self.state.deleted
        confirmed = await self._unlink()
        deleted_at = self._wish.deleted_at or self._ports.now()
        if deleted and not confirmed and self._ports.now() < deleted_at + UNLINK_FOR:
            self._unlink_again_at = time.monotonic() + UNLINK_AGAIN_S
            await self._close()
            return
        await self._close()
        await self._take(lifecycle.after_logout(self.state, deleted=deleted, confirmed=confirmed))

    async def _unlink(self) -> bool:
        if not self.state.linked:
            return True
        if not self.online and not await self._come_online():
            return False
        reply = await self._socket.call(engine.Logout(session=self.session_id), UNLINK_TIMEOUT_S)
        return isinstance(reply, engine.Done)

    async def _come_online(self) -> bool:
        """Connect for the sake of unlinking; true once logged in, or when there turns out to be no link any more."""
        await self._close()
        await self._save(lifecycle.changed(self.state, connection=self.state.connection + 1))
        await self._open()
        deadline = time.monotonic() + UNLINK_TIMEOUT_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    item = await self._items.get()
            except TimeoutError:
                return False
            if isinstance(item, Reconcile):  # nobody submits it again: it counts once the session is unlinked
                self._wish = item.wish
                continue
            if isinstance(item, PairCode):
                _answer(item, AskFailed(code="NOT_POSSIBLE", detail="The session is being unlinked."))
                continue
            if isinstance(item, EngineLost):
                self._socket.ended()
                return False
            if not self.is_current(item.connection):
                continue
            self._socket.heard(item)
            if isinstance(item, engine.Connected):
                return True
            if isinstance(item, CONNECTION_ENDS):
                self._socket.ended()
                return False
        return False

    async def _forget_old_links(self) -> None:
        """Delete the keys of links that are over; what fails is tried again at the next turn."""
        while self.state.forgotten < self.state.link - 1:
            link = self.state.forgotten + 1
            if self._socket.number is not None and self.state.status in {SessionStatus.LOGGED_OUT}:
                await self._close()
            forget = engine.Forget(
                session=self.session_id, link=link, fence=self._socket.fence, lease=self._ports.lease.name
            )
            reply = await self._socket.call(forget, CLOSE_TIMEOUT_S)
            if not isinstance(reply, engine.Done):
                return
            await self._save(lifecycle.changed(self.state, forgotten=link))
        if self.state.deleted and not self.state.linked and not self.state.cleaned and not self.state.untold:
            await self._close()
            await self._save(lifecycle.changed(self.state, cleaned=True))


def _answer(wanted: PairCode, answer: AnyAskAnswer) -> None:
    if not wanted.answer.done():
        wanted.answer.set_result(answer)
