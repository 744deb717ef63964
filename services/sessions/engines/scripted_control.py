"""The scripted network's control API: the simulator's calls, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from services.sessions.engines.scripted_connections import Refused, assertion
from services.sessions.engines.scripted_faults import AT_ONCE, CODED, KINDS, Fault
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.engines.scripted_people import ACTIONS, Group, Phone, is_group, jid_of, lid_of
from services.sessions.engines.scripted_writing import Writing, write

BODY_LIMIT = 64 << 20
REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
}


class ScriptedControl:
    """A small HTTP server in front of a ScriptedNetwork."""

    def __init__(self, network: ScriptedNetwork, *, port: int) -> None:
        self._network, self._port = network, port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            method, path, body = await asyncio.wait_for(_read_request(reader), 30)
            try:
                status, answer = await self._route(method, path, body)
            except Refused as error:
                status, answer = error.status, {"message": error.message}
            except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                status, answer = 400, {"message": f"wrong body: {error}"}
            payload = msgspec.json.encode(answer)
            head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n".encode() + payload)
            await writer.drain()
        writer.close()

    async def _route(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        match (method, [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]):
            case "GET", ["stats"]:
                return 200, self._network.stats()
            case "GET", ["phones"]:
                return 200, {"phones": [self._view(phone) for phone in self._network.phones.values()]}
            case "POST", ["phones"]:
                return self._make_phone(_object(body))
            case _, ["phones", number, *rest]:
                return await self._on_phone(method, self._phone(number), rest, body)
            case "GET", ["groups"]:
                return 200, {"groups": [group.view() for group in self._network.groups.values()]}
            case "POST", ["groups"]:
                return self._make_group(_object(body))
            case "PATCH", ["groups", jid]:
                group = self._group(jid)
                group.subject = str(_object(body)["subject"])
                return 200, group.view()
            case "POST", ["groups", jid, "participants"]:
                return self._change_members(self._group(jid), _object(body))
            case _, ["faults"]:
                return await self._on_faults(method, body)
            case _:
                raise Refused(404, f"the scripted network has no {method} {path}")

    # --- Phones and groups --------------------------------------------------------------------------------------------

    def _phone(self, number: str) -> Phone:
        phone = self._network.phones.get(number.lstrip("+"))
        if phone is None:
            raise Refused(404, f"there is no phone {number}; make it with POST /phones")
        return phone

    def _make_phone(self, given: dict[str, Any]) -> tuple[int, Any]:
        number = str(given["number"]).lstrip("+")
        if not number.isdigit():
            raise Refused(400, "number: digits, such as 6281234567890")
        known = number in self._network.phones
        return 200 if known else 201, self._view(self._network.phone(number, str(given.get("name", ""))))

    def _make_group(self, given: dict[str, Any]) -> tuple[int, Any]:
        numbers = [self._phone(str(number)).number for number in given["participants"]]
        if not given["subject"] or not numbers:
            raise Refused(400, "a group needs a subject and participants")
        return 201, self._network.make_group(str(given["subject"]), numbers).view()

    def _group(self, jid: str) -> Group:
        group = self._network.groups.get(jid)
        if group is None:
            raise Refused(404, "there is no such group")
        return group

    def _change_members(self, group: Group, given: dict[str, Any]) -> tuple[int, Any]:
        """The answer's codes are WhatsApp's, by number, of those for whom it was not done."""
        action = str(given["action"])
        numbers = [self._phone(str(number)).number for number in given.get("participants", [])]
        if action == "leave":
            action, numbers = "remove", [self._phone(str(given["by"])).number]
        if action not in ACTIONS:
            raise Refused(400, "action is add, remove, promote, demote or leave")
        done = {number: self._network.change_member(group, jid_of(number), action) for number in numbers}
        return 200, {"group": group.view(), "codes": {number: code for number, code in done.items() if code}}

    def _view(self, phone: Phone) -> dict[str, Any]:
        devices = [
            {"device": device.device, "jid": device.jid, **self._connection(device.session)}
            for device in self._network.links.of(phone.number)
        ]
        return {
            "number": phone.number,
            "name": phone.name,
            "lid": lid_of(phone.number),
            "devices": devices,
            "deliver": phone.deliver,
            "readAfterMs": phone.read_after_ms,
            "online": phone.online,
            "onWhatsApp": phone.on_whatsapp,
            "hideNumber": phone.hide_number,
            "inviteOnly": phone.invite_only,
        }

    def _connection(self, session: str) -> dict[str, Any]:
        """Whether the device is connected, what it calls itself, and the host of the proxy it came through."""
        socket = self._network.sockets.get(session)
        if socket is None or socket.number is None:
            return {"connected": False}
        proxy = socket.request.proxy
        host = urlsplit(proxy).hostname if proxy else None
        return {"connected": True, "name": socket.request.device_name, "proxy": host}

    async def _on_phone(self, method: str, phone: Phone, rest: list[str], body: bytes) -> tuple[int, Any]:
        match (method, rest):
            case "GET", []:
                return 200, self._view(phone)
            case "PATCH", []:
                _patch(phone, _object(body))
                self._network.mail.changed(phone)
                return 200, self._view(phone)
            case "POST", ["scan"]:
                return 200, await self._scan(phone, _object(body))
            case "POST", ["passkey"]:
                return 200, assertion(str(_object(body)["challenge"]))
            case "GET", ["passkey"]:
                return 200, {"code": self._network.code_shown(phone.number)}
            case "GET", ["presence"]:
                return 200, {"shown": phone.typings, "devices": []}
            case "POST", ["unlink"]:
                return 200, {"devices": await self._unlink(phone, _object(body))}
            case "POST", ["messages"]:
                return 200, {"id": write(self._network, phone, msgspec.json.decode(body, type=Writing))}
            case "GET", ["messages"]:
                return 200, {"messages": list(phone.sent.values())}
            case "POST", ["read"]:
                given = _object(body)
                chat = str(given["chat"])
                chat = chat if is_group(chat) else chat.lstrip("+")
                return 200, {"ids": self._network.mail.read(phone, chat, given.get("id"))}
            case "GET", ["inbox"]:
                return 200, {"messages": list(phone.inbox.values())}
            case "DELETE", ["inbox"]:
                phone.inbox.clear()
                return 200, {}
            case _:
                raise Refused(404, f"a phone has no {method} {'/'.join(rest)}")

    async def _scan(self, phone: Phone, given: dict[str, Any]) -> dict[str, Any]:
        if not phone.online:
            raise Refused(409, "this phone is switched off")
        if code := given.get("qr"):
            device = await self._network.scan(str(code), phone.number)
        elif code := given.get("pairCode"):
            device = await self._network.type_code(str(code), phone.number)
        else:
            raise Refused(400, "a scan needs qr or pairCode")
        return {"jid": device.jid, "device": device.device}

    async def _unlink(self, phone: Phone, given: dict[str, Any]) -> list[int]:
        removed = await self._network.unlink(phone.number, given.get("device"))
        if not removed:
            raise Refused(404, "this phone has no such linked device")
        return removed

    # --- Faults -------------------------------------------------------------------------------------------------------

    async def _on_faults(self, method: str, body: bytes) -> tuple[int, Any]:
        match method:
            case "POST":
                fault = msgspec.json.decode(body, type=Fault)
                if fault.kind not in KINDS:
                    raise Refused(400, f"there is no fault {fault.kind!r}")
                if fault.kind in CODED and not fault.code:
                    raise Refused(400, "this fault needs a code")
                met = await self._network.strike(fault)
                struck = met if fault.kind in AT_ONCE else fault.hit
                return 201, {**fault.view(), "hit": struck, "sockets": met}
            case "GET":
                return 200, {"faults": self._network.faults.list()}
            case "DELETE":
                self._network.faults.clear()
                return 200, {}
            case _:
                raise Refused(404, f"faults have no {method}")


def _object(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any]) if body else {}


def _patch(phone: Phone, given: dict[str, Any]) -> None:
    phone.deliver = bool(given.get("deliver", phone.deliver))
    phone.read_after_ms = given.get("readAfterMs", phone.read_after_ms)
    phone.online = bool(given.get("online", phone.online))
    phone.on_whatsapp = bool(given.get("onWhatsApp", phone.on_whatsapp))
    phone.hide_number = bool(given.get("hideNumber", phone.hide_number))
    phone.invite_only = bool(given.get("inviteOnly", phone.invite_only))
    if given.get("addressing", "lid") not in {"lid", "pn"}:  # both forms are told either way
        raise Refused(400, "addressing is lid or pn")


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    method, path, _ = (await reader.readline()).decode().split(" ", 2)
    length = 0
    while line := (await reader.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if length > BODY_LIMIT:
        raise ConnectionError("body too large")
    return method, path, await reader.readexactly(length)
