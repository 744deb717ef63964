"""The four services as programs: which replicas there are, and the environment of each."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from infra.local import golang
from infra.local.options import GO_NETWORKS
from infra.local.ports import LOOPBACK
from infra.local.programs import Program

SHARDS = 32


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know of the stack it runs in."""

    nats_url: str
    mongodb_url: str
    secret_keys: str
    api_port: int
    networks: tuple[str, ...]
    default_engine: str
    simulator_endpoint: str = ""
    simulator_root_key: str = ""
    simulator_url: str = ""
    scripted_url: str = ""
    dashboard: Path | None = None
    """Where the dashboard's built files are."""


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of one service."""

    service: str
    name: str
    health_port: int
    network: str = ""
    runtime: Path | None = None
    """For sessions: where its Unix socket and `engine.pid` are."""
    scripted_port: int | None = None
    """For the scripted network: where its control API listens."""


def program_of(replica: Replica, around: Surroundings) -> Program:
    """The process of this replica; everything it needs is in its environment."""
    return Program(
        name=replica.name,
        command=(sys.executable, "-m", f"services.{replica.service}.app"),
        environment=_common(replica, around) | _own(replica, around),
    )


def replica_names(service: str, count: int, networks: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name and network of each replica; `sessions=2` is two of each network.

    The scripted network lives in one process's memory, so it has one replica.
    """
    if service != "sessions":
        return [(f"{service}-{number}", "") for number in range(1, count + 1)]
    return [
        (f"sessions-{network}-{number}", network)
        for network in networks
        for number in range(1, (1 if network == "scripted" else count) + 1)
    ]


def _common(replica: Replica, around: Surroundings) -> dict[str, str]:
    return {
        "NATS_URL": around.nats_url,
        "MONGODB_URL": around.mongodb_url,
        "MERPATI_SECRET_KEYS": around.secret_keys,
        "MERPATI_SHARDS": str(SHARDS),
        "MERPATI_REPLICA": replica.name,
        "MERPATI_HEALTH_HOST": LOOPBACK,
        "MERPATI_HEALTH_PORT": str(replica.health_port),
    }


def _own(replica: Replica, around: Surroundings) -> dict[str, str]:
    match replica.service:
        case "api":
            return _api(around)
        case "sessions":
            return _sessions(replica, around)
        case _:
            return {}


def _api(around: Surroundings) -> dict[str, str]:
    own = {
        "MERPATI_HOST": LOOPBACK,
        "MERPATI_PORT": str(around.api_port),
        "MERPATI_DEFAULT_ENGINE": around.default_engine,
        "MERPATI_ENGINES": ",".join(around.networks),
    }
    optional = {
        "MERPATI_SIMULATOR_URL": around.simulator_url,
        "MERPATI_SCRIPTED_URL": around.scripted_url,
        "MERPATI_DASHBOARD_ASSETS": str(around.dashboard or ""),
    }
    return own | {name: value for name, value in optional.items() if value}


def _sessions(replica: Replica, around: Surroundings) -> dict[str, str]:
    own = {"MERPATI_NETWORK": replica.network, "MERPATI_RUNTIME_DIR": str(replica.runtime)}
    if replica.network in GO_NETWORKS:
        own["MERPATI_ENGINE_BINARY"] = str(golang.BINARIES / golang.ENGINE.name)
    if replica.network == "simulator":
        own["MERPATI_WA_ENDPOINT"] = around.simulator_endpoint
        own["MERPATI_WA_ROOT_KEY"] = around.simulator_root_key
    if replica.scripted_port is not None:
        own["MERPATI_SCRIPTED_CONTROL_PORT"] = str(replica.scripted_port)
    return own
