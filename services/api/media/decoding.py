"""Has files decoded by processes of their own: a few at once, the others wait in turn, each within a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

import services
from libs.contracts.errors import ApiError
from libs.runtime import logs
from services.api.errors import Refusal, unavailable

PROGRAM = "services.api.media.decoder"
ROOT = Path(services.__file__).parent.parent
MOST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer; an hour of sound makes a quarter of it."""
PIECE = 256 * 1024

log = logs.get()

Fault = Literal["empty", "huge", "scans", "damaged", "silent", "long", "unknown", "slow"]


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What phones show of a voice note before it is played: its length, and 64 bars from 0 to 100."""

    seconds: Annotated[int, Meta(ge=0)]
    waveform: Annotated[bytes, Meta(min_length=64, max_length=64)]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    fault: Fault | None = None
    seconds: int = 0
    waveform: list[Annotated[int, Meta(ge=0, le=100)]] = []


_decode = msgspec.json.Decoder(_Answer).decode
_SLOW, _DAMAGED = _Answer(fault="slow"), _Answer(fault="damaged")


class Decoder:
    """Runs the program `decoder`. Beyond `queue` waiting files: Refusal RATE_LIMITED."""

    def __init__(self, *, at_once: int, queue: int, within_s: float) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._queue, self._waiting, self._within_s = queue, 0, within_s

    async def picture_fault(self, file: AsyncIterator[bytes]) -> Fault | None:
        """Why the picture cannot be shown, or None."""
        answer, _ = await self._run(file, "picture")
        return answer.fault

    async def measured(self, file: AsyncIterator[bytes], mimetype: str) -> Sound | Fault:
        """What is heard in this file."""
        answer, _ = await self._run(file, "measure", mimetype)
        return answer.fault or _sound_of(answer)

    async def voice_note(self, file: AsyncIterator[bytes], mimetype: str) -> tuple[Sound, bytes] | Fault:
        """The sound of this file as a voice note, Ogg with Opus, and what is heard in it."""
        answer, made = await self._run(file, "convert", mimetype)
        return answer.fault or (_sound_of(answer), made)

    async def _run(self, file: AsyncIterator[bytes], *job: str) -> tuple[_Answer, bytes]:
        """Raises Refusal RATE_LIMITED, SERVICE_UNAVAILABLE."""
        async with self._turn():
            try:
                async with asyncio.timeout(self._within_s), _started(*job) as process:
                    return await _answered(process, file)
            except TimeoutError:
                log.warning("a file took too long to decode", job=job)
                return _SLOW, b""

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        if self._waiting >= self._queue:
            raise Refusal(ApiError.RATE_LIMITED, headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


@contextlib.asynccontextmanager
async def _started(*job: str) -> AsyncGenerator[Process]:
    """The program, which ends with the block. It gets nothing of this process's environment, which holds keys."""
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "1"}
    command = (sys.executable, "-m", PROGRAM, *job)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=ROOT, env=environment
        )
    except OSError as error:
        log.error("no decoder can be started", reason=str(error))
        raise unavailable() from error
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def _answered(process: Process, file: AsyncIterator[bytes]) -> tuple[_Answer, bytes]:
    await _give(process, file)
    said = await _all_of(process)
    if said is None or await process.wait() != 0 or not said:
        log.warning("a decoder ended without an answer", code=process.returncode)
        return (_SLOW if process.returncode == -signal.SIGXCPU else _DAMAGED), b""
    line, _, made = said.partition(b"\n")
    return _decode(line), made


async def _give(process: Process, file: AsyncIterator[bytes]) -> None:
    """Write the file; a program that has ended takes no more of it."""
    stdin = process.stdin
    if stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        async for piece in file:
            stdin.write(piece)
            await stdin.drain()
    stdin.close()


async def _all_of(process: Process) -> bytes | None:
    """What the program says; None when that is too much."""
    said = bytearray()
    while process.stdout is not None and (piece := await process.stdout.read(PIECE)):
        said += piece
        if len(said) > MOST_ANSWER:
            return None
    return bytes(said)


def _sound_of(answer: _Answer) -> Sound:
    return Sound(seconds=answer.seconds, waveform=bytes(answer.waveform))
