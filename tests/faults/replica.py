"""One more replica of a service beside the launcher's: one that may die for good, stand still, or be cut off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from infra.local.ports import free_port
from tests.faults.gate import Gate, gate_to
from tests.processes import ROOT, Running
from tests.stack import RunningStack

FAIR_SHARE = 16
"""Of 32 shards between two replicas."""
NAME = "extra"
DOORS = {"mongodb": "MONGODB_URL", "nats": "NATS_URL", "whatsapp": "MERPATI_WA_ENDPOINT"}
"""What a replica connects to, and the setting that says where."""


class ExtraReplica:
    """A process of a service started by the test, with the settings of one of the launcher's."""

    def __init__(
        self,
        running: Running,
        client: AsyncMongoClient[dict[str, Any]],
        *,
        service: str,
        runtime: Path,
        gates: dict[str, Gate],
    ) -> None:
        self._running, self.service, self._runtime = running, service, runtime
        self._database = client.get_default_database()
        self.gates = gates
        """Between it and `mongodb`, `nats` and `whatsapp`, when it was started behind gates."""

    async def kill(self) -> None:
        """SIGKILL; nobody starts it again. Its engine worker dies with it."""
        self._running.kill()
        await self._running.ended()

    def freeze(self, *, worker: bool = True) -> None:
        """SIGSTOP, its engine worker too: as when its machine stands still. Without: as when it hangs by itself."""
        for pid in self._pids() if worker else [self._running.pid]:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT, the engine worker first: for a moment nobody tells it anything. One that has ended is left alone."""
        for pid in reversed(self._pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        try:
            return [self._running.pid, int((self._runtime / "engine.pid").read_text())]
        except FileNotFoundError:  # it has none, or none at the moment
            return [self._running.pid]

    async def ready(self) -> None:
        """Wait until it says that it works."""
        await self._running.ready()

    async def shards_held(self) -> dict[int, int]:
        """Its shards with their epochs, once it holds its fair share; empty before."""
        held = await self.shards_now()
        return held if len(held) >= FAIR_SHARE else {}

    async def shards_now(self) -> dict[int, int]:
        """The shards that stand in its name, with their epochs."""
        mine = {"service": self.service, "owner": {"$regex": f"^{NAME}-"}, "shard": {"$ne": None}}
        return {row["shard"]: row["epoch"] async for row in self._database["leases"].find(mine)}

    async def sessions_held(self) -> dict[str, int]:
        """Its connected sessions with their epochs, once it holds its fair share of the shards; empty before."""
        epochs = await self.shards_held()
        held = self._database["session_states"].find({"shard": {"$in": list(epochs)}, "status": "connected"})
        return {row["_id"]: row["epoch"] async for row in held if row["epoch"] == epochs[row["shard"]]}

    async def states_of(self, sessions: dict[str, int]) -> list[dict[str, Any]]:
        """The observed states of these sessions."""
        return [row async for row in self._database["session_states"].find({"_id": {"$in": list(sessions)}})]


def environment_of(pid: int) -> dict[str, str]:
    """The settings with which a process of ours was started."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)


@asynccontextmanager
async def extra_replica(
    stack: RunningStack, like: str, tmp_path: Path, *, gated: bool = False
) -> AsyncGenerator[ExtraReplica]:
    """Run another replica with the environment of `like`, on its own ports and folder; `gated`: behind gates."""
    environ = environment_of(stack.pids[like])
    service, _, rest = like.partition("-")
    network, _, _ = rest.rpartition("-")
    runtime, port, log = tmp_path / "extra-run", free_port(), tmp_path / "extra.log"
    changed = {
        "MERPATI_REPLICA": NAME,
        "MERPATI_HEALTH_PORT": str(port),
        "MERPATI_RUNTIME_DIR": str(runtime),
    }
    async with AsyncExitStack() as closing:
        gates: dict[str, Gate] = {}
        for door, setting in DOORS.items():
            if gated and setting in environ:
                gates[door] = await closing.enter_async_context(gate_to(environ[setting]))
                changed[setting] = gates[door].url
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{service}.app"),
                env={**os.environ, **environ, **changed},
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )
        running = Running(process, port, log)
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(environ["MONGODB_URL"])
        of = f"{service}/{network}" if network else service
        extra = ExtraReplica(running, client, service=of, runtime=runtime, gates=gates)
        try:
            await running.ready()
            yield extra
        finally:
            await client.close()
            if running.running:
                extra.thaw()  # a worker that stands still does not see its owner's end
                await extra.kill()
