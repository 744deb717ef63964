"""How NATS and MongoDB are: reachable or not, what they hold and how large it is; each asked for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import nats.errors
import pymongo
from nats.js.api import ConsumerInfo
from pymongo.errors import OperationFailure, PyMongoError

from libs.contracts.streams import STREAMS
from libs.runtime.bus import Bus, BusDown
from libs.runtime.mongo import Client, Database
from libs.runtime.topology import drift

T = TypeVar("T")

WITHIN_S = 2.5
MOST_CONSUMERS = 1_000
MOST_COLLECTIONS = 100


class ConsumerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A reader of a stream: `pending` is what it has yet to get, `unacknowledged` what it works on."""

    name: str
    pending: int
    unacknowledged: int
    redelivered: int


class StreamState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A stream; `maxBytes` -1: without a limit."""

    name: str
    messages: int
    bytes: int
    max_bytes: int
    first_sequence: int
    last_sequence: int
    consumers: list[ConsumerState]


class NatsState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """NATS; `fault` says what is wrong, and the lists hold what is known."""

    is_reachable: bool = False
    fault: str | None = None
    version: str | None = None
    streams: list[StreamState] = []


class MemberState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A member of the replica set, such as `PRIMARY` or `SECONDARY`."""

    name: str
    state: str
    is_healthy: bool


class CollectionState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A collection: documents, bytes of data, on disk, and of its indexes."""

    name: str
    documents: int
    bytes: int
    disk_bytes: int
    index_bytes: int


class MongoState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """MongoDB; `members` is empty where the user may not ask for them."""

    is_reachable: bool = False
    fault: str | None = None
    version: str | None = None
    replica_set: str | None = None
    primary: str | None = None
    members: list[MemberState] = []
    bytes: int = 0
    disk_bytes: int = 0
    index_bytes: int = 0
    collections: list[CollectionState] = []


# --- NATS ------------------------------------------------------------------------------------------------------------


async def nats_state(bus: Bus) -> NatsState:
    """How NATS is, within 2.5 s; never raises."""
    if not bus.connected:
        return NatsState(fault="NATS is not connected")
    server = bus.nats.connected_server_version
    version = f"{server.major}.{server.minor}.{server.patch}"
    streams: list[StreamState] = []
    fault = await _fault_of(lambda: _look_at_streams(bus, streams))
    return NatsState(is_reachable=fault != LATE, fault=fault, version=version, streams=streams)


async def _look_at_streams(bus: Bus, streams: list[StreamState]) -> str | None:
    for wanted in STREAMS:
        info = await bus.jetstream.stream_info(wanted.name)
        streams.append(
            StreamState(
                name=wanted.name,
                messages=info.state.messages,
                bytes=info.state.bytes,
                max_bytes=info.config.max_bytes or -1,
                first_sequence=info.state.first_seq,
                last_sequence=info.state.last_seq,
                consumers=await _consumers(bus, wanted.name),
            )
        )
    return await drift(bus.jetstream)


async def _consumers(bus: Bus, stream: str) -> list[ConsumerState]:
    found: list[ConsumerState] = []
    while len(found) < MOST_CONSUMERS:
        page = await bus.jetstream.consumers_info(stream, offset=len(found))
        found += [_consumer_state(info) for info in page]
        if not page:
            break
    return sorted(found, key=lambda state: state.name)


def _consumer_state(info: ConsumerInfo) -> ConsumerState:
    return ConsumerState(
        name=info.name,
        pending=info.num_pending or 0,
        unacknowledged=info.num_ack_pending or 0,
        redelivered=info.num_redelivered or 0,
    )


# --- MongoDB ---------------------------------------------------------------------------------------------------------


async def mongo_state(client: Client, database: Database) -> MongoState:
    """How MongoDB is, within 2.5 s; never raises."""
    found: dict[str, Any] = {}
    fault = await _fault_of(lambda: _look_at_database(client, database, found))
    return MongoState(**found, fault=fault)


async def _look_at_database(client: Client, database: Database, found: dict[str, Any]) -> str | None:
    with pymongo.timeout(WITHIN_S):
        hello = await client.admin.command("hello")
        found |= {"is_reachable": True, "replica_set": hello.get("setName"), "primary": hello.get("primary")}
        found["version"] = (await client.server_info())["version"]
        sizes = await database.command("dbStats")
        found |= {
            "bytes": int(sizes["dataSize"]),
            "disk_bytes": int(sizes["storageSize"]),
            "index_bytes": int(sizes["indexSize"]),
        }
        found["members"] = await _members(client)
        found["collections"] = await _collections(database)
    return None if hello.get("primary") else "there is no primary now"


async def _members(client: Client) -> list[MemberState]:
    """Only a user with the right to watch the cluster sees them."""
    try:
        status = await client.admin.command("replSetGetStatus")
    except OperationFailure:
        return []
    return [
        MemberState(name=each["name"], state=each["stateStr"], is_healthy=each["health"] == 1)
        for each in status["members"]
    ]


async def _collections(database: Database) -> list[CollectionState]:
    names = sorted(await database.list_collection_names())[:MOST_COLLECTIONS]
    states: list[CollectionState] = []
    for name in names:
        cursor = await database[name].aggregate([{"$collStats": {"storageStats": {}}}])
        async for stats in cursor:
            sizes = stats["storageStats"]
            states.append(
                CollectionState(
                    name=name,
                    documents=int(sizes["count"]),
                    bytes=int(sizes["size"]),
                    disk_bytes=int(sizes["storageSize"]),
                    index_bytes=int(sizes["totalIndexSize"]),
                )
            )
    return states


# --- Bounded ---------------------------------------------------------------------------------------------------------

LATE = "it did not answer in time"


async def _fault_of(look: Callable[[], Awaitable[str | None]]) -> str | None:
    """What is wrong, by what the look itself says or by how it ended."""
    try:
        async with asyncio.timeout(WITHIN_S):
            return await look()
    except TimeoutError:
        return LATE
    except BusDown as error:
        return str(error)
    except (nats.errors.Error, PyMongoError) as error:
        return LATE if getattr(error, "timeout", False) else f"it refused: {type(error).__name__}"
