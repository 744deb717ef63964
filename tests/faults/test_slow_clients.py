"""Sockets that never read: the edge closes them, holds little for them, and tells all the others everything."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from infra.local.customer import Customer, Phones
from tests.bench.http import Connection, flood
from tests.faults.audience import sequence_of
from tests.faults.crowd import Crowd
from tests.faults.memory import resident_mb
from tests.faults.witness import Witness
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

NUMBER, CONTACT = "6281200002222", "6281300002222"
TOO_SLOW, CUT_OFF = 1013, 1006
PINGS_RUN_OUT_S = 25.0
PINGS_RAN_OUT = "keepalive ping timeout"
"""What the server says of a socket that answers no ping, where there is room for it in the socket."""
TEXT = "Pesanan Anda sedang dikirim. " * 200
FRAMES_A_MESSAGE = 3
MOST_GROWTH_MB = 150


async def _linked(stack: RunningStack) -> str:
    customer, phones = Customer(stack.url, stack.key), Phones(stack.simulator_url)
    session = await customer.create_session("crowd", "scripted")
    for number in (NUMBER, CONTACT):
        await phones.add(number, "somebody")
    await phones.scan(NUMBER, await customer.start_pairing(session))
    await asyncio.gather(customer.close(), phones.close())
    return session


async def _send(stack: RunningStack, session: str, messages: int) -> None:
    path = f"/api/services/whatsapp/chat/{session}/{stack.key}"

    async def post(connection: Connection, number: int) -> None:
        body = f'{{"phone":"{CONTACT}","message":"{number} {TEXT}"}}'
        status, answer = await connection.ask("POST", path, body.encode())
        assert status == 200, answer

    await flood(stack.url, iter(range(messages)), post, connections=8)


async def _crowd(
    tmp_path: Path, *, readers: int, deaf: int, messages: int, within_s: float, patience_s: float = 0
) -> None:
    async with running_stack(tmp_path, "--networks", "scripted") as stack, Witness(stack.ready) as witness:
        session = await _linked(stack)
        frames = FRAMES_A_MESSAGE * messages
        opened = time.monotonic()
        async with Crowd(stack.url, stack.key, readers=readers, deaf=deaf) as crowd:
            edge = stack.pids["api-1"]
            at_first_mb, started = resident_mb(edge), time.monotonic()
            await _send(stack, session, messages)
            await eventually(partial(crowd.all_heard, frames), within_s=within_s)
            took_s, grown_mb = time.monotonic() - started, resident_mb(edge) - at_first_mb
            await asyncio.sleep(patience_s)  # how long they stay deaf, not a condition
            deaf_for_s = time.monotonic() - opened
            ends = await crowd.ends_of_the_deaf()
            told = list(await witness.told())
            await eventually(partial(crowd.all_heard_of, told[-1]), within_s=within_s)
        for reader in crowd.readers:
            sequences = [sequence for sequence in reader.sequences if sequence <= told[-1]]
            assert sequences == told[-len(sequences) :], "a frame was missed, or came twice"
        told_why = [end for end in ends if end.code == TOO_SLOW]
        if deaf_for_s < PINGS_RUN_OUT_S:  # who has answered no ping for so long is cut off without a word
            assert len(told_why) == deaf, ends
        assert all(end.code in (TOO_SLOW, CUT_OFF) or end.reason == PINGS_RAN_OUT for end in ends), ends
        for end in told_why:  # the write that was broken off may have got through after all
            assert sequence_of(end.reason) in [sequence_of(cursor) for cursor in end.taken[-2:]], (
                "it cannot resume from its last frame, or the one before"
            )
        assert grown_mb < MOST_GROWTH_MB
        least, most = min(len(end.taken) for end in ends), max(len(end.taken) for end in ends)
        print(  # noqa: T201
            f"{readers} readers heard {frames} frames each in {took_s:.1f} s; {deaf} deaf sockets were closed "
            f"with {TOO_SLOW} after {least} to {most} frames; the edge grew by {grown_mb:.0f} MB"
        )


@pytest.mark.slow
async def test_sockets_that_never_read_are_closed_and_the_others_hear_everything(tmp_path: Path) -> None:
    await _crowd(tmp_path, readers=20, deaf=3, messages=540, within_s=150)


@pytest.mark.soak
async def test_fifty_of_five_hundred_sockets_never_read(tmp_path: Path) -> None:
    await _crowd(tmp_path, readers=450, deaf=50, messages=540, within_s=300)


@pytest.mark.soak
async def test_a_socket_that_takes_nothing_is_closed_with_its_cursor_before_its_pings_run_out(tmp_path: Path) -> None:
    await _crowd(tmp_path, readers=5, deaf=3, messages=300, within_s=60, patience_s=19)
