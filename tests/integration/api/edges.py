"""A running edge as tests use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from infra.bootstrap import Bootstrapped
from services.api.context import Edge
from services.api.memory import Memory
from services.api.serving import Server

RING = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OWNER_PASSWORD = "correct horse"
BASE = "/api/customer/whatsapp"
BOUND_S = 30.0
SOON = timedelta(hours=1)


class Site(msgspec.Struct, kw_only=True, eq=False):
    """One edge, a client without credentials, and the customer that the bootstrap made."""

    url: str
    client: httpx.AsyncClient
    edge: Edge
    account: Bootstrapped
    server: Server
    serving: asyncio.Task[None]

    async def stop(self) -> None:
        """End the edge, as SIGTERM does."""
        self.server.should_exit = True
        await asyncio.wait_for(asyncio.shield(self.serving), BOUND_S)

    async def until_live(self) -> None:
        """Wait until it answers."""
        await self._until("/livez")

    async def until_ready(self) -> None:
        """Wait until it is ready."""
        await self._until("/readyz")

    async def _until(self, path: str) -> None:
        said = "no answer"
        for _ in range(int(BOUND_S / 0.02)):
            try:
                answer = await self.client.get(path, timeout=5)
            except httpx.TransportError:
                assert not self.serving.done(), f"the edge has ended: {self.serving}"
                await asyncio.sleep(0.02)
                continue
            if answer.is_success:
                return
            said = answer.text
            await asyncio.sleep(0.02)
        raise AssertionError(f"{path} did not answer 200 in {BOUND_S} s: {said}")

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request with the customer's API key, below the base unless the path begins with `//`."""
        headers = {"Authorization": f"Bearer {self.account.api_key}", **more.pop("headers", {})}
        url = path[1:] if path.startswith("//") else BASE + path
        return await self.client.request(method, url, headers=headers, **more)

    async def make_session(self, name: str = "Sales", **more: Any) -> str:
        """A new session's id."""
        answer = await self.call("POST", "/sessions", json={"name": name, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["session"]["id"]

    async def sign_in(self, identifier: str | None = None, password: str = OWNER_PASSWORD) -> str:
        """The token of the owner, or of somebody else."""
        body = {"identifier": identifier or self.account.email, "password": password}
        answer = await self.client.post("/api/auth/signin", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["token"]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the error envelope; returns the body."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["success"] is False
    assert body["error"] == code
    assert isinstance(body["message"], str)
    assert body["message"]
    assert body["requestId"] == answer.headers["x-request-id"]
    assert set(body) <= {"success", "error", "message", "details", "requestId"}
    return body


async def observe(rows: Any, session_id: str, status: str, **state: Any) -> None:
    """Act as the session's owner: write what it sees, having seen all that is wanted."""
    wanted = await rows.sessions.find_one({"_id": session_id})
    document: dict[str, Any] = {
        "customerId": wanted["customerId"],
        "network": wanted["engine"],
        "shard": wanted["shard"],
        "status": status,
        "seenStarts": wanted["starts"],
        "seenRestarts": wanted["restarts"],
        "seenLogouts": wanted["logouts"],
        "seenVersion": wanted["version"],
        "updatedAt": datetime.now(UTC),
    }
    await rows.session_states.replace_one({"_id": session_id}, document | state, upsert=True)
    lease = f"sessions/{wanted['engine']}/{wanted['shard']:02d}"
    await rows.leases.update_one(
        {"_id": lease}, {"$set": {"owner": "test", "epoch": 1}, "$inc": {"beat": 1}}, upsert=True
    )


async def wanted_state(rows: Any, session_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until what is wanted of this session fulfils the condition."""
    for _ in range(int(BOUND_S / 0.01)):
        document: dict[str, Any] = await rows.sessions.find_one({"_id": session_id})
        if condition(document):
            return document
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {BOUND_S} s: {document}")


async def until(condition: Callable[[], Awaitable[bool]], *, bound_s: float = BOUND_S) -> None:
    """Wait until the condition holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + bound_s
    while not await condition():
        assert loop.time() < deadline, f"not within {bound_s} s"
        await asyncio.sleep(0.01)


async def believing(site: Site, *, life_s: float = 3_600.0, clock: Callable[[], float] = time.monotonic) -> None:
    """Give the edge another memory, which it uses from now on: by default only a broadcast ends its beliefs."""
    await site.edge.memory.stop()
    site.edge.memory = Memory(site.edge.bus, life_s=life_s, entries=1_000, clock=clock)
    await site.edge.memory.start()


def soon() -> datetime:
    """When a code of a test ends: later than any machine is slow."""
    return datetime.now(UTC) + SOON
