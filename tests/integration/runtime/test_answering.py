"""What answers requests over NATS, when it stops: each request that has come is answered, and no other is taken."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import msgspec
import nats.errors
import pytest

from libs.runtime.answering import Answerer
from libs.runtime.bus import Bus
from tests.processes import PATIENCE_S, eventually
from tests.servers import NatsServer


class Said(msgspec.Struct):
    """An answer."""

    text: str


SUBJECT, CUT_OFF, REQUEST = "call.test.00", Said("cut off"), Said("hello")


class Echo:
    """Answers with the request, once `open` is set."""

    def __init__(self) -> None:
        self.begun = 0
        self.open = asyncio.Event()

    async def __call__(self, request: bytes) -> bytes:
        self.begun += 1
        await self.open.wait()
        return request


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    opened = Bus(nats_server.url, name="test")
    await opened.connect()
    yield opened
    await opened.close()


async def asked(bus: Bus) -> str:
    """The answer's text, or `nobody`."""
    try:
        return (await bus.ask(SUBJECT, REQUEST, Said, timeout_s=PATIENCE_S)).text
    except nats.errors.NoRespondersError:
        return "nobody"


async def begun(
    bus: Bus, echo: Echo, *, at_once: int = 10, requests: int = 1
) -> tuple[Answerer, asyncio.Future[list[str]]]:
    """An answerer that works on these requests."""
    answerer = Answerer(bus, SUBJECT, echo, at_once=at_once, cut_off=CUT_OFF)
    await answerer.start()
    answers = asyncio.gather(*(asked(bus) for _ in range(requests)))
    await eventually(lambda: _has_begun(echo, min(at_once, requests)))
    return answerer, answers


async def _has_begun(echo: Echo, count: int) -> bool:
    return echo.begun == count


async def test_what_is_in_hand_or_waits_is_answered_and_a_later_request_meets_nobody(bus: Bus) -> None:
    echo = Echo()
    answerer, answers = await begun(bus, echo, at_once=1, requests=3)
    await answerer.close()
    assert await asked(bus) == "nobody"
    finishing = asyncio.create_task(answerer.finish(PATIENCE_S))
    await asyncio.sleep(0.05)
    assert not finishing.done()
    echo.open.set()
    await finishing
    await answerer.stop()
    assert await answers == ["hello"] * 3


async def test_what_does_not_end_is_cut_off_with_an_answer(bus: Bus) -> None:
    answerer, answers = await begun(bus, Echo(), at_once=2, requests=5)
    await answerer.close()
    await answerer.finish(0.1)
    await answerer.stop()
    assert await answers == ["cut off"] * 5


async def test_more_than_it_takes_at_once_wait(bus: Bus) -> None:
    echo = Echo()
    answerer, answers = await begun(bus, echo, at_once=2, requests=5)
    await asyncio.sleep(0.1)
    assert echo.begun == 2
    echo.open.set()
    assert await answers == ["hello"] * 5
    await answerer.stop()


async def test_what_still_comes_after_the_end_is_cut_off_too(bus: Bus, nats_server: NatsServer) -> None:
    answerer = Answerer(bus, SUBJECT, Echo(), at_once=1, cut_off=CUT_OFF)
    await answerer.start()
    await bus.nats.flush()
    os.kill(nats_server.pid, signal.SIGSTOP)
    asking = asyncio.create_task(asked(bus))
    await asyncio.sleep(0.1)
    await answerer.stop()
    os.kill(nats_server.pid, signal.SIGCONT)
    assert await asking == "cut off"


async def test_one_that_was_stopped_while_nats_was_away_does_not_come_back(bus: Bus, nats_server: NatsServer) -> None:
    echo = Echo()
    answerer = Answerer(bus, SUBJECT, echo, at_once=1, cut_off=CUT_OFF)
    await answerer.start()
    nats_server.kill()
    await eventually(lambda: _is_cut(bus))
    await answerer.stop()
    nats_server.start()
    await eventually(lambda: _is_back(bus))
    assert await asked(bus) == "nobody"
    assert not echo.begun


async def _is_cut(bus: Bus) -> bool:
    return not bus.connected


async def _is_back(bus: Bus) -> bool:
    return bus.connected
