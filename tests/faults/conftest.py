"""Linked sessions on one running stack of the simulated network, for the tests that only break WhatsApp."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.line import Line
from tests.faults.simulated import SimulatedNetwork
from tests.stack import RunningStack, running_stack

IMPATIENT = {
    "MERPATI_DELIVER_DEADLINE_S": "5",
    "MERPATI_ANSWER_TIMEOUT_S": "10",
    "MERPATI_RETRY_FIRST_S": "0.5",
    "MERPATI_REFUSAL_HELD_S": "8",
    "MERPATI_PROBE_EVERY_S": "10",
}
"""The waits of sender, shortened: a test shall take seconds. The slow tests keep the true ones. None is so short that a
machine that stands still for a moment is taken for a WhatsApp that does not answer."""


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[pytest.param("simulator", marks=pytest.mark.needs_go), pytest.param("scripted", marks=pytest.mark.soak)],
)
async def whatsapp_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningStack]:
    """A stack that is shared by a module; `WAITS` of the module changes settings of its services."""
    environment: dict[str, str] = getattr(request.module, "WAITS", {})
    data = tmp_path_factory.mktemp("whatsapp")
    async with running_stack(data, "--networks", request.param, environment=environment) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def line(whatsapp_stack: RunningStack) -> AsyncIterator[Line]:
    """A connected session of the test's own; every fault ends with the test."""
    async with SimulatedNetwork(whatsapp_stack.simulator_url) as network:
        line = Line(whatsapp_stack, network)
        try:
            await line.open()
            yield line
        finally:
            await network.mended()
            await line.close()
