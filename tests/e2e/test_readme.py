"""The README's tour with curl, run by bash as it is printed, on a running stack."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from infra.local.checkout import CHECKOUT
from tests.stack import RunningStack

README = (CHECKOUT / "README.md").read_text()
TOUR_S, FRAME_S = 180.0, 60.0
STREAM = "stream/sse"
CONNECTED = """
until curl -s -H "X-API-Key: $KEY" $API/sessions/shop | grep -q '"status":"CONNECTED"'; do sleep 0.1; done
"""
"""A person sees that the link is made before writing; the tour waits for that no longer than its `Prefer` says."""
NEVER_RUN_HERE = {
    "Run it": "tests/e2e/test_up.py starts `./merpati up`, and .ci/run runs `./merpati test`",
    "With containers": "tests/containers composes the images where there is a container engine",
}

_BLOCK = re.compile(r"^## ([^\n]+)$|^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, list[str]]:
    """The shell blocks of the README by their section."""
    found: dict[str, list[str]] = {}
    section = ""
    for match in _BLOCK.finditer(README):
        section = match[1] or section
        if match[2]:
            found.setdefault(section, []).append(match[2])
    return found


TOUR = blocks()["A tour with curl"]


def test_every_shell_block_of_the_readme_is_run_somewhere() -> None:
    assert set(blocks()) == {"A tour with curl", *NEVER_RUN_HERE}


@pytest.mark.needs_go
async def test_the_tour_with_curl_runs_as_it_is_printed(simulated_stack: RunningStack, tmp_path: Path) -> None:
    (tmp_path / ".merpati").symlink_to(simulated_stack.data)
    variables, link_up, *others = TOUR[:-1]
    told = await ran([variables, link_up + CONNECTED, *others], tmp_path)
    setup, link, messages, file, changes, people, by_url = told
    assert setup == []
    assert link[0]["session"]["name"] == "shop"
    assert (tmp_path / "qr.png").read_bytes().startswith(b"\x89PNG")
    assert link[-1]["jid"].startswith("6281200000001")
    assert [answer["success"] for answer in messages] == [True, True, True]
    assert (messages[0]["status"], messages[0]["data"]["to"]) == ("queued", "6281200000002")
    assert messages[1]["status"] in ("sent", "delivered", "read")
    assert messages[2]["data"]["waitingFor"] == "schedule"
    assert file[-1]["data"]["fileName"] == "invoice.pdf"
    read, edited, deleted, listed = changes
    assert read["data"]["history"][0]["status"] == "queued"
    assert (edited["message"], edited["data"]["text"]) == ("Message edited", "Hello!")
    assert deleted["message"] == "Message deleted"
    assert len(listed["messages"]) == 5
    checked, group = people
    assert [one["onWhatsApp"] for one in checked["data"]] == [True, False]
    assert group["data"]["jid"].endswith("@g.us")
    assert by_url[0]["success"] is True
    assert await shown_by(TOUR, tmp_path)


async def ran(parts: list[str], directory: Path) -> list[list[Any]]:
    """What each block says, as JSON documents; one shell runs them all, as a person would."""
    mark = f"--- {secrets.token_hex(8)}"
    script = "set -euo pipefail\n" + f"\necho; echo '{mark}'\n".join(parts)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaints = await asyncio.wait_for(process.communicate(), TOUR_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (said.decode()[-2000:], complaints.decode()[-2000:])
    return [documents_in(part) for part in said.decode().split(mark)]


def documents_in(text: str) -> list[Any]:
    """The JSON documents that stand in it one behind the other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


async def shown_by(parts: list[str], directory: Path) -> dict[str, Any]:
    """The first frame that the last block, the stream, shows; the block before it sends again and again meanwhile."""
    assert STREAM in parts[-1]
    setup, send = parts[0], parts[-2]
    script = f"{setup}\n(for _ in $(seq 20); do {send.strip()} > /dev/null; sleep 1; done) &\n{parts[-1]}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script), cwd=directory, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        return await asyncio.wait_for(first_frame(process), FRAME_S)
    finally:
        kill_all(process)
        await process.wait()


async def first_frame(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The first message frame."""
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"data:"):
            frame: dict[str, Any] = json.loads(line.removeprefix(b"data:"))
            if frame["type"].startswith("message."):
                return frame
    raise AssertionError("the stream ended without a frame")


def kill_all(process: asyncio.subprocess.Process) -> None:
    """End the shell and what it started, unless it has ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
