"""Which stack the demo is shown on: a running one, one named by its address, or one of its own."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

from infra.local import ready
from infra.local.demo import FAILED, Outcome, Target, demo
from infra.local.options import Options
from infra.local.ports import free_port
from infra.local.screen import CannotRunError, Screen
from infra.local.stack import Stack
from infra.local.up import prepared, running

WORTH_READING = re.compile(r'"level": "(warning|error|critical)"')
STOPPED = Outcome(code=130, lines=("Stopped before the end.",))


def target_of(stack: ready.Ready) -> Target:
    """The simulated network of a running stack, or its scripted one; CannotRunError when it has neither."""
    if stack.simulator_url is None:
        raise CannotRunError("This stack serves the real network alone; start it with --simulator.")
    engine = "simulator" if "simulator" in stack.networks else "scripted"
    return Target(url=stack.url, key=stack.api_key, phones_url=stack.simulator_url, engine=engine)


def on_running_stack(data: Path, screen: Screen) -> int | None:
    """The demo's exit code, or None when no stack is ready in this data directory."""
    stack = ready.of_running_stack(data / "ready.json")
    return None if stack is None else asyncio.run(demo(target_of(stack), screen)).tell(screen)


def on_own_stack(replicas: dict[str, int], screen: Screen) -> int:
    """Start a stack on a new data directory, show it, stop it, and leave nothing behind but the logs of a failure."""
    data = Path(tempfile.mkdtemp(prefix="merpati-demo-"))
    options = Options(data=data, port=free_port(), replicas=replicas, networks=("simulator",))
    failed = False
    try:
        with prepared(options, screen) as (directory, networks):
            outcome = asyncio.run(_show(Stack(options, networks, directory, screen), screen))
        failed = outcome.code == FAILED
    finally:
        if not failed:
            shutil.rmtree(data, ignore_errors=True)
    code = outcome.tell(screen)
    if failed:
        screen.say(f"What the services logged is kept in {data}/logs:")
        for line in warnings_of(data / "logs"):
            screen.say(f"  {line}")
    return code


def warnings_of(logs: Path) -> list[str]:
    """The last warnings and errors of each service, one line each."""
    return [
        f"{log.stem}: {line}"
        for log in sorted(logs.glob("*.log"))
        for line in [line for line in log.read_text(errors="replace").splitlines() if WORTH_READING.search(line)][-5:]
    ]


async def _show(stack: Stack, screen: Screen) -> Outcome:
    stop = asyncio.Event()
    async with running(stack, stop, screen) as started:
        if started is None:
            return STOPPED
        showing = asyncio.create_task(demo(target_of(started), screen))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({showing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if showing.done():
            return showing.result()
        showing.cancel()
        await asyncio.wait({showing})
        return STOPPED
