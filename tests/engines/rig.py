"""An engine on a network of made-up phones: what the suite needs to drive both, whichever engine it is."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
from gridfs import GridFSBucket
from pymongo import AsyncMongoClient, MongoClient

from infra.local import golang, simulator
from infra.local.ports import free_port
from infra.local.programs import tethered
from services.sessions.engines import base as engine
from services.sessions.engines.scripted import ScriptedEngine, ScriptedNetwork
from services.sessions.engines.scripted_control import ScriptedControl
from services.sessions.engines.worker import WorkerEngine
from tests.processes import PATIENCE_S, eventually

E = TypeVar("E", bound=engine.Wire)
KEYS = "test:" + "A" * 43 + "="


class Recorder:
    """The owner's handler: keeps every event, and answers as a test wants."""

    def __init__(self) -> None:
        self.events: list[engine.Event] = []
        self.answer: Callable[[engine.Event], Awaitable[bool]] | None = None
        self.downs: list[int] = []
        self._changed = asyncio.Event()

    async def handle(self, event: engine.Event) -> bool:
        """Note the event; true unless the test said otherwise."""
        self.events.append(event)
        self._changed.set()
        return await self.answer(event) if self.answer else True

    async def next(
        self,
        kind: type[E],
        where: Callable[[E], bool] = lambda _: True,
        *,
        after: int = 0,
        within_s: float = PATIENCE_S,
    ) -> E:
        """The first event of this kind from position `after` on, awaited."""
        deadline = time.monotonic() + within_s
        while True:
            self._changed.clear()
            for event in self.events[after:]:
                if isinstance(event, kind) and where(event):
                    return event
            remaining = deadline - time.monotonic()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.0, remaining))
            except TimeoutError:
                kinds = [type(event).__name__ for event in self.events[after:]]
                raise AssertionError(f"no {kind.__name__} within {within_s} s; there was {kinds}") from None

    def all(self, kind: type[E]) -> list[E]:
        """Every event of this kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


class Phones:
    """The control API of the network."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=PATIENCE_S)

    async def close(self) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """One call; raises AssertionError for any answer but 2xx."""
        answer = await self._client.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    async def make(self, *numbers: str) -> None:
        for number in numbers:
            await self.call("POST", "/phones", number=number, name=f"Phone {number[-2:]}")

    async def inbox(self, number: str) -> list[dict[str, Any]]:
        return (await self.call("GET", f"/phones/{number}/inbox"))["messages"]

    async def write(self, number: str, to: str, text: str = "", **what: Any) -> str:
        """The person writes a text, or what is described; returns the message's id."""
        body = {"to": to, "type": "text", "text": text, **what}
        return (await self.call("POST", f"/phones/{number}/messages", **body))["id"]


class Rig:
    """One engine under test, its events, and its network."""

    def __init__(
        self, name: str, made: engine.Engine, phones: Phones, database: str, engine_of: Callable[[], Any]
    ) -> None:
        self.name, self.engine, self.phones = name, made, phones
        self.mongodb_url = database
        self.binary = Path()
        self.environment: dict[str, str] = {}
        self.network: Simulated | None = None
        self.seen = Recorder()
        self._engine_of = engine_of
        self._connections = 0

    async def start(self) -> None:
        async def down() -> None:
            self.seen.downs.append(self.engine.worker_start)

        await self.engine.start(self.seen.handle, down)

    def another(self) -> Any:
        """A second engine on the same network and database: another replica."""
        return self._engine_of()

    def open_request(
        self, session: str, *, link: int = 1, epoch: int = 1, connection: int | None = None, lease: str | None = None
    ) -> engine.Open:
        """An open as an owner would send it; connection numbers rise by themselves."""
        self._connections += 1
        fence = epoch * 2**20 + self.engine.worker_start
        number = connection or self._connections
        return engine.Open(session=session, link=link, fence=fence, connection=number, lease=lease)

    async def open(self, session: str, **how: Any) -> int:
        """Open and return the connection number."""
        request = self.open_request(session, **how)
        reply = await self.engine.call(request, timeout_s=30)
        assert reply == engine.Done(), reply
        return request.connection

    async def link(self, session: str, number: str, **how: Any) -> engine.Connected:
        """Open, let the phone scan, and wait until it is connected."""
        after = len(self.seen.events)
        connection = await self.open(session, **how)
        codes = await self.seen.next(engine.Qr, lambda e: e.connection == connection, after=after)
        await self.phones.make(number)
        await self.phones.call("POST", f"/phones/{number}/scan", qr=codes.codes[0])
        return await self.seen.next(engine.Connected, lambda e: e.connection == connection, after=after)

    async def reopen(self, session: str, **how: Any) -> engine.Connected:
        """Open a linked session and wait until it is connected."""
        after = len(self.seen.events)
        connection = await self.open(session, **how)
        return await self.seen.next(engine.Connected, lambda e: e.connection == connection, after=after)

    async def send(
        self, session: str, to: str, content: engine.Content, message_id: str, *, within_s: float = 20, **more: Any
    ) -> engine.Reply:
        """One message to a number, or to a group's JID."""
        request = engine.Send(
            session=session,
            message_id=message_id,
            to=to if "@" in to else f"{to}@s.whatsapp.net",
            content=content,
            deadline_ms=int((time.time() + within_s) * 1000),
            **more,
        )
        return await self.engine.call(request, timeout_s=within_s + 10)

    def store_medium(self, media_id: str, body: bytes) -> None:
        """Put a file where the api puts uploads."""
        with MongoClient[dict[str, Any]](self.mongodb_url) as client:
            bucket = GridFSBucket(client.get_default_database(), bucket_name="media")
            bucket.upload_from_stream_with_id(media_id, "file", body)

    def stored_medium(self, media_id: str) -> tuple[bytes, dict[str, Any]]:
        """A file of the bucket, and its metadata."""
        with MongoClient[dict[str, Any]](self.mongodb_url) as client:
            bucket = GridFSBucket(client.get_default_database(), bucket_name="media")
            stream = bucket.open_download_stream(media_id)
            return stream.read(), dict(stream.metadata or {})

    async def confirmed_to(self, number: str) -> None:
        """Wait until the network knows that all this person wrote has arrived: our acks went all the way."""

        async def all_delivered() -> bool:
            sent = (await self.phones.call("GET", f"/phones/{number}/messages"))["messages"]
            return all(message["status"] in {"delivered", "read"} for message in sent)

        if self.name == "worker":  # the scripted engine's owner is its network
            await eventually(all_delivered)


def built(program: golang.GoProgram) -> Path:
    """The Go program of these sources, built when it is not."""
    go = golang.find()
    assert go is not None
    return golang.built(program) or golang.build(go, program, lambda: None)


class Simulated:
    """The simulated network as a process of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ports = free_port(), free_port()
        self._output = directory / "simulator.out"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> simulator.Listening:
        """Start it and return where it listens; after `kill` again at the same addresses, on the same files."""
        process = self._launch()
        return await simulator.wait_until_ready(self._output, lambda: process.poll() is None)

    def _launch(self) -> subprocess.Popen[bytes]:
        built(golang.SIMULATOR)
        program = simulator.program(self.directory / "network", *self._ports)
        with self._output.open("wb") as stdout, (self.directory / "simulator.log").open("ab") as stderr:
            self._process = subprocess.Popen(tethered(program.command), stdout=stdout, stderr=stderr)
        return self._process

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


async def worker_rig(stack: AsyncExitStack, directory: Path, mongodb_url: str) -> Rig:
    """The Go worker on the simulated network."""
    network = Simulated(directory)
    stack.callback(network.kill)
    listening = await network.start()
    phones = Phones(listening.control)
    stack.push_async_callback(phones.close)

    binary = built(golang.ENGINE)
    environment = {
        "MONGODB_URL": mongodb_url,
        "MERPATI_SECRET_KEYS": KEYS,
        "MERPATI_WA_ENDPOINT": listening.endpoint,
        "MERPATI_WA_ROOT_KEY": listening.root_key,
    }

    def make(name: str = "run") -> WorkerEngine:
        return WorkerEngine(binary=binary, runtime_dir=directory / name, environment=environment)

    rig = Rig("worker", make(), phones, mongodb_url, lambda: make("other"))
    rig.binary, rig.environment, rig.network = binary, environment, network
    stack.push_async_callback(rig.engine.stop)
    await rig.start()
    return rig


async def scripted_rig(stack: AsyncExitStack, mongodb_url: str) -> Rig:
    """The scripted engine on its own network."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    stack.push_async_callback(client.close)
    network = ScriptedNetwork(client.get_default_database())
    port = free_port()
    control = ScriptedControl(network, port=port)
    await control.start()
    stack.push_async_callback(control.stop)
    phones = Phones(f"http://127.0.0.1:{port}")
    stack.push_async_callback(phones.close)
    rig = Rig("scripted", ScriptedEngine(network), phones, mongodb_url, lambda: ScriptedEngine(network))
    stack.push_async_callback(rig.engine.stop)
    await rig.start()
    return rig
