"""Each service is killed at the places where it has done one half of something; the stream shows every frame once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.audience import Audience
from tests.faults.shop import Shop
from tests.faults.witness import Witness
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_go,
    pytest.mark.asyncio(loop_scope="module"),
]

POINTS = {
    "sender.after_write": "sender-1",
    "sender.after_publish": "sender-1",
    "sender.before_hand_over": "sender-1",
    "sender.between_outbox_and_reply": "sender-1",
    "sessions.after_inbound": "sessions-simulator-1",
    "status.after_write": "status-1",
    "status.after_publish": "status-1",
}
SERVICES = {"sender-1": "sender", "status-1": "status", "sessions-simulator-1": "sessions/simulator"}
"""Whose shards stand under which name."""
SHARDS = 32


class Scene:
    """A stack whose processes die at the point that is written into a file, and a linked session on it."""

    def __init__(self, stack: RunningStack, shop: Shop, audience: Audience, witness: Witness, armed: Path) -> None:
        self.stack, self.shop, self.audience, self._witness, self._armed = stack, shop, audience, witness, armed

    def arm(self, point: str) -> None:
        self._armed.write_text(point)

    async def died(self) -> bool:
        return not self._armed.exists()

    async def nobody_takes_over(self) -> None:
        """Wait until each service holds all its shards: then only who is killed now is followed."""

        async def settled() -> bool:
            held = [await self._witness.shards_by_replica(service) for service in SERVICES.values()]
            owners = self.stack.pids.keys() >= SERVICES.keys()
            return owners and all(len(each) == 1 and each.total() == SHARDS for each in held)

        await eventually(settled)

    async def assert_all_is_well(self, messages: Iterable[str]) -> None:
        """Every message is delivered once, and the stream has told each rise once, in order; of these it has it all."""
        await self.shop.all_delivered()
        await self.shop.assert_each_arrived_once()
        await self.audience.all_told(messages)
        self.audience.assert_flawless()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    data = tmp_path_factory.mktemp("crash")
    armed = data / "armed"
    environment = {"MERPATI_CRASH_AT": f"@{armed}"}
    async with running_stack(data, "--networks", "simulator", environment=environment) as stack:
        shop = Shop(stack)
        await shop.open(sessions=2, contacts=3)
        async with Audience(stack.url, stack.key) as audience, Witness(stack.ready) as witness:
            yield Scene(stack, shop, audience, witness, armed)
        await shop.close()


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_that_dies_half_way_loses_and_doubles_nothing(scene: Scene, point: str) -> None:
    old = scene.stack.pids[POINTS[point]]
    scene.arm(point)
    messages = await asyncio.gather(*(scene.shop.send(number) for number in range(6)))
    await eventually(scene.died)
    await scene.stack.restarted(POINTS[point], old)
    await scene.assert_all_is_well(messages)


@pytest.mark.parametrize("point", ["sessions.after_write", "sessions.after_publish"])
async def test_a_change_of_a_session_is_told_once_over_a_crash(scene: Scene, point: str) -> None:
    session, old = scene.shop.sessions[0], scene.stack.pids["sessions-simulator-1"]
    scene.arm(point)
    await scene.shop.http.post(f"/api/customer/whatsapp/sessions/{session}/stop")
    await eventually(scene.died)
    await scene.stack.restarted("sessions-simulator-1", old)

    async def told() -> bool:
        return any(f["type"] == "session.stopped" and f["sessionId"] == session for f in scene.audience.frames)

    await eventually(told)
    await scene.shop.http.post(f"/api/customer/whatsapp/sessions/{session}/start")
    await scene.shop.all_connected()
    scene.audience.assert_flawless()
    scene.audience.frames.clear()


@pytest.mark.parametrize("service", ["sender-1", "status-1", "sessions-simulator-1"])
async def test_a_new_owner_that_dies_in_the_middle_of_a_hand_over_is_followed(scene: Scene, service: str) -> None:
    scene.audience.frames.clear()
    await scene.nobody_takes_over()
    scene.arm("runtime.hand_over")
    sending = asyncio.gather(*(scene.shop.send(number) for number in range(6)))
    scene.stack.kill(service)
    await eventually(scene.died)
    await scene.assert_all_is_well(await sending)
