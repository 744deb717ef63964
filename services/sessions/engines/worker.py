"""The engine worker as an `Engine`: starts the Go program, watches it, starts it again, and speaks with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from libs.runtime import logs
from libs.runtime.tasks import end
from services.sessions.engines.base import EngineDown, Event, Handler, Ping, Pong, Reply, Request
from services.sessions.engines.wire import (
    MUST_ACK,
    AckFrame,
    EventFrame,
    HoldFrame,
    ReplyFrame,
    RequestFrame,
    next_frame,
    pack,
)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
STABLE_AFTER_S = 10.0
CONNECT_WITHIN_S = 15.0
PING_EVERY_S = 2.0
PONG_WITHIN_S = 12.0
SILENT_AFTER_S = 5.0
DRAIN_WITHIN_S = 8.0
SOCKET_PATH_BYTES = 100  # the kernel takes 107; a little is left for the name's sake


class WorkerEngine:
    """One worker process for all sessions of a replica; it never outlives this process."""

    def __init__(self, *, binary: Path, runtime_dir: Path, environment: Mapping[str, str]) -> None:
        self._binary = binary
        self._runtime_dir = runtime_dir
        self._environment = environment
        self._worker_start = 1
        self._life: _Life | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._first_up = asyncio.Event()
        self._lanes = _Lanes()
        self._door: _Door | None = None
        self._held = HoldFrame(until={})
        self._log = logs.get()

    @property
    def worker_start(self) -> int:
        """How often the worker has been started by this process, from 1."""
        return self._worker_start

    @property
    def up(self) -> bool:
        """Whether the worker runs and answers."""
        return self._life is not None and self._life.answers

    @property
    def pid(self) -> int | None:
        """The worker's process id, while it runs."""
        return self._life.pid if self._life else None

    async def start(self, handler: Handler, on_down: Callable[[], Awaitable[None]]) -> None:
        """Start the worker and wait a little for its first answer; it is watched and started again until `stop`."""
        self._lanes.handler = handler
        self._door = await _Door.open(self._runtime_dir)
        self._supervisor = asyncio.create_task(self._supervise(self._door, on_down))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._first_up.wait(), CONNECT_WITHIN_S)

    async def stop(self) -> None:
        """Let the worker close its sockets and end; kill it when it does not. May run twice."""
        if self._supervisor is not None:
            await end(self._supervisor)
            self._supervisor = None
        if self._life is not None:
            await self._life.drain()
            self._life = None
        if self._door is not None:
            await self._door.close()
            self._door = None

    async def call(self, request: Request, *, timeout_s: float) -> Reply:
        """Carry out one request; see `Engine.call`."""
        if self._life is None:
            raise EngineDown("it is being started")
        return await self._life.call(request, timeout_s=timeout_s)

    def hold(self, leases: Mapping[str, float]) -> None:
        """Tell the worker, and the next one at its start; see `Engine.hold`."""
        self._held = HoldFrame(until={name: int(until * 1e9) for name, until in leases.items()})
        if self._life is not None:
            self._life.send(self._held)

    async def _supervise(self, door: _Door, on_down: Callable[[], Awaitable[None]]) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            came_up = await self._live_once_safely(door)
            self._worker_start += 1
            self._log.warning("the engine worker ended", worker_start=self._worker_start, came_up=came_up)
            if came_up:
                await self._tell_down(on_down)
            stable = time.monotonic() - began > STABLE_AFTER_S
            pause_s = FIRST_PAUSE_S if stable else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _live_once_safely(self, door: _Door) -> bool:
        try:
            return await self._live_once(door)
        except Exception:
            self._log.exception("watching the engine worker failed; it is started again")
            return False

    async def _live_once(self, door: _Door) -> bool:
        """One life of the worker, from its start until it is reaped. Whether it ever answered."""
        try:
            life = await _Life.begin(self._binary, door, self._environment, self._lanes)
        except OSError as error:  # TimeoutError is one
            self._log.error("the engine worker could not be started", error=str(error))
            return False
        self._life = life
        life.send(self._held)
        try:
            await life.answered_first()
            self._first_up.set()
            await life.until_it_ends()
        finally:
            if not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self._life = None
                await life.kill()
        return life.came_up

    async def _tell_down(self, on_down: Callable[[], Awaitable[None]]) -> None:
        try:
            await on_down()
        except Exception:
            self._log.exception("the engine's owner could not be told that the worker ended")


class _Lanes:
    """Runs the handler: events of one session one after another, of different sessions side by side."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self._waiting: dict[str, deque[tuple[_Life, int, Event]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, life: _Life, event_id: int, event: Event) -> None:
        """Queue an event behind those of its session, also behind one that an earlier life left running."""
        if event.session in self._waiting:
            self._waiting[event.session].append((life, event_id, event))
            return
        self._waiting[event.session] = deque([(life, event_id, event)])
        task = asyncio.create_task(self._run(event.session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, session: str) -> None:
        waiting = self._waiting[session]
        while waiting:
            life, event_id, event = waiting.popleft()
            if life.over:
                continue  # its sockets are gone: what must not be lost comes again
            handled = await self._handled(event)
            if isinstance(event, MUST_ACK):
                life.send(AckFrame(id=event_id, ok=handled))
        del self._waiting[session]

    async def _handled(self, event: Event) -> bool:
        if self.handler is None:
            return False
        try:
            return await self.handler(event)
        except Exception:
            logs.get().exception("an event of the engine could not be handled", session=event.session)
            return False


class _Door:
    """The private socket at which the worker knocks."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "engine.sock"
        self.pid_file = folder / "engine.pid"
        self._temporary = len(os.fsencode(self.path)) > SOCKET_PATH_BYTES
        if self._temporary:
            self.path = Path(tempfile.mkdtemp(prefix="merpati-")) / "engine.sock"
        self.starting = asyncio.Lock()
        """Held while a process is started, until `expect` knows its number: it may knock before that."""
        self._server: asyncio.Server | None = None
        self._expected: tuple[int, asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] | None = None

    @classmethod
    async def open(cls, runtime_dir: Path) -> _Door:
        """Listen in a folder that only this user may enter; in a temporary one when the path is too long."""
        door = cls(_private_folder(runtime_dir))
        door.path.unlink(missing_ok=True)
        door._server = await asyncio.start_unix_server(door._knocked, door.path)
        return door

    async def close(self) -> None:
        """Stop listening and leave nothing behind."""
        if self._server is not None:
            self._server.close()
        self.path.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        if self._temporary:
            shutil.rmtree(self.path.parent, ignore_errors=True)

    def expect(self, pid: int) -> asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """The connection of this process, once it comes; nobody else's."""
        partial = self.pid_file.with_suffix(".new")
        partial.write_text(str(pid))
        partial.replace(self.pid_file)
        self._expected = (pid, asyncio.get_running_loop().create_future())
        return self._expected[1]

    async def _knocked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self.starting:
            if self._expected and self._expected[0] == _peer_pid(writer) and not self._expected[1].done():
                self._expected[1].set_result((reader, writer))
            else:
                writer.close()


def _private_folder(folder: Path) -> Path:
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _peer_pid(writer: asyncio.StreamWriter) -> int:
    peer = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


class _Life:
    """One worker process and the conversation with it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        lanes: _Lanes,
    ) -> None:
        self._process = process
        self._reader, self._writer = streams
        self._lanes = lanes
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._last_id = 0
        self._last_pong: float | None = None
        self._answered = asyncio.Event()
        self.over = False
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]

    @classmethod
    async def begin(cls, binary: Path, door: _Door, environment: Mapping[str, str], lanes: _Lanes) -> _Life:
        """Start the program and let it in. Raises OSError, or TimeoutError when it does not come."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MERPATI_")}
        async with door.starting:
            process = await asyncio.create_subprocess_exec(
                binary,
                "--socket",
                door.path,
                env=inherited | dict(environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            knock = asyncio.ensure_future(door.expect(process.pid))
        ended = asyncio.ensure_future(process.wait())
        try:
            done, _ = await asyncio.wait({knock, ended}, timeout=CONNECT_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if knock not in done:
                raise TimeoutError("it ended at once" if ended in done else "it did not connect in time")
        except BaseException:
            knock.cancel()
            await _reap(process)
            raise
        finally:
            ended.cancel()
        return cls(process, knock.result(), lanes)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def came_up(self) -> bool:
        return self._answered.is_set()

    @property
    def answers(self) -> bool:
        """Whether it has answered a moment ago."""
        return not self.over and self._last_pong is not None and time.monotonic() - self._last_pong < SILENT_AFTER_S

    async def answered_first(self) -> None:
        """Return once the worker answers, or its end shows."""
        await self._until(self._answered.wait())

    async def until_it_ends(self) -> None:
        """Return when the process ended, its socket closed, or it went silent."""
        await self._until(self._process.wait())

    async def _until(self, happens: Coroutine[None, None, Any]) -> None:
        """Return when this happens, the socket closes or the worker goes silent."""
        waiting = asyncio.create_task(happens)
        try:
            await asyncio.wait({waiting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def call(self, request: Request, *, timeout_s: float) -> Reply:
        if self.over:
            raise EngineDown("it has ended")
        self._last_id += 1
        request_id = self._last_id
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            self.send(RequestFrame(id=request_id, op=request))
            return await asyncio.wait_for(answer, timeout_s)
        finally:
            self._waiting.pop(request_id, None)

    def send(self, frame: RequestFrame | AckFrame | HoldFrame) -> None:
        """Send a frame; to a worker that has ended it is dropped."""
        if not self.over and not self._writer.transport.is_closing():
            self._writer.write(pack(frame))

    async def _read(self) -> None:
        """Take frames until the stream ends or is not understood."""
        try:
            while True:
                self._take(await next_frame(self._reader))
        except (asyncio.IncompleteReadError, OSError):
            return
        except (ValueError, msgspec.MsgspecError) as error:
            logs.get().error("a frame of the engine worker was not understood", error=str(error))

    def _take(self, frame: ReplyFrame | EventFrame) -> None:
        match frame:
            case EventFrame():
                self._lanes.put(self, frame.id, frame.event)
            case ReplyFrame():
                answer = self._waiting.pop(frame.id, None)
                if answer is not None and not answer.done():
                    answer.set_result(frame.result)

    async def _ping(self) -> None:
        """Return when the worker stopped answering."""
        try:
            while True:
                await self._ping_once()
                await asyncio.sleep(PING_EVERY_S)
        except TimeoutError:
            logs.get().error("the engine worker does not answer", within_s=PONG_WITHIN_S)
        except EngineDown:
            return

    async def _ping_once(self) -> None:
        if isinstance(await self.call(Ping(), timeout_s=PONG_WITHIN_S), Pong):
            self._last_pong = time.monotonic()
            self._answered.set()

    async def kill(self) -> None:
        """Kill the process and reap it; whoever waits for an answer learns that there will be none."""
        self._end()
        await _reap(self._process)

    async def drain(self) -> None:
        """Close its stdin and wait for it to close its sockets and end; kill it when it takes too long."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), DRAIN_WITHIN_S)
        await self.kill()

    def _end(self) -> None:
        self.over = True
        for task in self._tasks:
            task.cancel()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(EngineDown("it ended before it answered"))
        self._writer.close()


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Kill and wait, also when cancelled meanwhile: nobody else collects it.

    Not by `process.kill()`: that may reap the child itself, behind asyncio's back.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    collected = asyncio.ensure_future(process.wait())
    try:
        await asyncio.shield(collected)
    except asyncio.CancelledError:
        await asyncio.wait({collected})
        raise
