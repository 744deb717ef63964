"""`./merpati demo`: all of the main job, on the real client library and on the scripted engine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from infra.local.checkout import CHECKOUT
from tests.stack import running_stack

DEMO_TIMEOUT_S = 800
TWO_OF_EACH = "api=2,sessions=2,sender=2,status=2"


@pytest.mark.slow
@pytest.mark.needs_go
@pytest.mark.timeout(1200)
async def test_the_demo_starts_two_replicas_of_each_service_shows_all_of_it_and_leaves_nothing() -> None:
    code, shown = await _demo("--replicas", TWO_OF_EACH)
    assert code == 0, shown
    assert "on the network simulator" in shown
    assert "message.delivered    document" in shown
    assert "All of it happened" in shown[shown.index("Stopped.") :]


@pytest.mark.slow
async def test_the_demo_runs_on_the_scripted_engine_where_there_is_no_other(tmp_path: Path) -> None:
    async with running_stack(tmp_path, "--networks", "scripted") as stack:
        code, shown = await _demo("--data", str(tmp_path))
        assert code == 0, shown
        assert "on the network scripted" in shown
        code, shown = await _demo("--url", stack.url, "--key", "gf_wrong", "--simulator-url", stack.simulator_url)
        assert code == 1
        assert "The demo failed: POST /api/customer/whatsapp/sessions answered 401" in shown


async def test_the_demo_says_that_nothing_runs_in_the_named_directory(tmp_path: Path) -> None:
    code, shown = await _demo("--data", str(tmp_path))
    assert code == 1
    assert shown == f"merpati: No stack is ready in {tmp_path}; start one with ./merpati up --data.\n"


async def _demo(*options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.local", "demo", *options),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        shown, _ = await asyncio.wait_for(process.communicate(), DEMO_TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, shown.decode()
