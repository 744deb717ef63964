"""A session that cannot send fills its queue: beyond the limit a send is refused, and what was taken is not lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from infra.local.customer import BASE, Customer, Phones
from tests.faults.simulated import SimulatedNetwork
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

NUMBER, CONTACT = "6281200003333", "6281300003333"
TIMEOUT_S = 40.0
LIMIT = 100
WRITERS = 8
ACCEPTED, TOO_MANY = 202, 429


async def _linked(stack: RunningStack) -> str:
    customer, phones = Customer(stack.url, stack.key), Phones(stack.simulator_url)
    session = await customer.create_session("full", "scripted")
    for number in (NUMBER, CONTACT):
        await phones.add(number, "somebody")
    await phones.scan(NUMBER, await customer.start_pairing(session))
    await asyncio.gather(customer.close(), phones.close())
    return session


async def _stopped(http: httpx.AsyncClient, network: SimulatedNetwork, session: str) -> None:
    """Stop it once it is linked; when WhatsApp has no connection of it any more, nothing leaves."""

    async def is_in(state: str) -> bool:
        return (await http.get(f"/sessions/{session}/health")).json()["data"]["state"] == state

    async def is_cut() -> bool:
        return not await network.is_online(NUMBER)

    await eventually(lambda: is_in("connected"))
    await http.post(f"/sessions/{session}/stop")
    await eventually(lambda: is_in("stopped"))
    await eventually(is_cut)


async def _fill(http: httpx.AsyncClient, session: str) -> tuple[list[str], httpx.Response]:
    """Send until it is refused: the ids that were accepted, and the refusal."""
    accepted: list[str] = []
    refusals: list[httpx.Response] = []

    async def write(writer: int) -> None:
        while not refusals:
            body = {"type": "text", "to": CONTACT, "text": f"{writer} {len(accepted)}"}
            answer = await http.post(f"/sessions/{session}/messages", json=body)
            if answer.status_code == ACCEPTED:
                accepted.append(str(answer.json()["messageId"]))
            else:
                refusals.append(answer)

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    return accepted, refusals[0]


@pytest.mark.slow
async def test_a_full_queue_refuses_with_429_and_loses_nothing(tmp_path: Path) -> None:
    limit = {"MERPATI_QUEUE_ROWS": str(LIMIT)}
    async with (
        running_stack(tmp_path, "--networks", "scripted", environment=limit) as stack,
        httpx.AsyncClient(
            base_url=stack.url + BASE, headers={"X-API-Key": stack.key}, trust_env=False, timeout=TIMEOUT_S
        ) as http,
        SimulatedNetwork(stack.simulator_url) as network,
    ):
        session = await _linked(stack)
        await _stopped(http, network, session)
        accepted, refusal = await _fill(http, session)
        assert (refusal.status_code, refusal.json()["error"]) == (TOO_MANY, "QUEUE_FULL")
        assert int(refusal.headers["Retry-After"]) > 0
        assert len(accepted) >= LIMIT

        async def depth() -> bool:
            health = (await http.get(f"/sessions/{session}/health")).json()["data"]
            return health["queueDepth"] == len(accepted)

        await eventually(depth)
        await http.post(f"/sessions/{session}/start")

        async def all_shown() -> bool:
            return len(await network.shown(CONTACT)) >= len(accepted)

        await eventually(all_shown)
        texts = [row["text"] for row in await network.shown(CONTACT)]
        assert len(texts) == len(set(texts)) == len(accepted)

        async def room_again() -> bool:
            answer = await http.post(
                f"/sessions/{session}/messages", json={"type": "text", "to": CONTACT, "text": "room again"}
            )
            return answer.status_code == ACCEPTED

        await eventually(room_again)
        print(f"a queue of {LIMIT}: {len(accepted)} were accepted before the first 429, and all arrived")  # noqa: T201
