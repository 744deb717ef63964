"""`./merpati up`: set up, start, say where everything is, and drain on Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

from infra.local import dashboard
from infra.local.data import DataDirectory
from infra.local.options import Options
from infra.local.ready import Ready
from infra.local.screen import Screen
from infra.local.setup import set_up
from infra.local.stack import Stack


def up(options: Options, screen: Screen) -> int:
    """Run a stack until SIGINT or SIGTERM; the exit code. CannotRunError when it cannot be."""
    with prepared(options, screen) as (data, networks):
        asyncio.run(_up(Stack(options, networks, data, screen), options, screen))
    return 0


@contextmanager
def prepared(options: Options, screen: Screen) -> Generator[tuple[DataDirectory, tuple[str, ...]]]:
    """The data directory, ours alone, and the networks that can run; everything built."""
    data = DataDirectory(options.data)
    data.open()
    try:
        yield data, set_up(options, data, screen)
    finally:
        data.close()


@asynccontextmanager
async def running(stack: Stack, stop: asyncio.Event, screen: Screen) -> AsyncGenerator[Ready | None]:
    """A stack that is ready, drained at the end; None when `stop` was set before it was.

    The first SIGINT or SIGTERM sets `stop`, the second kills everything.
    """
    _on_signals(stop, stack, screen)
    try:
        ready = await _start_unless_stopped(stack, stop)
        watch = asyncio.create_task(stack.watch())
        yield ready
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    finally:
        screen.say("Draining ...")
        await stack.stop()
        screen.say("Stopped.")


async def _up(stack: Stack, options: Options, screen: Screen) -> None:
    stop = asyncio.Event()
    async with running(stack, stop, screen) as ready:
        if ready is not None:
            _show(ready, options, screen)
            await stop.wait()


async def _start_unless_stopped(stack: Stack, stop: asyncio.Event) -> Ready | None:
    starting, stopped = asyncio.create_task(stack.start()), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if starting.done():
        return starting.result()
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    return None


def _on_signals(stop: asyncio.Event, stack: Stack, screen: Screen) -> None:
    def asked() -> None:
        if stop.is_set():
            screen.say("Stopping at once.")
            stack.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked)


def _show(ready: Ready, options: Options, screen: Screen) -> None:
    sessions = f"{ready.url}/api/customer/whatsapp/sessions"
    pages = f"{ready.url}/dashboard" if dashboard.built() else "not built: see above"
    screen.say()
    screen.say("Merpati is ready.")
    screen.say(f"  dashboard      {pages}")
    screen.say(f"  API and docs   {ready.url}/docs")
    screen.say(f"  customer       {ready.email}  {ready.password}")
    screen.say(f"  administrator  {ready.admin_email}  {ready.admin_password}")
    screen.say(f"  API key        {ready.api_key}")
    screen.say(f"  networks       {', '.join(ready.networks)} (a session that names none: {ready.default_engine})")
    if ready.simulator_url:
        screen.say(f"  phones         {ready.simulator_url} (simulated)")
    screen.say(f"  data and logs  {options.data.resolve()}")
    screen.say()
    screen.say("Try:")
    screen.say(f"  curl -s -H 'X-API-Key: {ready.api_key}' {sessions}")
    screen.say(f"  ./merpati demo --data {options.data.resolve()}")
    screen.say()
    screen.say("Ctrl-C stops it.")
