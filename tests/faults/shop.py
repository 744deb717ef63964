"""A business under load: linked sessions, contacts with phones, and messages sent as a careful client sends them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import httpx

from infra.local.customer import Customer, Phones, RefusedError
from tests.processes import PATIENCE_S, eventually
from tests.stack import RunningStack

SESSIONS = "/api/customer/whatsapp/sessions"
MESSAGES = "/api/customer/whatsapp/messages"
GIVE_UP_AFTER_S = 180.0
"""Both servers and both edges may be down one after the other; on a busy machine that takes its time."""
LINKS_AT_ONCE = 5


class Shop:
    """Sessions and contacts of one customer on a running stack."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.customer = Customer(stack.url, stack.key)
        self.phones = Phones(stack.simulator_url)
        self.http = httpx.AsyncClient(base_url=stack.url, headers={"X-API-Key": stack.key}, timeout=20, trust_env=False)
        self.sessions: list[str] = []
        self.numbers: list[str] = []
        """The phone number of each session."""
        self.contacts: list[str] = []
        self.accepted: dict[str, str] = {}
        """Message id -> the contact it goes to."""

    async def close(self) -> None:
        await asyncio.gather(self.customer.close(), self.phones.close(), self.http.aclose())

    async def open(self, sessions: int, contacts: int) -> None:
        """Link this many sessions, and make this many phones that receive."""
        self.contacts = [f"62811900{number:04d}" for number in range(contacts)]
        for number in self.contacts:
            await self.phones.add(number, f"contact {number[-2:]}")
        self.numbers = [f"62812800{number:04d}" for number in range(sessions)]
        for first in range(0, sessions, LINKS_AT_ONCE):
            links = [self._link(number) for number in self.numbers[first : first + LINKS_AT_ONCE]]
            self.sessions += await asyncio.gather(*links)
        await self.all_connected()

    async def _link(self, number: str) -> str:
        name = f"shop {number[-4:]} {uuid.uuid4().hex[:6]}"
        session = await self.customer.create_session(name, "simulator")
        await self.phones.add(number, name)
        await eventually(lambda: self._scanned(session, number), within_s=GIVE_UP_AFTER_S)
        return session

    async def _scanned(self, session: str, number: str) -> bool:
        """Scan the code of now; a session that moves to another replica meanwhile shows a new one."""
        try:
            await self.phones.scan(number, await self.customer.start_pairing(session))
        except RefusedError:
            return False
        return True

    async def all_connected(self, within_s: float = PATIENCE_S) -> None:
        """Wait until every session says that it is connected."""

        async def connected() -> bool:
            return all([(await self.customer.session(s))["status"] == "CONNECTED" for s in self.sessions])

        await eventually(connected, within_s=within_s)

    async def send(self, number: int) -> str:
        """Send message `number`, repeating with the same Idempotency-Key until it is accepted."""
        session = self.sessions[number % len(self.sessions)]
        contact = self.contacts[number % len(self.contacts)]
        key = f"fault-{uuid.uuid4().hex}"
        body = {"type": "text", "to": contact, "text": f"message {number} of {key}"}
        deadline = asyncio.get_running_loop().time() + GIVE_UP_AFTER_S
        while True:
            try:
                answer = await self.http.post(
                    f"{SESSIONS}/{session}/messages", json=body, headers={"Idempotency-Key": key}
                )
                if answer.is_success:
                    message = str(answer.json()["messageId"])
                    self.accepted[message] = contact
                    return message
                assert answer.status_code == 503, answer.text
            except httpx.TransportError:
                pass
            assert asyncio.get_running_loop().time() < deadline, "no edge accepted the message"
            await asyncio.sleep(0.2)

    async def send_on(self, per_second: float, until: asyncio.Event) -> None:
        """Send at this pace until told to stop, each in its own task: one that waits for an edge holds no other up."""
        number = 0
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                group.create_task(self.send(number))
                number += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1 / per_second):
                        await until.wait()

    async def message(self, message: str) -> dict[str, Any]:
        """The message object, asked again while the edge or the database is away."""

        async def ask() -> dict[str, Any] | None:
            try:
                return await self.customer.message(message)
            except httpx.TransportError:
                return None
            except RefusedError as error:
                if error.status != 503:
                    raise
                return None

        found = await eventually(ask, within_s=GIVE_UP_AFTER_S)
        assert found is not None
        return found

    async def all_delivered(self, within_s: float = PATIENCE_S) -> None:
        """Wait until every accepted message is at least delivered."""
        left = set(self.accepted)

        async def done() -> bool:
            for message in list(left):
                if (await self.message(message))["status"] in ("delivered", "read", "played"):
                    left.discard(message)
            return not left

        await eventually(done, within_s=within_s, every_s=0.5)

    async def all_shown(self, within_s: float = PATIENCE_S) -> None:
        """Wait until the phones show as many messages as were accepted."""

        async def shown() -> bool:
            return len(await self.inbox_of_all()) >= len(self.accepted)

        await eventually(shown, within_s=within_s, every_s=1)

    async def inbox_of_all(self) -> list[dict[str, Any]]:
        """Every row that the contacts' phones show."""
        return [row for number in self.contacts for row in await self.phones.inbox(number)]

    async def assert_each_arrived_once(self) -> None:
        """Counted on the phones: each accepted message is one row, and there is no other."""
        rows = await self.inbox_of_all()
        shown = sorted(row["text"] for row in rows)
        assert len(shown) == len(set(shown)), "a phone shows a message twice"
        assert len(rows) == len(self.accepted), f"{len(self.accepted)} accepted, {len(rows)} shown"
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids))
