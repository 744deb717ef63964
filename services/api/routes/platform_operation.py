"""The platform at work: replicas with the shards they hold, every session, and how NATS and MongoDB are."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from services.api.accounts import store_customers
from services.api.context import Edge
from services.api.platform import store_fleet
from services.api.platform.plant import MongoState, NatsState, mongo_state, nats_state
from services.api.platform.replicas import ServiceReplicas, services_now
from services.api.platform.store_fleet import Placed
from services.api.sessions.views import in_dialect, statuses_named
from services.api.times import Time, iso, iso_or_none
from services.api.web.paging import Limit, Offset, Pagination, pagination


class PlatformSession(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session of whatever customer, and where it runs: `owner` is the replica that holds its shard."""

    session_id: str
    session_name: str
    customer_id: str
    customer_name: str | None
    status: str
    state: str
    """The internal state, finer than `status`."""
    reason: str | None
    phone: str | None
    engine: str
    is_wanted: bool
    """Whether the customer wants it to run."""
    shard: int
    owner: str | None
    connected_at: Time | None
    last_seen_at: Time | None
    created_at: Time


class PlatformSessionList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of everybody's sessions, newest first."""

    data: list[PlatformSession]
    pagination: Pagination
    success: bool = True


class ReplicaList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Every service with its replicas."""

    data: list[ServiceReplicas]
    success: bool = True


class PlatformState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the product stands on."""

    nats: NatsState
    mongodb: MongoState


class PlatformStateAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /state: always 200, with what is known."""

    data: PlatformState
    success: bool = True


@get("/sessions", operation_id="list_platform_sessions")
async def list_platform_sessions(
    edge: NamedDependency[Edge],
    customer: Annotated[str | None, QueryParameter(max_length=100)] = None,
    status: Annotated[str | None, QueryParameter(max_length=40, description="In any dialect.")] = None,
    engine: Annotated[str | None, QueryParameter(max_length=40)] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> PlatformSessionList:
    """Everybody's sessions with their state and the replica that holds them."""
    statuses = statuses_named(status) if status else None
    wanted = store_fleet.Wanted(customer_id=customer, statuses=statuses, engine=engine)
    page, total = await store_fleet.sessions_of_all(edge.database, wanted, limit=limit, offset=offset)
    names = await store_customers.names_of(edge.database, {each.seen.record.customer_id for each in page})
    return PlatformSessionList(
        data=[_session(each, names.get(each.seen.record.customer_id)) for each in page],
        pagination=pagination(total, limit, offset, len(page)),
    )


def _session(placed: Placed, customer_name: str | None) -> PlatformSession:
    record, state = placed.seen.record, placed.seen.state
    return PlatformSession(
        session_id=record.id,
        session_name=record.name,
        customer_id=record.customer_id,
        customer_name=customer_name,
        status=in_dialect(placed.seen.status, "upper"),
        state=placed.seen.status.value,
        reason=state.reason if state else None,
        phone=state.phone if state else None,
        engine=record.engine,
        is_wanted=record.running,
        shard=record.shard,
        owner=placed.owner,
        connected_at=iso_or_none(state.connected_at) if state else None,
        last_seen_at=iso_or_none(state.last_seen_at) if state else None,
        created_at=iso(record.created_at),
    )


@get("/replicas", operation_id="list_replicas")
async def list_replicas(edge: NamedDependency[Edge]) -> ReplicaList:
    """The replicas of every service that owns shards, whether they live, and what they hold. Takes a good second."""
    return ReplicaList(data=await services_now(edge.database))


@get("/state", operation_id="get_platform_state")
async def get_platform_state(edge: NamedDependency[Edge]) -> PlatformStateAnswer:
    """NATS (streams, readers, sizes) and MongoDB (replica set, sizes), within 3 s, whether they are away or not."""
    nats, mongodb = await asyncio.gather(nats_state(edge.bus), mongo_state(edge.client, edge.database))
    return PlatformStateAnswer(data=PlatformState(nats=nats, mongodb=mongodb))


router = Router(
    path="/api/platform",
    route_handlers=[list_platform_sessions, list_replicas, get_platform_state],
    tags=["Platform: operation"],
)
