"""A shard of sessions at work: its runners, the commands that poke them, and the calls that hand messages over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import ReconcileSession
from libs.contracts.errors import SendError
from libs.contracts.ids import COMMANDS, deliver_subject, session_call_subject, shard_token
from libs.contracts.records import SessionRecord, SessionState
from libs.runtime import logs
from libs.runtime.answering import Answerer
from libs.runtime.bus import Bus, encode
from libs.runtime.feeds import Delivery, Feed, is_infrastructure
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end
from services.sessions import delivery
from services.sessions.asks import MOVES, Asks
from services.sessions.engines import base as engine
from services.sessions.evidence import Evidence
from services.sessions.inbound import Inbound, fact_of
from services.sessions.lookups import LookUps
from services.sessions.runner import EngineLost, Reconcile, Runner
from services.sessions.sockets import Ports

HAND_OVERS_AT_ONCE = 1000
ASKS_AT_ONCE = 100
SEND_TIMEOUT_S = 28.0
GROUP_JID = "@g.us"
INBOUND_PATIENCE_S = 50.0
EVIDENCE_EVERY_S = 10.0
LAST_CALLS_S = 1.0
"""How long the sockets of a shard that is given back stay open for the calls in hand."""

_decode_call = msgspec.json.Decoder(Deliver).decode


class Directory:
    """The runners of this process, by session: where the engine's events find their session."""

    def __init__(self) -> None:
        self._owners: dict[str, SessionsOwner] = {}

    def add(self, session_id: str, owner: SessionsOwner) -> None:
        """This owner holds the session."""
        self._owners[session_id] = owner

    def remove(self, session_id: str, owner: SessionsOwner) -> None:
        """This owner holds it no more."""
        if self._owners.get(session_id) is owner:
            del self._owners[session_id]

    async def handle(self, event: engine.Event) -> bool:
        """The engine's handler: true once the event counts as taken. False for a session that is not ours."""
        owner = self._owners.get(event.session)
        return owner is not None and await owner.handle_event(event)

    async def engine_down(self) -> None:
        """The worker died: every runner is told."""
        for owner in set(self._owners.values()):
            owner.engine_down()


class SessionsOwner:
    """The work of one shard under one lease."""

    def __init__(self, *, ports: Ports, bus: Bus, directory: Directory, network: str, reconcile_every_s: float) -> None:
        self._ports, self._bus, self._directory = ports, bus, directory
        self._network, self._reconcile_every_s = network, reconcile_every_s
        self._lease: Lease = ports.lease
        self._runners: dict[str, Runner] = {}
        self._known: dict[str, SessionRecord] = {}
        self._evidence = Evidence()
        self._sender_epoch = 0
        self._look_ups = LookUps()
        self._asks = Asks(ports, self._runners.get, self._look_ups)
        self._answerers = self._answering()
        self._tasks: list[asyncio.Task[None]] = []
        self._log = logs.get().bind(shard=self._lease.shard)
        self.feeds: Sequence[Feed[Any]] = [
            Feed(
                stream=COMMANDS,
                subjects=[f"cmd.session.{network}.{shard_token(self._lease.shard)}.>"],
                types=ReconcileSession,
                handle=self._on_commands,
            )
        ]

    async def start(self) -> None:
        """Stamp our epoch on the shard's states, then begin a runner for each session and answer calls."""
        store = self._ports.store
        await store.take_over()
        states, wishes = await store.states_of_the_shard(), await store.wishes_of_the_shard()
        for session_id, wish in wishes.items():
            await self._begin(wish, states.get(session_id))
        for session_id in states.keys() - wishes.keys():
            if wish := await store.wish_of(session_id):
                await self._begin(wish, states[session_id])
        for answerer in self._answerers:
            await answerer.start()
        self._tasks = [asyncio.create_task(self._reconcile_for_ever()), asyncio.create_task(self._note_evidence())]

    async def stop(self) -> None:
        """Take no more calls, end those in hand while the lease allows it, and close every socket; links are kept."""
        if self._lease.usable:
            await asyncio.gather(*(answerer.close() for answerer in self._answerers))
            await asyncio.gather(*(answerer.finish(LAST_CALLS_S) for answerer in self._answerers))
        runners = list(self._runners.values())
        self._runners.clear()
        for runner in runners:
            self._directory.remove(runner.session_id, self)
        await asyncio.gather(end(*self._tasks), *(runner.stop() for runner in runners), return_exceptions=True)
        await asyncio.gather(*(answerer.stop() for answerer in self._answerers))

    # --- Sessions -----------------------------------------------------------------------------------------------------

    async def _begin(self, wish: SessionRecord, state: SessionState | None) -> None:
        if state is None and not wish.live and await self._ports.store.is_cleaned(wish.id):
            return
        self._known[wish.id] = wish
        self._directory.add(wish.id, self)
        self._runners[wish.id] = Runner(self._ports, wish=wish, state=state, shard=self._lease.shard)

    async def _on_commands(self, batch: list[Delivery[ReconcileSession]]) -> None:
        for session_id in {item.message.session_id for item in batch}:
            wish = await self._ports.store.wish_of(session_id)
            if wish is not None:
                await self._wish(wish)

    async def _wish(self, wish: SessionRecord) -> None:
        runner = self._runners.get(wish.id)
        if runner is None:
            await self._begin(wish, None)
        elif wish != self._known.get(wish.id):
            self._known[wish.id] = wish
            runner.submit(Reconcile(wish))

    async def _reconcile_for_ever(self) -> None:
        while not self._lease.lost:
            await asyncio.sleep(self._reconcile_every_s)
            try:
                for wish in (await self._ports.store.wishes_of_the_shard()).values():
                    await self._wish(wish)
            except Exception as error:
                if not is_infrastructure(error):
                    self._log.exception("reconciling a shard failed")
            for runner in [runner for runner in self._runners.values() if runner.finished]:
                del self._runners[runner.session_id]
                self._directory.remove(runner.session_id, self)

    async def _note_evidence(self) -> None:
        while not self._lease.lost:
            await asyncio.sleep(EVIDENCE_EVERY_S)
            evidence = self._evidence.take()
            with contextlib.suppress(LeaseLost):
                try:
                    await self._ports.store.note_evidence(evidence)
                except LeaseLost:
                    raise
                except Exception as error:
                    self._evidence.give_back(evidence)
                    if not is_infrastructure(error):
                        self._log.exception("noting when sessions were seen failed")

    # --- The engine's events ------------------------------------------------------------------------------------------

    async def handle_event(self, event: engine.Event) -> bool:
        """True once the event is taken: what came in, when it is in EVENTS; anything else, when its runner has it."""
        runner = self._runners.get(event.session)
        if runner is None:
            return False
        if runner.state.linked:  # before that nobody is there to be seen: codes come from WhatsApp, not from a phone
            self._seen(event.session, "lastSeenAt")
        if not isinstance(event, Inbound):
            runner.submit(event)
            return True
        return runner.is_current(event.connection) and await self._tell(event, runner)

    async def _tell(self, event: Inbound, runner: Runner) -> bool:
        """Publish what came in. While NATS is away the engine waits, and so does WhatsApp's ack."""
        fact = fact_of(event, customer_id=runner.customer_id, now=self._ports.now(), number=runner.number)
        deadline = asyncio.get_running_loop().time() + INBOUND_PATIENCE_S
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._lease.until_usable()
                await self._ports.teller.tell([fact])
                self._ports.crash.at("sessions.after_inbound")
                return True
            except LeaseLost:
                return False
            except Exception as error:
                if not is_infrastructure(error):
                    raise
            await asyncio.sleep(0.2)
        return False

    def engine_down(self) -> None:
        """The worker died: every socket of this shard is gone."""
        for runner in self._runners.values():
            runner.submit(EngineLost())

    def _seen(self, session_id: str, field: str) -> None:
        self._evidence.note(session_id, field, datetime.now(UTC))

    # --- Calls --------------------------------------------------------------------------------------------------------

    def _answering(self) -> list[Answerer]:
        shard, epoch, bus = self._lease.shard, self._lease.epoch, self._bus
        nobody_knows = delivery.answer_of(None, epoch, self._ports.now(), restricted_until=None)
        hand_overs, asks = deliver_subject(self._network, shard), session_call_subject(self._network, shard)
        return [
            Answerer(bus, hand_overs, self._on_call, at_once=HAND_OVERS_AT_ONCE, cut_off=nobody_knows),
            Answerer(bus, asks, self._asks.on_request, at_once=ASKS_AT_ONCE, cut_off=MOVES),
        ]

    async def _on_call(self, request: bytes) -> bytes:
        answer = await self.deliver(_decode_call(request))
        return encode(answer)

    async def deliver(self, call: Deliver) -> DeliverAnswer:
        """Hand the message to the engine, unless this owner, or the caller, is not the shard's owner any more."""
        epoch = self._lease.epoch
        if call.epoch < self._sender_epoch:
            return delivery.refusal(SendError.STALE, "Another sender owns this shard now.", epoch)
        self._sender_epoch = call.epoch
        runner = self._runners.get(call.session_id)
        if runner is None or not runner.online:
            return delivery.refusal(SendError.NOT_CONNECTED, "The session is not connected.", epoch)
        if not self._lease.usable:
            return delivery.refusal(SendError.SUSPENDED, "The session's owner cannot confirm its lease.", epoch)
        number = runner.number
        if delivery.is_for_another_number(call, number):
            return delivery.refusal(SendError.OTHER_NUMBER, "The session is linked to another number now.", epoch)
        known_only = self._look_ups.paused_for(call.session_id, time.monotonic()) > 0
        request = delivery.request_of(call, number, known_only=known_only)
        try:
            reply = await self._ports.engine.call(request, timeout_s=SEND_TIMEOUT_S)
        except (engine.EngineDown, TimeoutError):
            reply = None
        if isinstance(reply, engine.Sent):
            self._seen(call.session_id, "lastAckAt")
        until = runner.state.restricted_until
        wait_s = self._look_ups_after(reply, call)
        return delivery.answer_of(
            reply, epoch, self._ports.now(), restricted_until=until, look_ups_in_s=wait_s, number=number
        )

    def _look_ups_after(self, reply: engine.Reply | None, call: Deliver) -> float | None:
        """Seconds until the session looks new numbers up again, by what it was answered; None: at any time.

        A limit on questions about groups is another one.
        """
        now, session_id = time.monotonic(), call.session_id
        match reply:
            case engine.NotSent(reason="not_on_whatsapp"):
                self._look_ups.answered(session_id)
            case engine.NotSent(reason=delivery.LOOK_UPS_LIMITED) if not call.to.endswith(GROUP_JID):
                return self._look_ups.limited(session_id, now)
            case _:
                pass
        return self._look_ups.paused_for(session_id, now) or None
