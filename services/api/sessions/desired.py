"""Changes what customers want of their sessions, and pokes the owner: every way in which the edge writes `sessions`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from libs.contracts.commands import ReconcileSession
from libs.contracts.errors import ApiError
from libs.contracts.ids import NETWORKS, new_session_id, session_subject, shard_of
from libs.contracts.records import SessionRecord
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from services.api.accounts import store_customers
from services.api.billing.standings import refusal_without, require_subscription
from services.api.billing.terms import standing_of
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.requests import nats_headers
from services.api.sessions import store_sessions
from services.api.sessions.names import as_stored, name_fault
from services.api.sessions.session_settings import SettingsWish, check_proxy_target, settings_of
from services.api.sessions.store_sessions import LimitReached, Seen
from services.api.times import now


def checked_name(name: str) -> str:
    """The name as it is stored. Raises Refusal VALIDATION_FAILED."""
    stored = as_stored(name)
    if (fault := name_fault(stored)) is not None:
        raise invalid("name", fault)
    return stored


def checked_engine(engine: str | None, edge: Edge) -> str:
    """The engine that was asked for, or the default. Raises Refusal VALIDATION_FAILED, ENGINE_UNAVAILABLE."""
    running = edge.settings.networks()
    if engine is None:
        return edge.settings.default_engine
    if engine not in NETWORKS:
        raise invalid("engine", f"choose one of {', '.join(running)}")
    if engine not in running:
        raise Refusal(
            ApiError.ENGINE_UNAVAILABLE, headers={"Retry-After": "60"}, engine=engine, engines=", ".join(running)
        )
    return engine


async def create_session(
    edge: Edge, customer_id: str, *, name: str, engine: str | None, wish: SettingsWish | None = None
) -> Seen:
    """Store a new session, not running.

    Raises Refusal: bad name, engine or setting, name taken, limit reached, no subscription.
    """
    if wish is not None:
        await check_proxy_of(edge, wish)
    session_id, at = new_session_id(), now()
    record = SessionRecord(
        id=session_id,
        customer_id=customer_id,
        name=checked_name(name),
        engine=checked_engine(engine, edge),
        shard=shard_of(session_id, edge.settings.shards),
        live=True,
        created_at=at,
        updated_at=at,
        **(settings_of(wish, session_id, edge.ring) if wish is not None else {}),
    )
    edge.require_bus()
    standing = standing_of(await store_customers.account_of(edge.database, customer_id), at)
    refusal = refusal_without(standing, error=ApiError.SESSION_LIMIT_REACHED)
    if refusal is not None:
        raise refusal
    try:
        await store_sessions.add_session(edge.client, edge.database, record, limit=standing.max_sessions)
    except DuplicateKeyError as error:
        raise Refusal(ApiError.SESSION_NAME_TAKEN) from error
    except LimitReached as error:
        raise Refusal(
            ApiError.SESSION_LIMIT_REACHED,
            details={
                "packageName": standing.package_name,
                "maxSessions": standing.max_sessions,
                "currentSessions": error.used,
            },
            max_sessions=standing.max_sessions,
        ) from error
    await _poke(edge, record)
    return Seen(record=record)


async def check_proxy_of(edge: Edge, wish: SettingsWish) -> None:
    """Raises Refusal VALIDATION_FAILED for a proxy that this deployment does not connect to."""
    settings = edge.settings
    await check_proxy_target(wish, private=settings.private_targets, allowed=settings.allowed_proxies())


async def change(
    edge: Edge,
    seen: Seen,
    *,
    values: dict[str, Any] | None = None,
    raises: Sequence[str] = (),
    unless_raised: bool = False,
) -> Seen:
    """Set what is wanted of this session and poke its owner.

    Raises Refusal SESSION_NOT_FOUND, SESSION_NAME_TAKEN, and without an active subscription when it is to be started.
    """
    edge.require_bus()
    if values is not None and values.get("running") and not _runs_linked(seen):
        await require_subscription(edge, seen.record.customer_id)
    try:
        record = await store_sessions.change_session(
            edge.database, seen.record, values=values, raises=raises, unless_raised=unless_raised
        )
    except DuplicateKeyError as error:
        raise Refusal(ApiError.SESSION_NAME_TAKEN) from error
    if record is None:
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    await _changed(edge, record)
    return msgspec.structs.replace(seen, record=record)


def _runs_linked(seen: Seen) -> bool:
    """Whether this is one of those that go on after the end of a subscription: they may be restarted."""
    return seen.record.running and seen.state is not None and seen.state.linked


async def start(edge: Edge, seen: Seen) -> Seen:
    """The socket shall be open; ends every back-off, a failed state and an ended link attempt."""
    return await change(edge, seen, values={"running": True}, raises=["starts"])


async def start_once(edge: Edge, seen: Seen) -> Seen:
    """`start`, unless another request has done so since the session was read."""
    return await change(edge, seen, values={"running": True}, raises=["starts"], unless_raised=True)


async def stop(edge: Edge, seen: Seen) -> Seen:
    """The socket shall be closed; the link is kept."""
    return await change(edge, seen, values={"running": False})


async def restart(edge: Edge, seen: Seen) -> Seen:
    """The socket shall be closed and opened again."""
    return await change(edge, seen, values={"running": True}, raises=["starts", "restarts"])


async def log_out(edge: Edge, seen: Seen) -> Seen:
    """The device shall be unlinked, and nothing begun after that."""
    return await change(edge, seen, values={"running": False}, raises=["logouts"])


async def link_anew(edge: Edge, seen: Seen) -> Seen:
    """The device shall be unlinked, and a new link begun."""
    return await change(edge, seen, values={"running": True}, raises=["logouts", "starts"])


async def make_default(edge: Edge, seen: Seen) -> None:
    """This session shall be the customer's default one."""
    await store_sessions.make_default(edge.client, edge.database, seen.record)


async def remove(edge: Edge, seen: Seen) -> None:
    """The session is gone for its customer; its owner unlinks the device. Raises Refusal SESSION_NOT_FOUND."""
    edge.require_bus()
    record = await store_sessions.remove_session(edge.client, edge.database, seen.record.customer_id, seen.record.id)
    if record is None:
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    await _changed(edge, record)


async def _changed(edge: Edge, record: SessionRecord) -> None:
    await edge.memory.drop(f"session/{record.id}")
    await _poke(edge, record)


async def _poke(edge: Edge, record: SessionRecord) -> None:
    """Best effort: what is wanted is stored, and the owner looks every 5 s anyway."""
    command = ReconcileSession(customer_id=record.customer_id, session_id=record.id)
    subject = session_subject(record.engine, record.id, edge.settings.shards)
    with contextlib.suppress(BusDown, PublishUnclear, StreamFull):
        await edge.bus.publish(subject, command, headers=nats_headers())
