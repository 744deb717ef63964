"""The engines under test: every test of the suite runs once for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.engines.rig import Rig, scripted_rig, worker_rig


@pytest.fixture(params=["scripted", pytest.param("worker", marks=pytest.mark.needs_go)])
async def rig(request: pytest.FixtureRequest, tmp_path: Path, mongodb_url: str) -> AsyncIterator[Rig]:
    """One engine, started, with its network."""
    async with AsyncExitStack() as stack:
        if request.param == "worker":
            yield await worker_rig(stack, tmp_path, mongodb_url)
        else:
            yield await scripted_rig(stack, mongodb_url)


@pytest.fixture
async def worker(tmp_path: Path, mongodb_url: str) -> AsyncIterator[Rig]:
    """The Go worker, for what only a process of its own can show."""
    async with AsyncExitStack() as stack:
        yield await worker_rig(stack, tmp_path, mongodb_url)
