"""Makes a fresh mongod the replica set that `MONGODB_URL` names, and waits until it takes writes."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

NOT_YET_INITIALIZED = 94  # mongod's error code
PAUSE_S = 0.2


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """A replica set of one, as a URL names it."""

    replica_set: str
    host: str
    port: int


class NotWritableError(Exception):
    """MongoDB took no writes in time; the message says what it answered last."""

    def __init__(self, timeout_s: float, last: str) -> None:
        super().__init__(f"MongoDB takes no writes after {timeout_s:.0f} s: {last}")


def seed_of(url: str) -> Seed | None:
    """The replica set that we may make; None for a cluster of several hosts or without a set, which is its owner's."""
    parsed = parse_uri(url)
    name = parsed["options"].get("replicaSet")
    if name is None or len(parsed["nodelist"]) != 1:
        return None
    host, port = parsed["nodelist"][0]
    return Seed(replica_set=name, host=host, port=port or 27017)


def wait_until_writable(url: str, timeout_s: float) -> None:
    """Return when the primary takes writes. May run twice. Raises NotWritableError."""
    seed, last, deadline = seed_of(url), "no answer", time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if _is_writable(url, direct=seed is not None):
                return
            last = "it is not a primary"
            if seed is not None:
                _initiate_unless_done(url, seed)
        except PyMongoError as error:  # not listening yet, or between two states: asked again until the deadline
            last = str(error)
        time.sleep(PAUSE_S)
    raise NotWritableError(timeout_s, last)


def _is_writable(url: str, *, direct: bool) -> bool:
    with _client(url, direct=direct) as client:
        return bool(client.admin.command("hello").get("isWritablePrimary"))


def _initiate_unless_done(url: str, seed: Seed) -> None:
    with _client(url, direct=True) as client:
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as refusal:
            if refusal.code != NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": f"{seed.host}:{seed.port}"}]
            client.admin.command("replSetInitiate", {"_id": seed.replica_set, "members": members})


def _client(url: str, *, direct: bool) -> MongoClient[dict[str, Any]]:
    """To one host directly: a set that is not made yet has no primary to be found."""
    options: dict[str, Any] = {"directConnection": True, "replicaSet": None} if direct else {}
    return MongoClient(url, serverSelectionTimeoutMS=1_000, **options)
