"""Builds and runs the sessions service for one network."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from libs.runtime.address_rules import allow_list_of
from libs.runtime.facts import Teller
from libs.runtime.service import Runtime, run
from libs.runtime.settings import SettingsError, read
from libs.runtime.shards import Lease
from services.sessions.engines.base import Engine
from services.sessions.fitness import Fitness
from services.sessions.handlers import Directory, SessionsOwner
from services.sessions.settings import Settings
from services.sessions.sockets import Ports
from services.sessions.store import SessionStore


async def build(runtime: Runtime, settings: Settings) -> Callable[[Lease], SessionsOwner]:
    """Start the engine; returns what makes the owner of a shard."""
    directory = Directory()
    engine = await _engine(runtime, settings)
    await engine.start(directory.handle, directory.engine_down)
    teller = Teller(runtime.bus, settings.shards)
    runtime.closing += [engine.stop, teller.close]
    fitness = Fitness()
    runtime.fit = lambda: runtime.bus.connected and engine.up and fitness.is_fit(time.monotonic())
    runtime.on_held = lambda leases: engine.hold({lease.name: lease.usable_until for lease in leases})
    runtime.health.add("engine", lambda: _engine_fault(engine))
    await SessionStore.ensure_indexes(runtime.database)
    logins = asyncio.Semaphore(settings.logins_at_once)

    def make(lease: Lease) -> SessionsOwner:
        ports = Ports(
            store=SessionStore(runtime.database, network=settings.network, lease=lease),
            teller=teller,
            engine=engine,
            lease=lease,
            logins=logins,
            fitness=fitness,
            ring=runtime.ring,
            crash=runtime.crash,
            device_name=settings.device_name,
        )
        return SessionsOwner(
            ports=ports,
            bus=runtime.bus,
            directory=directory,
            network=settings.network,
            reconcile_every_s=settings.reconcile_every_s,
        )

    return make


async def _engine(runtime: Runtime, settings: Settings) -> Engine:
    if settings.network != "scripted":
        from services.sessions.engines.worker import WorkerEngine

        return WorkerEngine(
            binary=Path(settings.engine_binary),
            runtime_dir=Path(settings.runtime_dir),
            environment=_worker_environment(settings),
        )
    from services.sessions.engines.scripted import ScriptedEngine
    from services.sessions.engines.scripted_control import ScriptedControl
    from services.sessions.engines.scripted_network import ScriptedNetwork

    network = ScriptedNetwork(runtime.database)
    if settings.scripted_control_port:
        control = ScriptedControl(network, port=settings.scripted_control_port)
        await control.start()
        runtime.closing.append(control.stop)
    return ScriptedEngine(network)


def _worker_environment(settings: Settings) -> dict[str, str]:
    environment = {
        "MONGODB_URL": settings.mongodb_url,
        "MERPATI_SECRET_KEYS": settings.secret_keys,
        "MERPATI_PRIVATE_TARGETS": "1" if settings.private_targets else "",
        "MERPATI_PROXY_ALLOWED": settings.proxy_allowed,
    }
    if settings.network == "simulator":
        environment |= {"MERPATI_WA_ENDPOINT": settings.wa_endpoint, "MERPATI_WA_ROOT_KEY": settings.wa_root_key}
    return environment


async def _engine_fault(engine: Engine) -> str | None:
    return None if engine.up else "the engine worker is not running"


def faults_of(settings: Settings) -> list[str]:
    """What is missing for the chosen network, one sentence each."""
    faults: list[str] = []
    if settings.network != "scripted" and not settings.engine_binary:
        faults.append("MERPATI_ENGINE_BINARY is not set")
    if settings.network == "simulator" and not (settings.wa_endpoint and settings.wa_root_key):
        faults.append("MERPATI_WA_ENDPOINT and MERPATI_WA_ROOT_KEY are needed for the network simulator")
    try:
        allow_list_of(settings.proxy_allowed)
    except ValueError as error:
        faults.append(f"MERPATI_PROXY_ALLOWED: {error}")
    return faults


def main() -> None:
    """Entry point: `python -m services.sessions.app`."""
    try:
        settings = read(Settings, os.environ)
        if faults := faults_of(settings):
            raise SettingsError(faults)
    except SettingsError as error:
        sys.exit(str(error))
    uvloop.run(run(f"sessions/{settings.network}", settings, lambda runtime: build(runtime, settings)))


if __name__ == "__main__":
    main()
