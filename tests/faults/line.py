"""One linked session with one contact, on a running stack: what a test does to them, and what it sees of them."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import msgspec

from infra.local.customer import BASE, Customer
from libs.contracts.ids import UPDATES
from tests.faults.simulated import SimulatedNetwork
from tests.faults.told import all_in
from tests.processes import PATIENCE_S, eventually
from tests.stack import RunningStack

Json = dict[str, Any]
_numbers = itertools.count()


class Line:
    """A session, its number, and a person who gets what it sends. Closed by `close`."""

    def __init__(self, stack: RunningStack, network: SimulatedNetwork) -> None:
        line = next(_numbers)
        self.network, self.customer = network, Customer(stack.url, stack.key)
        self._engine, self._nats_url = stack.ready.networks[0], stack.ready.nats_url
        self.number, self.contact = f"6281270{line:05d}", f"6281370{line:05d}"
        self.another_contact = f"6281470{line:05d}"
        self.session = ""
        self._name = f"line {line}"
        self._http = httpx.AsyncClient(
            base_url=stack.url, headers={"X-API-Key": stack.key}, timeout=30, trust_env=False
        )

    async def open(self) -> None:
        """Link it, and wait until it is connected."""
        await self.network.add(self.number, self._name)
        await self.network.add(self.contact, f"contact of {self._name}")
        self.session = await self.customer.create_session(self._name, self._engine)
        await self.link()

    async def link(self) -> None:
        """Let the phone scan a new code."""
        await self.network.scan(self.number, await self.customer.start_pairing(self.session))
        await self.until_session("connected")

    async def close(self) -> None:
        await self.customer.close()
        await self._http.aclose()

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request with the customer's key, below the base."""
        return await self._http.request(method, BASE + path, **more)

    # --- Messages ----------------------------------------------------------------------------------------------------

    async def send(self, text: str = "Selamat pagi", *, to: str | None = None, **more: Any) -> str:
        """A text to the contact; its message id."""
        return await self.customer.send(self.session, to or self.contact, type="text", text=text, **more)

    async def message(self, message: str) -> Json:
        """The message object with its history."""
        return await self.customer.message(message)

    async def until_message(self, message: str, *, within_s: float = PATIENCE_S, **fields: Any) -> Json:
        """The message object, once these fields are so; a `status` may have been passed on the way."""

        async def so() -> Json | None:
            row = await self.message(message)
            seen = {item["status"] for item in row["history"]} | {row["status"]}
            status = fields.get("status")
            others = {name: value for name, value in fields.items() if name != "status"}
            return row if (status is None or status in seen) and others.items() <= row.items() else None

        found = await eventually(so, within_s=within_s)
        assert found is not None
        return found

    async def assert_arrived_once(self, message: str, *, copies: int | None = None, at: str | None = None) -> None:
        """Counted on the phone: one row with the message's WhatsApp id; `copies` came over the wire."""
        wa_id = (await self.message(message))["waId"]
        rows = [row for row in await self.network.shown(at or self.contact) if row["id"] == wa_id]
        assert len(rows) == 1
        if copies is not None:
            assert rows[0]["copies"] == copies

    async def assert_nothing_arrived(self, at: str | None = None) -> None:
        """Counted on the phone."""
        assert await self.network.shown(at or self.contact) == []

    # --- The session -------------------------------------------------------------------------------------------------

    async def health(self) -> Json:
        """GET health."""
        answer = await self.ask("GET", f"/sessions/{self.session}/health")
        assert answer.is_success, answer.text
        return dict(answer.json()["data"])

    async def until_online(self, *, within_s: float = PATIENCE_S) -> None:
        """Wait until WhatsApp itself has a connection of the session: what it says of itself comes a moment later."""
        await eventually(lambda: self.network.is_online(self.number), within_s=within_s)

    async def was_told(self, type_: str, *, reason: str) -> bool:
        """Whether the customer got such a frame: a state may end before anybody asks for it."""
        frames = await all_in(self._nats_url, UPDATES, f"updates.*.*.{self.session}.{type_}")
        return any(msgspec.json.decode(frame.data)["data"]["reason"] == reason for frame in frames)

    async def until_session(self, *states: str, within_s: float = PATIENCE_S, reason: str | None = None) -> Json:
        """The health, once the session is in one of these states (for this reason)."""

        async def so() -> Json | None:
            health = await self.health()
            return health if health["state"] in states and reason in (None, health["reason"]) else None

        found = await eventually(so, within_s=within_s)
        assert found is not None
        return found
