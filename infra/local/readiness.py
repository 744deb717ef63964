"""Waits until a service says it is ready, or says why it is not."""

from __future__ import annotations

import asyncio
from time import monotonic

import httpx

from infra.local.children import Child
from infra.local.ports import LOOPBACK
from infra.local.programs import STARTS_WITHIN_S
from infra.local.screen import CannotRunError, Screen

SLOW_S = 30.0
CRASHES = 3
LOG_LINES = 8


async def wait_until_ready(child: Child, health_port: int, client: httpx.AsyncClient, screen: Screen) -> None:
    """Returns when `/readyz` answers 200; CannotRunError when the service keeps dying or stays unready for 4 minutes.

    After half a minute it says what it waits for.
    """
    started = monotonic()
    reasons, said = "it does not answer", False
    while (waited_s := monotonic() - started) < STARTS_WITHIN_S:
        if waited_s > SLOW_S and not said:
            screen.say(
                f"{child.name} is not ready after {SLOW_S:.0f} s ({reasons}); waiting on; its log is {child.log}."
            )
            said = True
        if child.crashes >= CRASHES:
            raise CannotRunError(died_while_starting(child))
        try:
            answer = await client.get(f"http://{LOOPBACK}:{health_port}/readyz")
        except httpx.TransportError:  # not listening yet
            pass
        else:
            if answer.is_success:
                return
            reasons = answer.text[:500]
        await asyncio.sleep(0.05)
    raise CannotRunError(
        f"{child.name} was not ready within {STARTS_WITHIN_S:.0f} s ({reasons}); its log is {child.log}."
    )


def why_not_started(child: Child, error: Exception) -> str:
    """One sentence for a server that did not come up: it is too slow, or it dies."""
    return f"{error}; its log is {child.log}." if isinstance(error, TimeoutError) else died_while_starting(child)


def died_while_starting(child: Child) -> str:
    """One sentence, and the last lines of its log."""
    lines = child.log.read_text(errors="replace").splitlines()[-LOG_LINES:] if child.log.exists() else []
    return "\n    ".join([f"{child.name} dies while starting; the end of {child.log}:", *lines])
