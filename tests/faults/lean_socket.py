"""A WebSocket that only listens, lean enough for hundreds of them in one test: it keeps the cursor of each frame."""

from __future__ import annotations

import asyncio
import base64
import os
from urllib.parse import urlsplit

from tests.faults.audience import sequence_of

CURSOR, CURSOR_END = b'{"cursor":"', b'"'
JSON_PING = b'{"type":"ping"'
TEXT, PING, FIN = 0x1, 0x9, 0x80
SHORT, MEDIUM, MEDIUM_MARK = 126, 65_536, 126
UPGRADED = b"HTTP/1.1 101"


class LeanSocket(asyncio.Protocol):
    """Speaks as much of RFC 6455 as an edge of ours needs: unfragmented text frames, and pings that are answered."""

    def __init__(self, path: str, host: str, key: str) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: bearer, {key}\r\n\r\n"
        )
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: list[str] = []

    @classmethod
    async def connect(cls, address: str, key: str) -> LeanSocket:
        """Shake hands."""
        parts = urlsplit(address)
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(parts.path, parts.netloc, key), parts.hostname, parts.port)
        await asyncio.wait_for(socket.open, 30)
        return socket

    @property
    def sequences(self) -> list[int]:
        """The places of the frames that it has heard, as they came."""
        return [sequence_of(cursor) for cursor in self.heard]

    def close(self) -> None:
        """Go away without a word."""
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.open.done():
            head, blank, rest = self._buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            assert head.startswith(UPGRADED), head[:200]
            self._buffer = bytearray(rest)
            self.open.set_result(None)
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 4:
            return False
        start, length = 2, buffer[1]
        if length == MEDIUM_MARK:
            start, length = 4, int.from_bytes(buffer[2:4], "big")
        assert length < MEDIUM, "a frame of this test is below 64 kB"
        end = start + length
        if len(buffer) < end:
            return False
        self._frame(buffer[0] & 0x0F, bytes(buffer[start : min(end, start + SHORT)]))
        del buffer[:end]
        return True

    def _frame(self, kind: int, beginning: bytes) -> None:
        if kind == TEXT and beginning.startswith(CURSOR):
            cursor_end = beginning.index(CURSOR_END, len(CURSOR))
            self.heard.append(beginning[len(CURSOR) : cursor_end].decode())
        elif kind == PING and self._transport is not None:
            self._transport.write(bytes((FIN | 0xA, FIN | len(beginning), 0, 0, 0, 0)) + beginning)  # mask of zeros
        else:
            assert beginning.startswith(JSON_PING), beginning
