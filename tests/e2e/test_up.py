"""`./merpati up`: ready, killed, restarted, refused and stopped, as a person would see it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest

from infra.local.ports import LOOPBACK
from tests.processes import PATIENCE_S
from tests.stack import RunningStack, eventually, running_stack, start

SCRIPTED = ("--networks", "scripted", "--default-engine", "scripted")
KILLED = ["nats", "mongod", "api-1", "sender-1", "status-1", "sessions-scripted-1"]


@pytest.mark.slow
async def test_a_stack_is_ready_survives_the_kill_of_each_process_and_comes_back_quickly(tmp_path: Path) -> None:
    """One stack for four claims: starting one takes seconds."""
    async with running_stack(tmp_path, *SCRIPTED, hasty=True) as stack:
        assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
        first = stack.ready
        await _answers(stack)
        for name in KILLED:
            await stack.restarted(name, stack.kill(name))
            assert f"{name} died (SIGKILL); starting it again" in stack.screen
        await _answers(stack)
        pids = stack.pids
    assert not (tmp_path / "ready.json").exists()
    assert not [name for name, pid in pids.items() if _is_alive(pid)]
    async with running_stack(tmp_path, *SCRIPTED) as stack:
        again = stack.ready
        assert (again.api_key, again.customer_id, again.password) == (first.api_key, first.customer_id, first.password)
        await _answers(stack)


@pytest.mark.slow
async def test_a_killed_launcher_leaves_nothing_running_and_its_directory_free(tmp_path: Path) -> None:
    async with running_stack(tmp_path, *SCRIPTED) as stack:
        pids = stack.pids
        stack.kill("launcher")
        await stack.process.wait()
        await eventually(
            lambda: not any(_is_alive(pid) for pid in pids.values()), PATIENCE_S, "every process to be gone"
        )
    async with running_stack(tmp_path, *SCRIPTED) as stack:
        await _answers(stack)


async def test_a_second_launcher_on_the_same_directory_is_refused_in_one_sentence(scripted_stack: RunningStack) -> None:
    second = await start(scripted_stack.data, *SCRIPTED)
    assert await second.process.wait() == 1
    assert scripted_stack.screen.count("\nmerpati: Another launcher is using") == 1
    assert "Traceback" not in scripted_stack.screen
    await _answers(scripted_stack)


async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        stack = await start(tmp_path, *SCRIPTED, port=port)
        assert await stack.process.wait() == 1
    assert stack.screen == f"merpati: Port {port} on {LOOPBACK} is taken; choose another with --port.\n"


@pytest.mark.slow
async def test_fresh_forgets_what_was_stored_and_keeps_the_passwords(tmp_path: Path) -> None:
    async with running_stack(tmp_path, *SCRIPTED) as stack:
        first = stack.ready
        await _create_session(stack, "before")
    async with running_stack(tmp_path, *SCRIPTED, "--fresh") as stack:
        assert await _session_names(stack) == []
        assert stack.ready.password == first.password
        assert stack.ready.api_key != first.api_key


@pytest.mark.slow
async def test_two_stacks_run_side_by_side_and_share_nothing(scripted_stack: RunningStack, tmp_path: Path) -> None:
    async with running_stack(tmp_path, *SCRIPTED) as other:
        await _create_session(scripted_stack, "of-one")
        assert "of-one" in await _session_names(scripted_stack)
        assert await _session_names(other) == []


async def test_ctrl_c_while_starting_stops_everything(tmp_path: Path) -> None:
    stack = await start(tmp_path, *SCRIPTED)
    await eventually(lambda: (tmp_path / "logs" / "mongod.log").exists(), PATIENCE_S, "mongod to be started")
    stack.process.send_signal(signal.SIGINT)
    assert await stack.process.wait() == 0
    assert stack.screen.endswith("Stopped.\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(("--replicas", "apis=2"), "there is no service 'apis'", id="unknown service"),
        pytest.param(("--networks", "telegram"), "There is no network 'telegram'", id="unknown network"),
    ],
)
async def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    stack = await start(tmp_path, *options)
    assert await stack.process.wait() == 1
    assert sentence in stack.screen
    assert "Traceback" not in stack.screen


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _client(stack: RunningStack) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.url, headers={"X-API-Key": stack.key}, timeout=PATIENCE_S, trust_env=False)


async def _answers(stack: RunningStack) -> None:
    """The curl that the last screen shows; asked until a restarted api and its servers are ready again."""
    curl = f"curl -s -H 'X-API-Key: {stack.key}' {stack.url}/api/customer/whatsapp/sessions"
    await eventually(lambda: curl in stack.screen, PATIENCE_S, "the last screen to show the curl")
    async with _client(stack) as client:
        deadline = time.monotonic() + PATIENCE_S
        while (status := await _status(client)) != httpx.codes.OK:
            assert time.monotonic() < deadline, f"the API still answers {status}"
            await asyncio.sleep(0.05)


async def _status(client: httpx.AsyncClient) -> int | str:
    try:
        return (await client.get("/api/customer/whatsapp/sessions")).status_code
    except httpx.TransportError as error:
        return type(error).__name__


async def _create_session(stack: RunningStack, name: str) -> None:
    async with _client(stack) as client:
        answer = await client.post("/api/customer/whatsapp/sessions", json={"name": name})
        assert answer.is_success, answer.text


async def _session_names(stack: RunningStack) -> list[str]:
    async with _client(stack) as client:
        answer = await client.get("/api/customer/whatsapp/sessions")
        return [session["name"] for session in answer.json()["sessions"]]
