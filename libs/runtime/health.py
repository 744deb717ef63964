"""Liveness and readiness: the checks of a process, and a small HTTP server that tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else one sentence that says what is not."""

CHECK_TIMEOUT_S = 3.0


class Health:
    """The named checks of one process. Ready when each of them answers None."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check; all of them run at each question."""
        self._checks[name] = check

    async def faults(self) -> dict[str, str]:
        """What is not well, by check name; empty when ready."""
        checks = dict(self._checks)  # more may be added while these are asked
        answers = await asyncio.gather(*(self._ask(check) for check in checks.values()))
        return {name: fault for name, fault in zip(checks, answers, strict=True) if fault is not None}

    @staticmethod
    async def _ask(check: Check) -> str | None:
        try:
            return await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
        except TimeoutError:
            return f"no answer in {CHECK_TIMEOUT_S:g} s"
        except Exception as error:  # a check must never take the health server down
            return f"{type(error).__name__}: {error}"


class HealthServer:
    """Answers `GET /livez` and `GET /readyz` with JSON; 503 and the reasons while something is not well."""

    def __init__(self, health: Health, *, host: str, port: int) -> None:
        self._health, self._host, self._port = health, host, port
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._answer, self._host, self._port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 5)
            while (await asyncio.wait_for(reader.readline(), 5)).strip():
                pass
            path = ([*line.split(), b"", b""])[1].split(b"?")[0]
            status, body = await self._body(path)
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % (status, len(body))
                + body
            )
            await writer.drain()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _body(self, path: bytes) -> tuple[bytes, bytes]:
        if path == b"/livez":
            return b"200 OK", msgspec.json.encode({"live": True})
        if path != b"/readyz":
            return b"404 Not Found", msgspec.json.encode({"message": "only /livez and /readyz are answered here"})
        faults = await self._health.faults()
        status = b"503 Service Unavailable" if faults else b"200 OK"
        return status, msgspec.json.encode({"ready": not faults, "faults": faults})
