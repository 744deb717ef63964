"""Many WebSockets on one live stream, some of which never read what they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import websockets

from tests.faults.audience import STREAM
from tests.faults.lean_socket import LeanSocket

AT_ONCE = 25
SMALL_BYTES = 4096
ENDS_WITHIN_S = 60


class End(NamedTuple):
    """How a socket was closed, and the cursors of everything that it took: frames and pings."""

    code: int | None
    reason: str
    taken: list[str]


class Crowd:
    """`readers` keep the cursors of what they hear; `deaf` ones do not even take it from the kernel."""

    def __init__(self, url: str, key: str, *, readers: int, deaf: int) -> None:
        self._address = url.replace("http", "ws", 1) + STREAM
        self._number_of_readers, self._number_of_deaf = readers, deaf
        self._sockets = contextlib.AsyncExitStack()
        self._key = key
        self.readers: list[LeanSocket] = []
        self.deaf: list[websockets.ClientConnection] = []

    async def __aenter__(self) -> Self:
        room = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(
            *(self._listen(room) for _ in range(self._number_of_readers)),
            *(self._stay_deaf(room) for _ in range(self._number_of_deaf)),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self.readers:
            reader.close()
        await self._sockets.aclose()

    async def _small_socket(self) -> socket.socket:
        """Connected, with hardly any room in the kernel: what is not read is soon not taken."""
        parts = urlsplit(self._address)
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (parts.hostname, parts.port))
        return made

    async def _listen(self, room: asyncio.Semaphore) -> None:
        async with room:
            self.readers.append(await LeanSocket.connect(self._address, self._key))

    async def _stay_deaf(self, room: asyncio.Semaphore) -> None:
        async with room:
            connecting = websockets.connect(
                self._address,
                sock=await self._small_socket(),
                subprotocols=[websockets.Subprotocol("bearer"), websockets.Subprotocol(self._key)],
                proxy=None,
                compression=None,
                max_queue=1,
                ping_interval=None,
                close_timeout=1,
                open_timeout=30,
            )
            self.deaf.append(await self._sockets.enter_async_context(connecting))

    async def all_heard(self, frames: int) -> bool:
        """Whether every reader has heard this many."""
        return all(len(reader.heard) >= frames for reader in self.readers)

    async def all_heard_of(self, sequence: int) -> bool:
        """Whether every reader has heard the frame of this place, or a later one."""
        return all(reader.sequences[-1] >= sequence for reader in self.readers)

    async def ends_of_the_deaf(self) -> list[End]:
        """They begin to read after all: what each still took, and how it was closed."""
        return list(await asyncio.gather(*(_read_to_the_end(deaf) for deaf in self.deaf)))


async def _read_to_the_end(deaf: websockets.ClientConnection) -> End:
    taken: list[str] = []
    with contextlib.suppress(websockets.ConnectionClosed, TimeoutError):
        async with asyncio.timeout(ENDS_WITHIN_S):
            while True:
                taken.append(json.loads(await deaf.recv())["cursor"])
    return End(deaf.close_code, deaf.close_reason or "", taken)
