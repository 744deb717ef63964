"""The connections of the scripted network: who is linked, who is connected, and what goes wrong there."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Coroutine
from typing import Any

import msgspec

from libs.runtime.mongo import Database
from services.sessions.engines import base as engine
from services.sessions.engines.scripted_faults import Fault, Faults
from services.sessions.engines.scripted_links import Device, Links
from services.sessions.engines.scripted_people import LID, Group, Phone, jid_of, lid_of, now_ms
from services.sessions.engines.scripted_socket import KEPT, Socket

CODES = 6
PING_MS = 5_000
CHALLENGE = "AAECAwQFBgcICQoLDA0ODw"
COMPARED = "4711-4711"
"""The code that both screens show while a link is confirmed."""
SCAN_WITHIN_S = 15.0
CODE_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
REMOVED = frozenset({401, 403, 406})


class Refused(Exception):
    """The network does not do what a person asked; `status` as in HTTP, and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Connections:
    """Phones, groups, links and open sockets.

    Any number that was not made as a phone is on WhatsApp too: it takes everything, and answers nothing.
    """

    def __init__(self, database: Database | None = None) -> None:
        self.database = database
        self.links = Links(database)
        self.faults = Faults()
        self.phones: dict[str, Phone] = {}
        self.groups: dict[str, Group] = {}
        self.sockets: dict[str, Socket] = {}
        self._timelocks: dict[str | None, int | None] = {}
        """Numbers (None: all) that may write to nobody new, with the end in milliseconds, if one was told."""
        self._by_lid: dict[str, str] = {}
        self._waiting: dict[str, list[engine.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- People -------------------------------------------------------------------------------------------------------

    def phone(self, number: str, name: str = "") -> Phone:
        """The phone of this number; made when it is new."""
        self._by_lid[lid_of(number)] = number
        return self.phones.setdefault(number, Phone(number=number, name=name or number))

    def number_of(self, jid: str) -> str:
        """The number behind a JID or a LID."""
        return self._by_lid.get(jid, jid) if jid.endswith(f"@{LID}") else jid.partition("@")[0].partition(":")[0]

    def address_of(self, number: str) -> str:
        """The JID by which others know this number: its LID when it hides."""
        phone = self.phones.get(number)
        return lid_of(number) if phone is not None and phone.hide_number else jid_of(number)

    def is_on_whatsapp(self, number: str) -> bool:
        """Whether this number exists for others."""
        phone = self.phones.get(number)
        return phone is None or phone.on_whatsapp

    def make_group(self, subject: str, numbers: list[str]) -> Group:
        """A group; the first of these numbers owns it."""
        jid = f"1203{secrets.randbelow(10**14):014d}@g.us"
        roles = dict.fromkeys(numbers, "member") | {numbers[0]: "owner"}
        self.groups[jid] = Group(jid=jid, subject=subject, roles=roles)
        return self.groups[jid]

    def change_member(self, group: Group, jid: str, action: str) -> int | None:
        """Change one person's part in a group; None when it was done, else WhatsApp's code."""
        number = self.number_of(jid)
        if action == "add" and (code := self.why_not_added(number)) is not None:
            return code
        return group.change(number, action) if self.is_on_whatsapp(number) else 404

    def why_not_added(self, number: str) -> int | None:
        """WhatsApp's code for somebody who cannot be in a group; None for somebody who can."""
        if not self.is_on_whatsapp(number):
            return 404
        phone = self.phones.get(number)
        return 403 if phone is not None and phone.invite_only else None

    # --- Connections --------------------------------------------------------------------------------------------------

    async def connect(self, socket: Socket) -> None:
        """A new socket: logged in when its link has a device, else shown codes to scan."""
        self.sockets[socket.session] = socket
        device = await self.links.find(socket.session, socket.request.link)
        number = device.number if device else None
        if self.faults.refuses(number):
            self._lose(socket, "connect_failed", cause="refused")
        elif device is None:
            socket.codes = [f"scripted#{secrets.token_urlsafe(24)}" for _ in range(CODES)]
            socket.emit(engine.Qr(**socket.who, codes=socket.codes))
        else:
            await self.log_in(socket, device)

    async def log_in(self, socket: Socket, device: Device) -> None:
        """A login: refused by a fault, or connected; then comes what was kept."""
        if fault := self.faults.use("loginFailure", device.number):
            await self._refuse_login(socket, device, fault)
            return
        socket.number = device.number
        lid = lid_of(device.number)
        socket.emit(engine.Connected(**socket.who, jid=device.jid, lid=lid))
        if self.is_timelocked(device.number):
            socket.emit(self._timelock_told(socket))
        for event in self._waiting.pop(socket.session, []):
            socket.emit(msgspec.structs.replace(event, connection=socket.connection))

    async def _refuse_login(self, socket: Socket, device: Device, fault: Fault) -> None:
        if fault.code == 402:
            socket.emit(engine.Banned(**socket.who, code=fault.ban_code, until_ms=_end_of(fault)))
        elif fault.code == 405:
            socket.emit(engine.Outdated(**socket.who))
        elif fault.code in REMOVED:
            await self.links.remove(device.session, device.link)
            socket.emit(engine.LoggedOut(**socket.who, code=fault.code))
        else:
            self._lose(socket, f"server_error:{fault.code}")

    def _lose(self, socket: Socket, reason: str, *, cause: str = "") -> None:
        socket.number, socket.codes, socket.pair_codes = None, [], {}
        socket.emit(engine.Disconnected(**socket.who, reason=reason, cause=cause))

    def connected(self, number: str | None) -> list[Socket]:
        """The logged-in sockets of this number, or of all."""
        return [socket for socket in self.sockets.values() if socket.number and number in (None, socket.number)]

    def emit(self, session: str, event: engine.Event) -> None:
        """To the session's socket; what must not be lost waits for its next login when it has none."""
        socket = self.sockets.get(session)
        if socket is None or socket.number is None or self.faults.met("blackhole", socket.number):
            if isinstance(event, KEPT):
                self._waiting.setdefault(session, []).append(event)
            return
        delay = self.faults.met("delay", socket.number)
        event = msgspec.structs.replace(event, connection=socket.connection)
        for _ in range(2 if isinstance(event, KEPT) and self.faults.use("duplicate", socket.number) else 1):
            socket.emit(event, delay_ms=delay.ms if delay else 0)

    def keep(self, socket: Socket) -> None:
        """Keep what the socket's owner did not take, for its next login."""
        kept = [event for event in socket.refused if isinstance(event, KEPT)]
        self._waiting.setdefault(socket.session, []).extend(kept)

    # --- Links --------------------------------------------------------------------------------------------------------

    async def scan(self, code: str, number: str) -> Device:
        """The phone scans this code. Raises Refused."""
        socket = next((socket for socket in self.sockets.values() if code in socket.codes), None)
        if socket is None:
            raise Refused(410, "no session shows this code any more")
        return await self._link(socket, number)

    async def type_code(self, code: str, number: str) -> Device:
        """The person types this pairing code. Raises Refused."""
        asked = [socket for socket in self.sockets.values() if number in socket.pair_codes.values()]
        if not asked:
            raise Refused(409, "no session asked for a code with this number")
        socket = next((socket for socket in asked if socket.pair_codes.get(code.upper()) == number), None)
        if socket is None:
            raise Refused(409, "this is not the code")
        return await self._link(socket, number)

    async def _link(self, socket: Socket, number: str) -> Device:
        socket.codes, socket.pair_codes = [], {}
        if not self.faults.use("passkey", number):
            return await self.pair(socket, number)
        socket.pairing, socket.pairing_number = asyncio.get_running_loop().create_future(), number
        socket.emit(engine.PasskeyRequired(**socket.who, challenge=passkey_options()))
        try:
            async with asyncio.timeout(SCAN_WITHIN_S):
                return await asyncio.shield(socket.pairing)
        except TimeoutError:
            raise Refused(408, "the device did not confirm the link in time") from None

    def code_shown(self, number: str) -> str:
        """The code that the phone shows while a passkey's link is confirmed. Raises Refused."""
        if not any(socket.challenged and socket.pairing_number == number for socket in self.sockets.values()):
            raise Refused(409, "this phone shows no code")
        return COMPARED

    async def pair(self, socket: Socket, number: str) -> Device:
        """The phone signed the new device: it is linked, and logs in."""
        phone = self.phone(number)
        device = await self.links.add(socket.session, socket.request.link, number)
        socket.emit(
            engine.Paired(
                **socket.who,
                jid=device.jid,
                lid=lid_of(number),
                name=phone.name,
            )
        )
        await self.log_in(socket, device)
        return device

    async def unlink(self, number: str, only: int | None) -> list[int]:
        """The phone removes this device, or every one; returns which."""
        gone = [device for device in await self.links.all_of(number) if only in (None, device.device)]
        for device in gone:
            await self.links.remove(device.session, device.link)
            socket = self.sockets.get(device.session)
            if socket is not None and socket.number is not None:
                socket.number = None
                socket.emit(engine.LoggedOut(**socket.who, code=401))
        return [device.device for device in gone]

    # --- What goes wrong ----------------------------------------------------------------------------------------------

    async def strike(self, fault: Fault) -> int:
        """Let it go wrong; returns how many sockets it met at once."""
        if fault.kind == "restart":
            fault.for_ms = fault.ms
        self.faults.add(fault)
        if fault.kind == "timelock":
            self._turn_timelock(fault)
        if fault.every_ms and fault.for_ms:
            self.later(self._storm(fault))
        return await self._strike_all(fault)

    async def _strike_all(self, fault: Fault) -> int:
        met = self.connected(fault.phone)
        for socket in met:
            await self._strike_one(socket, fault)
        return len(met)

    async def _storm(self, fault: Fault) -> None:
        while fault.alive:
            await asyncio.sleep(fault.every_ms / 1000)
            await self._strike_all(fault)

    async def _strike_one(self, socket: Socket, fault: Fault) -> None:
        match fault.kind:
            case "drop" | "close" | "restart":
                self._lose(socket, "dropped")
            case "streamError":
                await self._end_stream(socket, fault)
            case "blackhole":
                self.later(self._ping_in_vain(socket, (fault.ms or PING_MS) / 1000))
            case "timelock":
                socket.emit(self._timelock_told(socket))
            case _:
                pass

    def _turn_timelock(self, fault: Fault) -> None:
        if fault.expire_s == 0:
            self._timelocks.pop(fault.phone, None)
        else:
            self._timelocks[fault.phone] = _end_of(fault)

    def is_timelocked(self, number: str) -> bool:
        """Whether this number may write to nobody new now."""
        ends = [self._timelocks[each] for each in (number, None) if each in self._timelocks]
        return any(end is None or end > now_ms() for end in ends)

    def _timelock_told(self, socket: Socket) -> engine.Restricted:
        active = self.is_timelocked(socket.number or "")
        until_ms = self._timelocks.get(socket.number, self._timelocks.get(None)) if active else None
        return engine.Restricted(**socket.who, kind="reachout_timelock", active=active, until_ms=until_ms)

    async def _end_stream(self, socket: Socket, fault: Fault) -> None:
        if fault.conflict == "replaced":
            socket.number = None
            socket.emit(engine.Replaced(**socket.who))
        elif fault.conflict == "device_removed" or fault.code in REMOVED:
            await self.links.remove(socket.session, socket.request.link)
            socket.number = None
            socket.emit(engine.LoggedOut(**socket.who, code=fault.code or 401))
        else:
            self._lose(socket, f"server_error:{fault.code}")

    async def _ping_in_vain(self, socket: Socket, every_s: float) -> None:
        """A socket in a black hole: two unanswered pings close it; a hole that ended in between is told."""
        await asyncio.sleep(every_s)
        if not self._is_in_a_hole(socket):
            return
        socket.emit(engine.KeepaliveLost(**socket.who, count=1))
        await asyncio.sleep(every_s)
        if self._is_in_a_hole(socket):
            socket.emit(engine.KeepaliveLost(**socket.who, count=2))
            self._lose(socket, "keepalive")
        elif self.sockets.get(socket.session) is socket and socket.number:
            socket.emit(engine.KeepaliveRestored(**socket.who))

    def _is_in_a_hole(self, socket: Socket) -> bool:
        present = self.sockets.get(socket.session) is socket and socket.number is not None
        return present and self.faults.met("blackhole", socket.number) is not None

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let this go on beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End what still goes on."""
        for task in self._tasks:
            task.cancel()

    def stats(self) -> dict[str, int]:
        """How many phones there are, devices are linked, and sockets are connected."""
        return {"phones": len(self.phones), "devices": len(self.links), "connected": len(self.connected(None))}


def _end_of(fault: Fault) -> int | None:
    return now_ms() + fault.expire_s * 1000 if fault.expire_s is not None else None


def passkey_options() -> str:
    """WebAuthn's request options, as WhatsApp asks for a passkey."""
    options = {"challenge": CHALLENGE, "timeout": 600_000, "rpId": "whatsapp.com", "userVerification": "required"}
    return json.dumps(options)


def assertion(challenge: str) -> dict[str, Any]:
    """What a person's passkey answers, as far as this network looks at it."""
    client_data = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": "https://whatsapp.com"})
    return {
        "id": "c2NyaXB0ZWQ",
        "rawId": "c2NyaXB0ZWQ",
        "type": "public-key",
        "response": {"clientDataJSON": base64.urlsafe_b64encode(client_data.encode()).decode().rstrip("=")},
    }


def is_answer(response: str) -> bool:
    """Whether this is a passkey's answer to our challenge."""
    try:
        encoded = json.loads(response)["response"]["clientDataJSON"]
        client_data = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, TypeError, KeyError):
        return False
    return client_data.get("challenge") == CHALLENGE


def pair_code() -> str:
    """A pairing code as phones take it: `ABCD-EFGH`."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"
