"""docker-compose.yml from the first `up` to `down -v`: the main job, replicas, kills, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from infra.local.customer import BASE, Customer, Phones, RefusedError
from libs.contracts.ids import shard_of, shard_token
from tests.containers.composition import SERVICES, CommandFailed, Composition, demo

pytestmark = [pytest.mark.needs_containers, pytest.mark.timeout(1_800)]
TWO_OF_EACH = {"api": 2, "sender": 2, "status": 2, "sessions": 2, "sessions_simulator": 2}
BEFORE_THE_KILL, AFTER_IT = 10, 10
ACCEPTED_WITHIN_S = 60
DELIVERED = {"delivered", "read"}


def test_the_secret_keys_alone_bring_everything_up_healthy(composition: Composition) -> None:
    states = {service: composition.containers(service)[0]["State"] for service in SERVICES}
    assert {service: state["Health"]["Status"] for service, state in states.items()} == dict.fromkeys(
        SERVICES, "healthy"
    )
    assert composition.containers("init")[0]["State"]["ExitCode"] == 0


@pytest.mark.parametrize("server", ["nats", "mongo"])
def test_a_server_without_a_password_is_published_nowhere(composition: Composition, server: str) -> None:
    container = composition.containers(server)[0]
    assert not any(container["NetworkSettings"]["Ports"].values())
    assert list(container["NetworkSettings"]["Networks"]) == [f"{composition.project}_backend"]


def test_without_secret_keys_nothing_starts_and_the_cure_is_named(built: Composition, tmp_path: Path) -> None:
    empty = tmp_path / ".env"
    empty.touch()
    with pytest.raises(CommandFailed, match=r"MERPATI_SECRET_KEYS.*docker-compose\.yml"):
        built.compose("up", "-d", settings=empty)


def test_the_demo_runs_against_the_published_port(composition: Composition) -> None:
    key = composition.logins().api_key
    assert "All of it happened" in demo(composition.urls()[0], key, composition.simulator_url())


async def test_the_printed_passwords_open_both_accounts(composition: Composition) -> None:
    logins = composition.logins()
    accounts = [(logins.email, logins.password), (logins.admin_email, logins.admin_password)]
    async with httpx.AsyncClient(base_url=composition.urls()[0], timeout=30, trust_env=False) as client:
        for email, password in accounts:
            answer = await client.post("/api/auth/signin", json={"email": email, "password": password})
            assert answer.status_code == 200, f"{email}: {answer.status_code}"


def test_init_may_run_again_and_changes_nothing(composition: Composition) -> None:
    before = composition.logins()
    said = composition.compose("run", "--rm", "-T", "init")
    assert "streams are as the contract says" in said
    assert composition.logins() == before


def test_each_service_runs_in_two_replicas_and_either_edge_serves_the_demo(composition: Composition) -> None:
    composition.up(**TWO_OF_EACH)
    assert {service: len(composition.containers(service)) for service in SERVICES} == dict.fromkeys(SERVICES, 2)
    key, urls = composition.logins().api_key, composition.urls()
    assert len(set(urls)) == 2
    for url in urls:
        demo(url, key, composition.simulator_url())


@pytest.mark.parametrize("service", ["sender", "sessions/simulator", "status"])
async def test_an_owner_killed_while_its_messages_flow_loses_and_doubles_none(
    composition: Composition, service: str
) -> None:
    composition.up(**TWO_OF_EACH)
    async with linked_session(composition) as link:
        owner = await asyncio.to_thread(composition.owner, f"{service}/{link.shard}")
        await kill_in_mid_flow(link, service, lambda: composition.kill(owner))


@pytest.mark.parametrize("server", ["nats", "mongo"])
async def test_a_server_killed_while_messages_flow_loses_and_doubles_none(
    composition: Composition, server: str
) -> None:
    def kill_and_start_again() -> None:
        composition.kill(composition.containers(server)[0]["Id"])
        composition.compose("up", "-d", "--no-recreate", "--no-deps", server)

    composition.up(**TWO_OF_EACH)
    async with linked_session(composition) as link:
        await kill_in_mid_flow(link, server, kill_and_start_again)


async def kill_in_mid_flow(link: Link, what: str, kill: Callable[[], None]) -> None:
    """Send, kill, send on; then every accepted message is there, once, and known as delivered.

    It is sent for as long as all that takes, however long the engine needs for a kill: the middle is always in between.
    """
    is_enough = asyncio.Event()
    sending = asyncio.create_task(link.send_until(is_enough))
    await eventually(lambda: link.has_arrived(BEFORE_THE_KILL), 60, "the first messages to arrive")
    await asyncio.to_thread(kill)
    killed_at, before = time.monotonic(), len(await link.inbox())
    await eventually(lambda: link.has_arrived(before + 1), 60, "the next message to arrive")
    pause_s = time.monotonic() - killed_at
    await eventually(lambda: link.has_arrived(before + AFTER_IT), 60, "further messages to arrive")
    is_enough.set()
    accepted = await sending
    await eventually(lambda: link.has_arrived(len(accepted)), 90, "every accepted message to arrive")
    await eventually(lambda: link.all_delivered(accepted), 90, "every message to be seen as delivered")
    assert await link.inbox() == Counter(accepted.values())
    told_s = time.monotonic() - killed_at
    said = f"{what} killed at {before} of {len(accepted)}: next after {pause_s:.1f} s, all known after {told_s:.1f} s"
    print(said)  # noqa: T201 - the seconds are what a reader of the run wants to see


async def test_a_link_outlives_the_removal_of_every_container(composition: Composition) -> None:
    async with linked_session(composition) as link:
        await asyncio.to_thread(composition.down)
        await asyncio.to_thread(composition.up)
        async with contextlib.aclosing(link.at(composition)) as again:
            await eventually(again.is_connected, 60, "the session to be connected again, without a QR code")
            accepted = await again.send_one()
            await eventually(lambda: again.has_arrived(1), 60, "a message to arrive")
            assert await again.inbox() == Counter(accepted.values())


def test_no_log_holds_a_secret(composition: Composition) -> None:
    logins, logs = composition.logins(), composition.logs()
    assert "the first rows are there" in logs
    for secret in (logins.api_key, logins.password, logins.admin_password, composition.secret_keys.partition(":")[2]):
        assert secret not in logs


# --- One linked session and its contact ------------------------------------------------------------------------------


class Link:
    """A session on the simulated network, the person it writes to, and the texts between them."""

    def __init__(self, url: str, key: str, simulator_url: str, *, session: str, own: str, contact: str) -> None:
        self._key, self._session, self._own, self._contact = key, session, own, contact
        self._customer, self._phones = Customer(url, key), Phones(simulator_url)
        self._http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)

    @property
    def shard(self) -> str:
        """The session's shard as leases name it."""
        return shard_token(shard_of(self._session))

    async def aclose(self) -> None:
        await self._customer.close()
        await self._phones.close()
        await self._http.aclose()

    async def scan(self) -> None:
        """Both people get their phones; the owner's scans the session's QR code."""
        await self._phones.add(self._own, "Owner")
        await self._phones.add(self._contact, "Contact")
        await self._phones.scan(self._own, await self._customer.start_pairing(self._session))
        await eventually(self.is_connected, 60, "the session to be connected")

    def at(self, composition: Composition) -> Link:
        """The same session on a deployment that has come back, perhaps at other ports."""
        where = composition.urls()[0], self._key, composition.simulator_url()
        return Link(*where, session=self._session, own=self._own, contact=self._contact)

    async def send_until(self, is_enough: asyncio.Event) -> dict[str, str]:
        """Send one text after another, each until it is accepted; the text of each accepted message."""
        accepted: dict[str, str] = {}
        while not is_enough.is_set():
            accepted |= await self.send_one(len(accepted))
            await asyncio.sleep(0.1)  # the pace of the customer, not a wait for anything
        return accepted

    async def send_one(self, number: int = 0) -> dict[str, str]:
        """Send the text with this number until it is accepted; the text of the accepted message."""
        text = f"{self._session} {number}"
        return {await self._accepted(text): text}

    async def _accepted(self, text: str) -> str:
        """Repeat as a customer would: with the same `Idempotency-Key`, until the answer is 2xx; the message's id."""
        key = {"X-API-Key": self._key, "Idempotency-Key": uuid.uuid4().hex}
        body = {"to": self._contact, "type": "text", "text": text}
        deadline = time.monotonic() + ACCEPTED_WITHIN_S
        while True:
            answer = await self._http.post(f"{BASE}/sessions/{self._session}/messages", json=body, headers=key)
            if answer.is_success:
                return str(answer.json()["messageId"])
            assert answer.status_code == 503, answer.text
            assert time.monotonic() < deadline, f"not accepted within {ACCEPTED_WITHIN_S} s: {answer.text}"
            await asyncio.sleep(0.5)

    async def inbox(self) -> Counter[str]:
        """How often the contact's phone shows each text."""
        return Counter(str(row.get("text")) for row in await self._phones.inbox(self._contact))

    async def has_arrived(self, count: int) -> bool:
        return len(await self.inbox()) >= count

    async def is_connected(self) -> bool:
        return str((await self._customer.session(self._session))["status"]).lower() == "connected"

    async def all_delivered(self, accepted: dict[str, str]) -> bool:
        for message in accepted:
            if (await self._customer.message(message))["status"] not in DELIVERED:
                return False
        return True


@asynccontextmanager
async def linked_session(composition: Composition) -> AsyncGenerator[Link]:
    """A new session, linked to a new phone, with a new contact."""
    url, key = composition.urls()[0], composition.logins().api_key
    customer = Customer(url, key)
    try:
        session = await customer.create_session(f"containers-{uuid.uuid4().hex[:8]}", "simulator")
    finally:
        await customer.close()
    own, contact = (f"62812{secrets.randbelow(10**8):08}" for _ in range(2))
    link = Link(url, key, composition.simulator_url(), session=session, own=own, contact=contact)
    async with contextlib.aclosing(link):
        await link.scan()
        yield link


async def eventually(holds: Callable[[], Awaitable[bool]], timeout_s: float, what: str) -> None:
    """Wait until a condition holds; while a server is away it does not."""
    deadline = time.monotonic() + timeout_s
    while not await _holds_now(holds):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}"
        await asyncio.sleep(0.1)


async def _holds_now(holds: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await holds()
    except (RefusedError, httpx.TransportError):
        return False
