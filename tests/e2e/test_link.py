"""`./merpati link`: draws each code in the terminal and ends when the account is connected."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from infra.local.checkout import CHECKOUT
from infra.local.customer import Customer, Phones, RefusedError
from tests.processes import PATIENCE_S
from tests.stack import RunningStack, running_stack

CODE = "\N{FULL BLOCK}"


@pytest.mark.slow
async def test_link_ends_when_the_phone_has_scanned_and_knows_a_linked_session(tmp_path: Path) -> None:
    async with running_stack(tmp_path, "--networks", "scripted") as stack:
        has_code = asyncio.Event()
        first = asyncio.create_task(_link(tmp_path, has_code))
        await asyncio.wait([first, asyncio.create_task(has_code.wait())], return_when=asyncio.FIRST_COMPLETED)
        await _scan(stack, "office")
        code, shown = await first
        assert code == 0, shown
        assert CODE in shown
        assert shown.endswith("Linked and connected.\n")
        code, shown = await _link(tmp_path)
        assert (code, shown) == (0, "This session is linked and connected already.\n")


async def _scan(stack: RunningStack, name: str) -> None:
    """The phone's owner, who sees the code."""
    customer, phones = Customer(stack.url, stack.key), Phones(stack.simulator_url)
    try:
        await phones.add("6281234567890", "Pak Budi")
        await phones.scan("6281234567890", await _code(customer, name))
    finally:
        await customer.close()
        await phones.close()


async def _code(customer: Customer, name: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await customer.start_pairing(name)
        except RefusedError:  # the session is not there yet
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def _link(data: Path, has_code: asyncio.Event | None = None) -> tuple[int, str]:
    """Its exit code and what it showed; `has_code` is set once that holds a QR code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.local", "link", "--data", str(data), "--name", "office"),
        *("--engine", "scripted"),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown = ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert process.stdout is not None
            async for line in process.stdout:
                shown += line.decode()
                if has_code is not None and CODE in shown:
                    has_code.set()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, shown
