"""`./merpati link`: links a real account from the terminal, by QR code."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from infra.local import ready
from infra.local.customer import Customer, Json, RefusedError, Stream
from infra.local.demo import draw
from infra.local.screen import CannotRunError, Screen

LINK_TIMEOUT_S = 180.0
"""Six codes: 60 s for the first, then 20 s each, and some."""


async def link(data: Path, *, name: str, engine: str, screen: Screen) -> int:
    """Make the session unless it exists, show each code, and end when it is connected; the exit code."""
    stack = ready.of_running_stack(data / "ready.json")
    if stack is None:
        raise CannotRunError(f"No stack is ready in {data}; start one with ./merpati up.")
    customer = Customer(stack.url, stack.api_key)
    try:
        session = await _session(customer, name, engine)
        shown = _Shown(screen)
        async with customer.stream(session, shown.frame) as stream:
            return await _linked(customer, session, stream, shown)
    except RefusedError as refusal:
        screen.say(f"Not linked: {refusal}")
        return 1
    finally:
        await customer.close()


async def _session(customer: Customer, name: str, engine: str) -> str:
    try:
        return str((await customer.session(name))["id"])
    except RefusedError as refusal:
        if not refusal.is_unknown:
            raise
        return await customer.create_session(name, engine)


async def _linked(customer: Customer, session: str, stream: Stream, shown: _Shown) -> int:
    if (await customer.session(session))["status"] == "CONNECTED":
        shown.say("This session is linked and connected already.")
        return 0
    shown.say("On the phone: Linked devices, Link a device, and scan this:")
    await customer.start(session)
    with suppress(RefusedError):  # linked before: it has no code, and connects
        shown.code(await customer.start_pairing(session))  # its frame may have passed before the stream was open
    if await stream.wait_for("session.connected", bool, LINK_TIMEOUT_S) is None:
        shown.say("Nobody linked it in time; run this again for new codes.")
        return 1
    shown.say("Linked and connected.")
    return 0


class _Shown:
    """What the person sees: each code once, and each turn of the session."""

    def __init__(self, screen: Screen) -> None:
        self.say = screen.say
        self._drawn: set[str] = set()

    def code(self, code: str) -> None:
        if code not in self._drawn:
            self._drawn.add(code)
            draw(code, sys.stdout)

    def frame(self, frame: Json) -> None:
        if frame["type"] == "session.qr" and frame["data"].get("qrRaw"):
            self.code(str(frame["data"]["qrRaw"]))
        elif frame["type"].startswith("session."):
            self.say(f"  {frame['type']}")
