"""A schema-driven fuzzer against a running stack: whatever comes in, the answer is never a fault of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.customer import Customer, Phones
from tests.faults.malformed import TIMEOUT_S, Attacker
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

NUMBER, CONTACT = "6281200001111", "6281300001111"


@pytest.fixture
def attacker(tmp_path: Path) -> Iterator[Attacker]:
    """A signed-in owner with a linked session, on a stack that needs no Go."""
    with asyncio.Runner() as runner:
        context = running_stack(tmp_path, "--networks", "scripted")
        stack = runner.run(context.__aenter__())
        attacker = Attacker(stack.url, _token(stack), runner.run(_linked(stack)))
        yield attacker
        attacker.close()
        runner.run(_works(stack))
        runner.run(context.__aexit__(None, None, None))


async def _works(stack: RunningStack) -> None:
    """The edge takes calls, once it has worked off what it was asked."""

    async def ready() -> bool:
        return (await http.get("/readyz")).is_success

    async with httpx.AsyncClient(base_url=stack.url, timeout=TIMEOUT_S, trust_env=False) as http:
        await eventually(ready)


def _token(stack: RunningStack) -> str:
    body = {"identifier": stack.ready.email, "password": stack.ready.password}
    answer = httpx.post(f"{stack.url}/api/auth/signin", json=body, timeout=TIMEOUT_S, trust_env=False)
    return str(answer.json()["data"]["token"])


async def _linked(stack: RunningStack) -> dict[str, str]:
    """A connected session with one message, as path parameters."""
    customer, phones = Customer(stack.url, stack.key), Phones(stack.simulator_url)
    session = await customer.create_session("attacked", "scripted")
    for number in (NUMBER, CONTACT):
        await phones.add(number, "somebody")
    await phones.scan(NUMBER, await customer.start_pairing(session))
    message = await customer.send(session, CONTACT, type="text", text="Selamat pagi")
    await asyncio.gather(customer.close(), phones.close())
    return {
        "session_ref": session,
        "message_id": message,
        "media_id": "med_0",
        "api_key": stack.key,
        "phone": CONTACT,
        "text": "hello",
    }


def _attack(attacker: Attacker, requests: int, *, derandomize: bool) -> None:
    attacker.against_the_description(requests * 3 // 4, derandomize=derandomize)
    attacker.with_broken_bodies(requests // 4, derandomize=derandomize)
    made = sum(attacker.answers.values())
    print(f"malformed requests: {made}; answers {dict(attacker.answers.most_common())}")  # noqa: T201
    assert made >= requests // 2, "the strategies have run dry"
    assert attacker.refusals["VALIDATION_FAILED"] > made / 10, f"hardly any reached a body: {attacker.refusals}"


@pytest.mark.slow
def test_hundreds_of_malformed_requests_find_no_fault(attacker: Attacker) -> None:
    _attack(attacker, 240, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(2400)
def test_ten_thousand_malformed_requests_find_no_fault(attacker: Attacker) -> None:
    _attack(attacker, 10_400, derandomize=False)
