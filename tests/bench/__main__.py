"""`./merpati bench`: prints a table of ratios from one run on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import websockets

from infra.local.customer import Customer, Phones
from tests.bench.http import Connection, flood
from tests.bench.pipeline import messages_per_second
from tests.stack import RunningStack, running_stack

SESSIONS = 50
POSTS = 6000
END_TO_END = 6000
LATENCY_S = 20
PER_SECOND = 50
CONNECTIONS = 64


class Shop:
    """A running stack with linked sessions on the scripted network."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.sessions: list[str] = []

    async def open(self, number: int) -> None:
        """Link this many sessions."""
        customer, phones = Customer(self.stack.url, self.stack.key), Phones(self.stack.simulator_url)
        for index in range(number):
            session = await customer.create_session(f"bench {index}", "scripted")
            await phones.add(f"62812000{index:05d}", f"bench {index}")
            await phones.scan(f"62812000{index:05d}", await customer.start_pairing(session))
            self.sessions.append(session)
        await customer.close()
        await phones.close()

    async def post(self, connection: Connection, number: int) -> str:
        """Send one text by the public endpoint; returns its message id."""
        session = self.sessions[number % len(self.sessions)]
        body = b'{"phone":"6281390000%04d","message":"hello number %d"}' % (number % 10_000, number)
        path = f"/api/services/whatsapp/chat/{session}/{self.stack.key}"
        status, answer = await connection.ask("POST", path, body)
        if status != 200:
            raise AssertionError(f"{status}: {answer[:200]!r}")
        return str(msgspec.json.decode(answer)["messageId"])


class Frames:
    """When each message reached each status on the live stream."""

    def __init__(self) -> None:
        self.at: dict[str, dict[str, float]] = {}
        self.count: dict[str, int] = {}

    async def follow(self, stack: RunningStack, listening: asyncio.Event) -> None:
        """Read the stream until cancelled."""
        address = stack.url.replace("http", "ws", 1) + "/api/customer/whatsapp/stream?events=message.*"
        protocols = [websockets.Subprotocol("bearer"), websockets.Subprotocol(stack.key)]
        async with websockets.connect(address, subprotocols=protocols, proxy=None, compression=None) as socket:
            listening.set()
            async for text in socket:
                frame = msgspec.json.decode(text)
                if frame["type"].startswith("message."):
                    status = frame["type"][8:]
                    self.at.setdefault(frame["data"]["messageId"], {}).setdefault(status, time.perf_counter())
                    self.count[status] = self.count.get(status, 0) + 1

    async def until(self, status: str, number: int, within_s: float = 120) -> None:
        """Wait until this many messages have reached the status."""
        deadline = time.perf_counter() + within_s
        while self.count.get(status, 0) < number:
            if time.perf_counter() > deadline:
                raise AssertionError(f"{self.count} after {within_s} s, {number} expected to be {status}")
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def following(stack: RunningStack) -> Any:
    """The stream's frames while the block runs."""
    frames, listening = Frames(), asyncio.Event()
    task = asyncio.create_task(frames.follow(stack, listening))
    await asyncio.wait_for(listening.wait(), 10)
    yield frames
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def accepted(shop: Shop) -> dict[str, float]:
    """(a) POSTs accepted per second, against a bare route of the same app."""

    async def bare(connection: Connection, _: int) -> None:
        await connection.ask("GET", "/livez")

    async def post(connection: Connection, number: int) -> None:
        await shop.post(connection, number)

    await flood(shop.stack.url, iter(range(500)), bare, connections=CONNECTIONS)
    bare_s = await flood(shop.stack.url, iter(range(POSTS)), bare, connections=CONNECTIONS)
    async with following(shop.stack) as frames:
        shop.stack.pause("sender-1")  # the edge alone: nobody else works on what it accepts
        post_s = await flood(shop.stack.url, iter(range(POSTS)), post, connections=CONNECTIONS)
        shop.stack.resume("sender-1")
        await frames.until("delivered", POSTS)
    return {"bare route /s": POSTS / bare_s, "accepted /s": POSTS / post_s, "ratio": bare_s / post_s}


async def end_to_end(shop: Shop) -> dict[str, float]:
    """(b) Messages per second from POST to `delivered` on the live stream, against the bare stack."""
    ready = shop.stack.ready
    bare = await messages_per_second(ready.nats_url, ready.mongodb_url, END_TO_END)

    async def post(connection: Connection, number: int) -> None:
        await shop.post(connection, number)

    async with following(shop.stack) as frames:
        started = time.perf_counter()
        await flood(shop.stack.url, iter(range(END_TO_END)), post, connections=CONNECTIONS)
        await frames.until("delivered", END_TO_END)
        ours = END_TO_END / (time.perf_counter() - started)
    return {"bare pipeline /s": bare, "end to end /s": ours, "ratio": ours / bare}


async def latency(shop: Shop) -> dict[str, float]:
    """(c) Milliseconds from POST to the `message.sent` frame at 50 messages/s."""
    begun: dict[str, float] = {}
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(16):
        idle.put_nowait(await Connection.open(shop.stack.url))

    async def one(number: int) -> None:
        connection = await idle.get()
        at = time.perf_counter()
        begun[await shop.post(connection, number)] = at
        idle.put_nowait(connection)

    async with following(shop.stack) as frames, asyncio.TaskGroup() as group:
        started = time.perf_counter()
        for number in itertools.count():
            if number >= PER_SECOND * LATENCY_S:
                break
            group.create_task(one(number))
            await asyncio.sleep(max(0, started + number / PER_SECOND - time.perf_counter()))
        await frames.until("sent", PER_SECOND * LATENCY_S)
        taken = sorted((frames.at[message]["sent"] - at) * 1000 for message, at in begun.items())
    return {"p50 ms": statistics.median(taken), "p99 ms": taken[int(len(taken) * 0.99)], "max ms": taken[-1]}


def cpu_seconds(pids: dict[str, int]) -> dict[str, float]:
    """User and system seconds of each process so far."""
    tick = os.sysconf("SC_CLK_TCK")
    spent: dict[str, float] = {}
    for name, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent[name] = (int(fields[11]) + int(fields[12])) / tick
    return spent


def show(title: str, figures: dict[str, float]) -> None:
    """One row of the table."""
    values = "   ".join(f"{name} {value:,.2f}" for name, value in figures.items())
    sys.stdout.write(f"{title:<34} {values}\n")
    sys.stdout.flush()


async def main() -> None:
    """Run the three measurements on a stack of their own."""
    with tempfile.TemporaryDirectory() as data:
        async with running_stack(Path(data), "--networks", "scripted", "--default-engine", "scripted") as stack:
            shop = Shop(stack)
            await shop.open(SESSIONS)
            show("(a) POST accepted / bare route", await accepted(shop))
            before = cpu_seconds(stack.pids)
            show("(b) end to end / bare pipeline", await end_to_end(shop))
            after = cpu_seconds(stack.pids)
            show(
                "    CPU ms per message (with (b)'s bare part in nats, mongod)",
                {
                    name: (after[name] - before[name]) * 1000 / END_TO_END
                    for name in after
                    if after[name] - before[name] > 0.05
                },
            )
            show("(c) POST to message.sent at 50/s", await latency(shop))
            sys.stdout.write(json.dumps({"cores": os.cpu_count()}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
