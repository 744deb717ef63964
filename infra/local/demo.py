"""`./merpati demo`: the main job from the first QR code to the contact's answer, told as it happens."""

from __future__ import annotations

import base64
import hashlib
import random
import secrets
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import TextIO

import httpx
import msgspec
import qrcode
import websockets
from qrcode.constants import ERROR_CORRECT_L

from infra.local.customer import Customer, Json, Phones, RefusedError, Stream
from infra.local.screen import Screen

FAILED = 1
STEP_TIMEOUT_S = 120.0
TEXT = "Selamat pagi! The pigeon has landed."
CAPTION = "A square of sky"
ANSWER = "Terima kasih, it arrived."
DOCUMENT = b"Merpati carries messages.\nThis one came as a document.\n"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The stack to show it on."""

    url: str
    key: str
    phones_url: str
    engine: str


class DemoFailedError(Exception):
    """Something that belongs to the main job did not happen; the message says what."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: the lines to end with, and the exit code, 0 only when all of it happened."""

    code: int
    lines: tuple[str, ...]

    def tell(self, screen: Screen) -> int:
        """Say it; the exit code."""
        screen.say()
        for line in self.lines:
            screen.say(line)
        return self.code


async def demo(target: Target, screen: Screen) -> Outcome:
    """Run it, printing what happens while it does."""
    customer, phones = Customer(target.url, target.key), Phones(target.phones_url)
    started = time.monotonic()
    try:
        done = await Demo(customer, phones, target.engine, screen).run()
    except (DemoFailedError, RefusedError, httpx.TransportError, websockets.WebSocketException, OSError) as failure:
        return Outcome(code=FAILED, lines=(f"The demo failed: {failure}",))
    finally:
        await customer.close()
        await phones.close()
    head = f"All of it happened, in {time.monotonic() - started:.1f} s:"
    return Outcome(code=0, lines=(head, *(f"  - {line}" for line in done)))


class Demo:
    """One run: a new session, two new people."""

    def __init__(self, customer: Customer, phones: Phones, engine: str, screen: Screen) -> None:
        self._customer = customer
        self._phones = phones
        self._engine = engine
        self._screen = screen
        self._own = _number()
        self._contact = _number()
        self._carries_files = engine != "scripted"
        """The scripted network shows that a file came, not what was in it."""
        self._sent: dict[str, str] = {}
        """Message id by what it is."""

    async def run(self) -> list[str]:
        """The whole story; what happened, in sentences."""
        session = await self._customer.create_session(f"demo-{secrets.token_hex(4)}", self._engine)
        self._screen.say(f"Session {session} on the network {self._engine}.")
        async with self._customer.stream(session, self.show_frame) as stream:
            linked_s = await self._link(session, stream)
            await self._send_all(session)
            await self._each(stream, "message.delivered")
            await self.check_inbox()
            await self._phones.read(self._contact, self._own)
            await self._each(stream, "message.read")
            await self._answer(stream)
            await self._check_history()
            return [
                f"linked by QR {linked_s:.1f} s after the scan",
                "a text, an image and a document accepted, delivered and read",
                "each once on the contact's phone" + (", the files byte for byte" if self._carries_files else ""),
                "the contact's answer received",
                f"{len(stream.frames)} frames on the live stream, cursors rising",
            ]

    async def _link(self, session: str, stream: Stream) -> float:
        await self._phones.add(self._own, "Merpati's owner")
        await self._phones.add(self._contact, "Ibu Sari")
        code = await self._customer.start_pairing(session)
        draw(code, sys.stdout)
        self._screen.say("The simulated phone scans it.")
        scanned = time.monotonic()
        await self._phones.scan(self._own, code)
        await self._frame(stream, "session.connected", bool, "the session to be connected")
        return time.monotonic() - scanned

    async def _send_all(self, session: str) -> None:
        send, to = self._customer.send, self._contact
        self._sent["text"] = await send(session, to, type="text", text=TEXT)
        media = await self._customer.upload("sky.png", picture(), "image/png")
        self._sent["image"] = await send(session, to, type="image", mediaId=media, caption=CAPTION)
        data = f"data:text/plain;base64,{base64.b64encode(DOCUMENT).decode()}"
        self._sent["document"] = await send(session, to, type="document", data=data, fileName="merpati.txt")

    async def _each(self, stream: Stream, type_: str) -> None:
        """Wait for this status of everything sent."""
        for kind, message in self._sent.items():
            await self._frame(stream, type_, _about(message), f"{type_} of the {kind}")

    async def _frame(self, stream: Stream, type_: str, what: Callable[[Json], bool], asked: str) -> None:
        if await stream.wait_for(type_, what, STEP_TIMEOUT_S) is None:
            raise DemoFailedError(f"waited {STEP_TIMEOUT_S:.0f} s in vain for {asked}")

    async def check_inbox(self) -> None:
        """Once each, and exactly what was sent."""
        shown = await self._phones.inbox(self._contact)
        seen = [(row["type"], row.get("text") or row.get("caption") or row.get("fileName")) for row in shown]
        if Counter(seen) != Counter([("text", TEXT), ("image", CAPTION), ("document", "merpati.txt")]):
            raise DemoFailedError(f"the contact's phone shows {len(shown)} messages: {[kind for kind, _ in seen]}")
        files = {"image": picture(), "document": DOCUMENT} if self._carries_files else {}
        for row in shown:
            content = files.get(row["type"])
            if content is not None and row.get("sha256") != hashlib.sha256(content).hexdigest():
                raise DemoFailedError(f"the {row['type']} on the contact's phone is not the one that was sent")

    async def _answer(self, stream: Stream) -> None:
        await self._phones.write(self._contact, self._own, ANSWER)
        await self._frame(stream, "message.received", _says(ANSWER), "the contact's answer")
        cursors = [_position(frame) for frame in stream.frames if frame["type"] != "ping"]
        if cursors != sorted(set(cursors)):
            raise DemoFailedError("the stream's cursors do not rise strictly")

    async def _check_history(self) -> None:
        for kind, message in self._sent.items():
            row = await self._customer.message(message)
            statuses = [entry["status"] for entry in row["history"]]
            if row["status"] != "read" or not {"delivered", "read"} <= set(statuses):
                raise DemoFailedError(f"the {kind} is {row['status']}, its history {statuses}")

    def show_frame(self, frame: Json) -> None:
        """One line, with what it is that went out: its frame may come before the answer that names its id."""
        if frame["type"] == "ping":
            return
        data: Json = frame.get("data") or {}
        kind = data.get("type") if data.get("direction") == "out" else None
        about = " ".join(filter(None, [kind, data.get("status"), data.get("reason")]))
        self._screen.say(f"  {str(frame.get('occurredAt') or '')[11:23]:12}  {frame['type']:20} {about}")


def draw(code: str, output: TextIO) -> None:
    """The QR code in half blocks, light on dark, as a phone's camera wants it."""
    symbol = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=2)
    symbol.add_data(code)
    symbol.print_ascii(out=output, invert=True)


def picture(side: int = 64) -> bytes:
    """A small PNG: a gradient of blue."""
    rows = b"".join(b"\0" + bytes(v for x in range(side) for v in (x * 2, y * 2, 200)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _number() -> str:
    return f"62812{random.randrange(10**8):08}"  # noqa: S311 - a made-up number, not a secret


def _about(message: str) -> Callable[[Json], bool]:
    return lambda data: data.get("messageId") == message


def _says(text: str) -> Callable[[Json], bool]:
    return lambda data: data.get("text") == text


def _position(frame: Json) -> int:
    return int(str(frame["cursor"]).rpartition("-")[2])
