"""A customer's side of the API: calls over HTTP, and the live stream as it comes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import websockets

Json = dict[str, Any]
BASE = "/api/customer/whatsapp"
CALL_TIMEOUT_S = 40.0
TRY_FOR_S = 30.0
TRY_AGAIN_S = 0.5


class RefusedError(Exception):
    """The API (or the simulated network) said no; the message is what it said."""

    def __init__(self, call: str, status: int, message: str) -> None:
        self.status = status
        self.is_unknown = status == HTTPStatus.NOT_FOUND
        super().__init__(f"{call} answered {status}: {message}")


class Customer:
    """Calls with one customer's API key; one that is answered 503, "not now", is made again for up to 30 s."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._http = httpx.AsyncClient(
            base_url=self._url, headers={"X-API-Key": key}, timeout=CALL_TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def create_session(self, name: str, engine: str) -> str:
        """The id of the session of this name, which is made unless it is there: a first try may have made it."""
        try:
            made = await self._call("POST", f"{BASE}/sessions", json={"name": name, "engine": engine})
        except RefusedError as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            return str((await self.session(name))["id"])
        return str(made["session"]["id"])

    async def session(self, session: str) -> Json:
        return dict((await self._call("GET", f"{BASE}/sessions/{session}"))["session"])

    async def start_pairing(self, session: str) -> str:
        """The string in the QR code; waits for the first one."""
        answer = await self._answer("GET", f"{BASE}/sessions/{session}/qr", params={"format": "raw", "wait": 20})
        return answer.text if answer.is_success else str(_judged("GET qr", answer))

    async def start(self, session: str) -> None:
        """Connect it; begins pairing when it is not linked."""
        await self._call("POST", f"{BASE}/sessions/{session}/start")

    async def send(self, session: str, to: str, **content: Any) -> str:
        """The accepted message's id. However often it is asked for, it is sent once."""
        body, once = {"to": to, **content}, {"Idempotency-Key": uuid.uuid4().hex}
        answer = await self._call("POST", f"{BASE}/sessions/{session}/messages", json=body, headers=once)
        return str(answer["messageId"])

    async def upload(self, name: str, content: bytes, mimetype: str) -> str:
        """The media id, for `send(mediaId=...)`."""
        answer = await self._call("POST", f"{BASE}/media", files={"file": (name, content, mimetype)})
        return str(answer.get("mediaId") or answer["data"]["mediaId"])

    async def message(self, message: str) -> Json:
        """The message object with its history."""
        return dict((await self._call("GET", f"{BASE}/messages/{message}"))["data"])

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        return _judged(f"{method} {path}", await self._answer(method, path, **more))

    async def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The first answer that is not 503, or the last one."""
        deadline = monotonic() + TRY_FOR_S
        while True:
            answer = await self._http.request(method, path, **more)
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or monotonic() > deadline:
                return answer
            await asyncio.sleep(TRY_AGAIN_S)

    @asynccontextmanager
    async def stream(self, session: str, heard: Callable[[Json], None]) -> AsyncGenerator[Stream]:
        """The live stream of one session while the block runs; `heard` is called with each frame."""
        query = urlencode({"session": session})
        address = f"{self._url.replace('http', 'ws', 1)}{BASE}/stream?{query}"
        subprotocols = [websockets.Subprotocol("bearer"), websockets.Subprotocol(self._key)]
        async with websockets.connect(address, subprotocols=subprotocols, proxy=None) as socket:
            stream = Stream()
            reading = asyncio.create_task(stream.read(socket, heard))
            try:
                yield stream
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading


class Stream:
    """Every frame so far, and a way to wait for one."""

    def __init__(self) -> None:
        self.frames: list[Json] = []
        self._more = asyncio.Condition()
        self._ended: str | None = None

    async def read(self, socket: websockets.ClientConnection, heard: Callable[[Json], None]) -> None:
        """Collect frames until the socket closes."""
        try:
            async for text in socket:
                frame = json.loads(text)
                heard(frame)
                await self._add(frame)
        finally:
            self._ended = f"the stream closed ({socket.close_code} {socket.close_reason})"
            async with self._more:
                self._more.notify_all()

    async def wait_for(self, type_: str, what: Callable[[Json], bool], timeout_s: float) -> Json | None:
        """The first frame of this type, past or coming, whose data is what is asked for; None when it stays away."""

        def found() -> Json | None:
            return next((f for f in self.frames if f["type"] == type_ and what(f["data"])), None)

        async def wait() -> None:
            async with self._more:
                await self._more.wait_for(lambda: found() is not None or self._ended is not None)

        with suppress(TimeoutError):
            await asyncio.wait_for(wait(), timeout_s)
        return found()

    async def _add(self, frame: Json) -> None:
        async with self._more:
            self.frames.append(frame)
            self._more.notify_all()


class Phones:
    """People with phones on the simulated network, through its control API."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), timeout=CALL_TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def add(self, number: str, name: str) -> None:
        await self._call("POST", "/phones", json={"number": number, "name": name})

    async def scan(self, number: str, qr: str) -> None:
        await self._call("POST", f"/phones/{number}/scan", json={"qr": qr})

    async def write(self, number: str, to: str, text: str) -> None:
        await self._call("POST", f"/phones/{number}/messages", json={"to": to, "type": "text", "text": text})

    async def read(self, number: str, chat: str) -> None:
        """The person opens the chat: everything in it is read."""
        await self._call("POST", f"/phones/{number}/read", json={"chat": chat})

    async def inbox(self, number: str) -> list[Json]:
        """What the phone shows, decrypted, in order."""
        return list((await self._call("GET", f"/phones/{number}/inbox"))["messages"])

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        return _judged(f"{method} {path}", await self._http.request(method, path, **more))


def _judged(call: str, answer: httpx.Response) -> Json:
    body = _body(answer)
    if not answer.is_success:
        raise RefusedError(call, answer.status_code, str(body.get("message") or "no message"))
    return body


def _body(answer: httpx.Response) -> Json:
    """The JSON object of an answer; empty when it holds something else."""
    try:
        return msgspec.json.decode(answer.content, type=Json)
    except msgspec.DecodeError:
        return {}
