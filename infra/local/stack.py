"""The whole product on one machine: started in order, watched, drained in order."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from infra.local import dashboard, keys, mongod, nats, ready, simulator
from infra.local.checkout import CHECKOUT
from infra.local.children import Child, trim_log
from infra.local.data import DataDirectory
from infra.local.options import Options, default_engine_of
from infra.local.ports import LOOPBACK, PortBook
from infra.local.programs import STARTS_WITHIN_S, Program, tethered
from infra.local.readiness import wait_until_ready, why_not_started
from infra.local.screen import CannotRunError, Screen
from infra.local.services import Replica, Surroundings, program_of, replica_names
from infra.local.together import all_of

DRAIN_ORDER = ("api", "sessions", "sender", "status", "simulator", "nats", "mongod")
WATCH_S = 0.2
TRIM_EVERY = 150
"""Log sizes are looked at every 30 s: this many rounds of the watch."""


class Bootstrapped(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `python -m infra.bootstrap` prints."""

    customer_id: str
    email: str
    api_key: str
    admin_email: str


class Stack:
    """One running stack. `start` once, then `watch` until told to stop, then `stop`."""

    def __init__(self, options: Options, networks: tuple[str, ...], data: DataDirectory, screen: Screen) -> None:
        self._options = options
        self._networks = networks
        self._data = data
        self._screen = screen
        self._book = PortBook(data.ports, reserved=options.port)
        self._children: dict[str, Child] = {}
        self._runtimes: dict[str, Path] = {}
        self._ready: ready.Ready | None = None

    async def start(self) -> ready.Ready:
        """Everything up and ready, and said so in ready.json; CannotRunError when something is not."""
        kept = keys.overridden(keys.load_or_make(self._data.secrets), dict(os.environ))
        nats_url, mongodb_url = await all_of(self._nats(), self._mongod())
        network = await self._simulator()
        around = Surroundings(
            nats_url=nats_url,
            mongodb_url=mongodb_url,
            secret_keys=kept["MERPATI_SECRET_KEYS"],
            api_port=self._options.port,
            networks=self._networks,
            default_engine=default_engine_of(self._options, self._networks),
            simulator_endpoint=network.endpoint if network else "",
            simulator_root_key=network.root_key if network else "",
            simulator_url=network.control if network else "",
            scripted_url=self._scripted_url() or "",
            dashboard=dashboard.built(),
        )
        account = await self._prepare(around, kept)
        await self._services(around)
        self._book.save()
        self._ready = self._readiness(around, account, kept)
        self._write_ready()
        return self._ready

    async def watch(self) -> None:
        """Keeps ready.json true and the logs small; runs until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(WATCH_S)
            self._write_ready()
            rounds += 1
            if rounds % TRIM_EVERY == 0:
                for child in self._children.values():
                    await asyncio.to_thread(trim_log, child.log)

    async def stop(self) -> None:
        """Drain, a kind of program after the other, so that each finds what it needs until it is done."""
        self._ready = None
        self._data.ready.unlink(missing_ok=True)
        for kind in DRAIN_ORDER:
            group = [child for name, child in self._children.items() if name.split("-")[0] == kind]
            await asyncio.gather(*(child.stop() for child in group))

    def kill(self) -> None:
        """Everything at once, for a person who will not wait."""
        for child in self._children.values():
            child.kill()

    # --- Servers ---------------------------------------------------------------------------------------------------

    async def _nats(self) -> str:
        if given := os.environ.get("NATS_URL"):
            return given
        port = self._book.port("nats")
        with self._screen.step("nats-server"):
            await self._server(nats.program(self._data.database("nats"), port), port, nats.wait_until_ready)
        return nats.url(port)

    async def _mongod(self) -> str:
        if given := os.environ.get("MONGODB_URL"):
            return given
        port = self._book.port("mongod")
        with self._screen.step("mongod"):
            await self._server(mongod.program(self._data.database("mongod"), port), port, mongod.wait_until_ready)
        return mongod.url(port)

    async def _server(self, program: Program, port: int, wait: Callable[[int, Callable[[], bool]], None]) -> None:
        child = await self._run(program)
        try:
            await asyncio.to_thread(wait, port, child.runs)
        except (ChildProcessError, TimeoutError) as error:
            raise CannotRunError(why_not_started(child, error)) from error

    async def _simulator(self) -> simulator.Listening | None:
        if "simulator" not in self._networks:
            return None
        output = self._data.root / "simulator.out"
        ports = self._book.port("simulator"), self._book.port("simulator-control")
        with self._screen.step("simulated network"):
            child = await self._run(simulator.program(self._data.database("simulator"), *ports), output)
            try:
                return await simulator.wait_until_ready(output, child.runs)
            except (ChildProcessError, TimeoutError) as error:
                raise CannotRunError(why_not_started(child, error)) from error

    # --- Streams, first rows, services -----------------------------------------------------------------------------

    async def _prepare(self, around: Surroundings, kept: dict[str, str]) -> Bootstrapped:
        environment = kept | {"NATS_URL": around.nats_url, "MONGODB_URL": around.mongodb_url}
        with self._screen.step("streams and first rows"):
            _, printed = await all_of(
                self._one_shot("infra.topology", environment), self._one_shot("infra.bootstrap", environment)
            )
        return msgspec.json.decode(printed.strip().splitlines()[-1], type=Bootstrapped)

    async def _one_shot(self, module: str, environment: dict[str, str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *tethered((sys.executable, "-m", module)),
            cwd=CHECKOUT,
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            printed, said = await asyncio.wait_for(process.communicate(), STARTS_WITHIN_S)
        except TimeoutError as error:
            raise CannotRunError(f"python -m {module} took more than {STARTS_WITHIN_S:.0f} s.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise CannotRunError(f"python -m {module} failed:\n    " + said.decode(errors="replace").strip()[-1500:])
        return printed

    async def _services(self, around: Surroundings) -> None:
        replicas = self._replicas()
        with self._screen.step(f"services ({len(replicas)} processes)"):
            children = [await self._run(program_of(replica, around)) for replica in replicas]
            async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
                waits = [
                    wait_until_ready(child, replica.health_port, client, self._screen)
                    for child, replica in zip(children, replicas, strict=True)
                ]
                await all_of(*waits)

    def _replicas(self) -> list[Replica]:
        return [
            self._replica(service, name, network)
            for service, count in self._options.replicas.items()
            for name, network in replica_names(service, count, self._networks)
        ]

    def _replica(self, service: str, name: str, network: str) -> Replica:
        if network:
            self._runtimes[name] = self._data.runtime(name)
        return Replica(
            service=service,
            name=name,
            health_port=self._book.port(name),
            network=network,
            runtime=self._runtimes.get(name),
            scripted_port=self._book.port(f"{name}-control") if network == "scripted" else None,
        )

    async def _run(self, program: Program, output: Path | None = None) -> Child:
        child = Child(program, logs=self._data.logs, screen=self._screen, changed=self._write_ready, output=output)
        self._children[program.name] = child
        await child.start()
        return child

    # --- ready.json ------------------------------------------------------------------------------------------------

    def _readiness(self, around: Surroundings, account: Bootstrapped, kept: dict[str, str]) -> ready.Ready:
        scripted_url = self._scripted_url()
        return ready.Ready(
            url=f"http://{LOOPBACK}:{self._options.port}",
            email=account.email,
            password=kept["MERPATI_CUSTOMER_PASSWORD"],
            api_key=account.api_key,
            customer_id=account.customer_id,
            admin_email=account.admin_email,
            admin_password=kept["MERPATI_ADMIN_PASSWORD"],
            simulator_url=around.simulator_url or scripted_url,
            scripted_url=scripted_url,
            networks=self._networks,
            default_engine=around.default_engine,
            nats_url=around.nats_url,
            mongodb_url=around.mongodb_url,
        )

    def _scripted_url(self) -> str | None:
        scripted = "scripted" in self._networks
        return f"http://{LOOPBACK}:{self._book.port('sessions-scripted-1-control')}" if scripted else None

    def _write_ready(self) -> None:
        """Rewrite ready.json when a process id changed; nothing before the stack is ready."""
        if self._ready is None:
            return
        pids = self._pids()
        if pids != self._ready.pids:
            self._ready = msgspec.structs.replace(self._ready, pids=pids)
            ready.write(self._data.ready, self._ready)

    def _pids(self) -> dict[str, int]:
        pids = {name: child.pid for name, child in self._children.items() if child.pid}
        for name, runtime in self._runtimes.items():
            owner = pids.get(name)
            if owner and (engine := _engine_pid(runtime / "engine.pid", owner)):
                pids[name.replace("sessions-", "engine-", 1)] = engine
        return pids | {"launcher": os.getpid()}


def _engine_pid(path: Path, owner: int) -> int | None:
    """The engine worker's process id, if that process is really this owner's child."""
    try:
        pid = int(path.read_text())
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pid if parent == owner else None
