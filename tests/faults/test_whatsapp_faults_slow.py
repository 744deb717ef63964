"""WhatsApp's slow faults, with the waits that customers have: silence, delay, a black hole, another device, a storm."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.line import Line
from tests.faults.simulated import SimulatedNetwork
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = [
    pytest.mark.soak,
    pytest.mark.asyncio(loop_scope="module"),
]

NOTICED_WITHIN_S = 40
SENT_WITHIN_S = 20
SESSIONS, STORM_S = 20, 30


async def test_an_ack_that_never_comes_costs_one_more_attempt(line: Line) -> None:
    await line.network.behave(line.contact, online=False)
    await line.network.breaks("withholdAck", phone=line.number, count=1)
    message = await line.send()
    row = await line.until_message(message, status="sent", within_s=2 * SENT_WITHIN_S)
    assert row["attempts"] == 2
    await line.network.behave(line.contact, online=True)
    await line.until_message(message, status="delivered")
    await line.assert_arrived_once(message, copies=2)


async def test_a_delay_of_thirty_seconds_doubles_nothing(line: Line) -> None:
    await line.network.breaks("delay", phone=line.number, ms=30_000)
    messages = [await line.send(f"number {number}") for number in range(3)]
    await asyncio.sleep(75)  # the fault's own length, not a condition
    await line.network.mended()
    await line.until_session("connected", within_s=120)
    for message in messages:
        await line.until_message(message, status="delivered", within_s=120)
        await line.assert_arrived_once(message)
    assert len(await line.network.shown(line.contact)) == len(messages)


async def test_a_black_hole_is_noticed_and_healed(line: Line) -> None:
    began = time.monotonic()
    await line.network.breaks("blackhole", phone=line.number)
    message = await line.send()

    async def degraded() -> bool:
        return (await line.health())["degraded"]

    await eventually(degraded, within_s=NOTICED_WITHIN_S)
    shown_s = time.monotonic() - began
    await eventually(
        lambda: line.was_told("session.reconnecting", reason="keepalive"), within_s=NOTICED_WITHIN_S - shown_s
    )
    noticed_s = time.monotonic() - began
    await line.network.mended()
    await line.until_session("connected", within_s=60)
    healed_s = time.monotonic() - began
    await line.until_message(message, status="delivered", within_s=90)
    await line.assert_arrived_once(message)
    print(  # noqa: T201
        f"black hole: shown as degraded after {shown_s:.0f} s, given up after {noticed_s:.0f} s, "
        f"connected {healed_s - noticed_s:.1f} s after it was over"
    )


async def test_a_replaced_session_comes_back_by_itself(line: Line) -> None:
    await line.network.breaks("streamError", phone=line.number, code=409, conflict="replaced")
    began = time.monotonic()
    await line.until_session("reconnecting", reason="replaced")
    message = await line.send()
    await line.until_session("connected", within_s=80)
    assert time.monotonic() - began >= 55
    await line.until_message(message, status="delivered")
    await line.assert_arrived_once(message, copies=1)


async def test_a_storm_over_many_sessions_is_no_herd(whatsapp_stack: RunningStack) -> None:
    """Half a minute of 503 for everybody: the attempts become rarer, and everybody is back soon after it."""
    async with SimulatedNetwork(whatsapp_stack.simulator_url) as network:
        lines = [Line(whatsapp_stack, network) for _ in range(SESSIONS)]
        await asyncio.gather(*(line.open() for line in lines))
        await network.breaks("loginFailure", code=503, for_ms=STORM_S * 1000)
        began = time.monotonic()
        await network.breaks("streamError", code=503, everyMs=500, for_ms=STORM_S * 1000)
        messages = [await line.send() for line in lines]
        attempts = 0
        while time.monotonic() - began < STORM_S - 1:
            await asyncio.sleep(0.5)
            attempts = max(attempts, await network.hits("loginFailure"))
        await asyncio.gather(*(line.until_session("connected", within_s=90) for line in lines))
        back_s = time.monotonic() - began - STORM_S
        for line, message in zip(lines, messages, strict=True):
            await line.until_message(message, status="delivered", within_s=60)
            await line.assert_arrived_once(message)
            await line.close()
        print(  # noqa: T201
            f"503 storm of {STORM_S} s over {SESSIONS} sessions: {attempts} logins were refused, "
            f"everybody was back {back_s:.0f} s after it"
        )
        assert attempts <= SESSIONS * 10
