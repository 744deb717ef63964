"""The scripted engine: the engine port in pure Python, with a small made-up network behind it. No Go, no protocol.

For tests and load, and as the network `scripted` of `./merpati up`. It keeps the promises of the port: a device
outlives its process (in MongoDB), an id sent twice is one row in the inbox, what came in comes again until it is
acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never

import msgspec

from services.sessions.engines import base as engine
from services.sessions.engines.scripted_connections import COMPARED, is_answer, pair_code
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.engines.scripted_people import ACTIONS, jid_of
from services.sessions.engines.scripted_socket import Socket

__all__ = ["ScriptedEngine", "ScriptedNetwork"]

PRESENCES = frozenset({"composing", "recording", "paused"})

Asked = (
    engine.Check
    | engine.Presence
    | engine.MarkRead
    | engine.ListGroups
    | engine.CreateGroup
    | engine.ChangeParticipants
    | engine.Download
)
"""What needs a logged-in session."""


class ScriptedEngine:
    """The engine port over a ScriptedNetwork."""

    def __init__(self, network: ScriptedNetwork) -> None:
        self.network = network
        self._handler: engine.Handler | None = None
        self._in_flight: dict[tuple[str, str], asyncio.Task[engine.SendOutcome]] = {}
        self._fences: dict[str, int] = {}

    async def start(self, handler: engine.Handler, on_down: Callable[[], Awaitable[None]]) -> None:
        """Start; this engine never goes down by itself."""
        self._handler = handler

    async def stop(self) -> None:
        """Close every socket."""
        for session in list(self.network.sockets):
            await self._close(session)
        self.network.close()
        self._handler = None

    def hold(self, leases: Mapping[str, float]) -> None:
        """Nothing to do: it writes no keys that a later owner would read."""

    @property
    def worker_start(self) -> int:
        """Always the first start."""
        return 1

    @property
    def up(self) -> bool:
        """Whether it was started."""
        return self._handler is not None

    async def call(self, request: engine.Request, *, timeout_s: float) -> engine.Reply:
        """Carry out one request. Raises EngineDown, TimeoutError."""
        if self._handler is None:
            raise engine.EngineDown("not started")
        async with asyncio.timeout(timeout_s):
            return await self._answer(request, self._handler)

    async def _answer(self, request: engine.Request, handler: engine.Handler) -> engine.Reply:
        match request:
            case engine.Send():
                return await self._send(request)
            case engine.Open():
                return await self._open(request, handler)
            case engine.Close():
                await self._close(request.session)
                return engine.Done()
            case engine.Logout():
                return await self._logout(request.session)
            case engine.Forget():
                await self.network.links.remove(request.session, request.link)
                return engine.Done()
            case engine.PairPhone():
                return self._pair_phone(request)
            case engine.PasskeyResponse():
                return self._passkey_response(request)
            case engine.PasskeyConfirm():
                return await self._passkey_confirm(request)
            case engine.Ping():
                return engine.Pong(open_sessions=len(self.network.sockets))
            case _:
                return await self._asked(request)

    async def _asked(self, request: Asked) -> engine.Reply:
        socket = self.network.sockets.get(request.session)
        if socket is None or socket.number is None:
            return engine.Failed(code="not_open" if socket is None else "not_connected", message="not logged in")
        if self.network.faults.met("blackhole", socket.number):
            await asyncio.sleep(20)
            return engine.Failed(code="timeout", message="the network did not answer")
        match request:
            case engine.Check():
                return self._check(request)
            case engine.Presence():
                return self._presence(socket.number, request)
            case engine.MarkRead():
                self.network.mail.mark_read(socket.number, request)
                return engine.Done()
            case engine.ListGroups():
                mine = [group.wire() for group in self.network.groups.values() if socket.number in group.roles]
                return engine.Groups(groups=mine)
            case engine.CreateGroup():
                return self._create_group(socket.number, request)
            case engine.ChangeParticipants():
                return self._change_participants(socket.number, request)
            case engine.Download():
                return await self.network.mail.download(request)
            case _:
                assert_never(request)

    # --- Sockets and links --------------------------------------------------------------------------------------------

    async def _open(self, request: engine.Open, handler: engine.Handler) -> engine.Reply:
        if request.fence < self._fences.get(request.session, 0):
            return engine.Failed(code="fenced", message="a higher fence was seen")
        self._fences[request.session] = request.fence
        present = self.network.sockets.get(request.session)
        if present is not None and present.connection == request.connection:
            return engine.Done()
        await self._close(request.session)
        await self.network.connect(Socket(request, handler, taken=self.network.mail.taken))
        return engine.Done()

    async def _close(self, session: str) -> None:
        socket = self.network.sockets.pop(session, None)
        if socket is not None:
            await socket.close()
            self.network.keep(socket)

    async def _logout(self, session: str) -> engine.Reply:
        socket = self.network.sockets.get(session)
        if socket is None or socket.number is None:
            return engine.Failed(code="not_connected", message="the session is not logged in")
        await self.network.links.remove(session, socket.request.link)
        socket.number = None
        return engine.Done()

    def _pair_phone(self, request: engine.PairPhone) -> engine.Reply:
        socket = self.network.sockets.get(request.session)
        if socket is None or not socket.codes:
            return engine.Failed(code="not_open", message="the session is not being linked")
        code = pair_code()
        socket.pair_codes = {code: request.phone}
        return engine.PairCodeReply(code=code)

    def _passkey_response(self, request: engine.PasskeyResponse) -> engine.Reply:
        socket = self.network.sockets.get(request.session)
        if socket is None or socket.pairing is None:
            return engine.Failed(code="bad_request", message="no passkey was asked for")
        if not is_answer(request.response):
            refused = "the passkey did not answer this challenge"
            socket.emit(engine.PasskeyFailed(**socket.who, message=refused))
            return engine.Failed(code="refused", message=refused)
        socket.challenged = True
        socket.emit(engine.PasskeyConfirmation(**socket.who, code=COMPARED, skip=False))
        return engine.Done()

    async def _passkey_confirm(self, request: engine.PasskeyConfirm) -> engine.Reply:
        socket = self.network.sockets.get(request.session)
        if socket is None or socket.pairing is None or not socket.challenged:
            return engine.Failed(code="bad_request", message="no code waits to be compared")
        pairing, socket.pairing, socket.challenged = socket.pairing, None, False
        device = await self.network.pair(socket, socket.pairing_number)
        if not pairing.done():
            pairing.set_result(device)
        return engine.Done()

    # --- Sending ------------------------------------------------------------------------------------------------------

    async def _send(self, request: engine.Send) -> engine.SendOutcome:
        """A second request for an id in flight joins the first."""
        socket = self.network.sockets.get(request.session)
        if socket is None or socket.number is None:
            return engine.NotSent(reason="not_connected")
        key = (request.session, request.message_id)
        task = self._in_flight.get(key)
        if task is None:
            task = asyncio.ensure_future(self.network.mail.send(socket, request))
            self._in_flight[key] = task
            task.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return await asyncio.shield(task)

    # --- Asking -------------------------------------------------------------------------------------------------------

    def _check(self, request: engine.Check) -> engine.Reply:
        known = {number: self.network.is_on_whatsapp(number) for number in request.phones}
        return engine.Checked(jids={number: jid_of(number) if on else None for number, on in known.items()})

    def _presence(self, number: str, request: engine.Presence) -> engine.Reply:
        if request.state not in PRESENCES:
            return engine.Failed(code="bad_request", message=f"there is no presence {request.state!r}")
        phone = self.network.phones.get(self.network.number_of(request.chat))
        if phone is not None:
            phone.see_typing(number, request.chat, request.state)
        return engine.Done()

    def _create_group(self, number: str, request: engine.CreateGroup) -> engine.Reply:
        codes = {jid: self.network.why_not_added(self.network.number_of(jid)) for jid in request.participants}
        there = [self.network.number_of(jid) for jid, code in codes.items() if code is None]
        group = self.network.make_group(request.subject, [number, *(each for each in there if each != number)])
        return engine.Groups(groups=[msgspec.structs.replace(group.wire(), codes=codes)])

    def _change_participants(self, number: str, request: engine.ChangeParticipants) -> engine.Reply:
        group = self.network.groups.get(request.group)
        if request.action not in ACTIONS:
            return engine.Failed(code="bad_request", message=f"there is no action {request.action!r}")
        if group is None or group.roles.get(number, "member") == "member":
            return engine.Failed(code="refused", message="only an admin of the group may do this")
        return engine.Participants(
            codes={jid: self.network.change_member(group, jid, request.action) for jid in request.participants}
        )
