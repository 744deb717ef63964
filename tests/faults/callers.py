"""Clients that follow the contract: on 503 they try again with the same key; anything else that fails is a failure."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.faults.shop import MESSAGES, SESSIONS, Shop
from tests.stack import RunningStack

AGAIN_S = 0.2
GIVE_UP_AFTER_S = 30.0
WAIT_S = 15


class Caller:
    """Calls an edge; with `keep_alive` over connections that stay open, else over a new one for each call.

    A broken connection is a failure, unless it had been idle: then nobody can know whether the call arrived, and the
    call is repeated (RFC 9112, 9.3.1).
    """

    def __init__(self, stack: RunningStack, shop: Shop, *, keep_alive: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=20 if keep_alive else 0)
        self._http = httpx.AsyncClient(
            base_url=stack.url, headers={"X-API-Key": stack.key}, timeout=20, trust_env=False, limits=limits
        )
        self._shop = shop
        self.calls = 0
        self.asked_to_wait = 0
        """How often the answer was 503."""
        self.idle_breaks = 0
        self.longest_s = 0.0
        """Of the calls that did not ask to wait."""
        self.failures: list[str] = []
        """Each with the moment, as in the logs."""

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, number: int) -> None:
        """Send message `number`, some of them waiting for the outcome, and read it."""
        session = self._shop.sessions[number % len(self._shop.sessions)]
        contact = self._shop.contacts[number % len(self._shop.contacts)]
        key = f"caller-{uuid.uuid4().hex}"
        body = {"type": "text", "to": contact, "text": f"message {number} of {key}"}
        headers = {"Idempotency-Key": key} | ({"Prefer": f"wait={WAIT_S}"} if number % 3 else {})
        answer = await self._call("POST", f"{SESSIONS}/{session}/messages", json=body, headers=headers)
        if answer is None:
            return
        message = str(answer.json()["messageId"])
        self._shop.accepted[message] = contact
        await self._call("GET", f"{MESSAGES}/{message}")

    async def ask(self, number: int) -> None:
        """What the owner of a session has to answer, and WhatsApp."""
        session = f"{SESSIONS}/{self._shop.sessions[number % len(self._shop.sessions)]}"
        contact = self._shop.contacts[number % len(self._shop.contacts)]
        await self._call("POST", f"{session}/check", json={"phones": [contact]})
        await self._call("POST", f"{session}/presence", json={"to": contact, "state": "composing"})
        await self._call("GET", f"{session}/groups")

    async def look(self, number: int) -> None:
        """Read the list of sessions, and one of them."""
        await self._call("GET", SESSIONS)
        await self._call("GET", f"{SESSIONS}/{self._shop.sessions[number % len(self._shop.sessions)]}")

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        began = time.monotonic()
        self.calls += 1
        while time.monotonic() - began < GIVE_UP_AFTER_S:
            opened: list[str] = []

            async def trace(event: str, _: dict[str, Any], opened: list[str] = opened) -> None:
                if event.startswith("connection.connect_tcp"):
                    opened.append(event)

            try:
                answer = await self._http.request(method, path, extensions={"trace": trace}, **more)
            except httpx.TransportError as error:
                if opened:
                    self._fail(f"{method} {path}: {error!r}")
                else:
                    self.idle_breaks += 1
                await asyncio.sleep(AGAIN_S)
                continue
            if "Prefer" not in more.get("headers", ()):
                self.longest_s = max(self.longest_s, time.monotonic() - began)
            if answer.is_success:
                return answer
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                self._fail(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
                return None
            self.asked_to_wait += 1
            await asyncio.sleep(AGAIN_S)
        self._fail(f"{method} {path}: given up")
        return None

    def _fail(self, what: str) -> None:
        self.failures.append(f"{time.time():.3f} {what}")

    async def go_on(self, per_second: float, until: asyncio.Event) -> None:
        """Send, ask and look at this pace until told to stop."""
        deeds: tuple[Callable[[int], Awaitable[None]], ...] = (self.send, self.ask, self.send, self.look)
        number = 0
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                group.create_task(_as_coroutine(deeds[number % len(deeds)](number)))
                number += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1 / per_second):
                        await until.wait()

    def __str__(self) -> str:
        return (
            f"{self.calls} calls, {self.asked_to_wait} times 503, {self.idle_breaks} idle connections ended, "
            f"longest {self.longest_s:.1f} s"
        )


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
