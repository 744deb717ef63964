"""What customers do with webhooks: make, change, point elsewhere, switch, rotate the secret, replay, delete."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import nats.errors
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from libs.contracts.errors import ApiError
from libs.contracts.ids import UPDATES, new_id
from libs.contracts.updates import MESSAGE_UPDATES, NOTICES, SESSION_UPDATES
from libs.contracts.webhooks import SECRET_PREFIX, VERSIONS_ID, Webhook, WebhookReplay, WebhookSecret, WebhookStart
from libs.runtime.bus import BusDown
from libs.runtime.crypto import KeyRing
from libs.runtime.replay import Log, ReplayBroken, log_of, position_before
from libs.runtime.targets import TargetRefused, addresses_of
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.accounts import audit
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.live.filters import Cursor, Filter, cursor_of, patterns_of
from services.api.media.fetching import PORTS, parsed
from services.api.messages.filters import in_utc
from services.api.times import now
from services.api.webhooks import store_webhooks
from services.api.webhooks.store_webhooks import Kept, TooManyWebhooks

OVERLAP = timedelta(hours=24)
"""For so long a replaced secret signs beside the new one."""
MOST_SECRETS = 5
SECRET_BYTES = 32
MOST_REPLAYS = 20
"""Replays that a webhook carries along; every shard has made them within seconds."""
RESOLVE_S = 2.0
"""How long a host's name is looked up when a webhook is made; one that is not known yet is taken."""
TYPES = (
    *(f"session.{update}" for update in SESSION_UPDATES),
    *(f"message.{update}" for update in MESSAGE_UPDATES),
    *NOTICES,
)

Url = Annotated[str, Meta(min_length=1, max_length=2_048, description="http or https, on a public address.")]
Events = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    Meta(max_length=50, description="Types or patterns as on the live stream, such as `message.*`; empty for all."),
]
Sessions = Annotated[
    list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=1_000, description="By id or name.")
]
Description = Annotated[str, Meta(max_length=200)]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """`sessions` null: all sessions, and what concerns the whole account. `ordered`: a session's frames one by one."""

    url: Url
    events: Events = []
    sessions: Sessions | None = None
    description: Description = ""
    ordered: bool = True
    enabled: bool = True


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays. `enabled: true` switches a disabled webhook on again: it gets what comes from then on."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    sessions: Sessions | UnsetType | None = UNSET
    description: Description | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class MadeSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and the secret that it has got."""

    kept: Kept
    secret: str


# --- What is done ----------------------------------------------------------------------------------------------------


async def create(edge: Edge, caller: Caller, wish: NewWebhook) -> MadeSecret:
    """Store a new webhook: it gets every frame from before this returns. Raises Refusal 400, 403, 404."""
    caller.require("webhooks")
    sessions = await _sessions_of(edge, caller, wish.sessions)
    events = checked_events(wish.events)
    await check_target(wish.url, private=edge.settings.private_targets)
    log, at = await _log_now(edge), now()
    webhook_id = new_id("whk")
    secret, sealed = new_secret(edge.ring, webhook_id)
    webhook = Webhook(
        id=webhook_id,
        customer_id=caller.customer_id,
        url=wish.url,
        events=events,
        session_ids=sessions,
        description=wish.description,
        ordered=wish.ordered,
        is_enabled=wish.enabled,
        enabled_at=at,
        secrets=[sealed],
        start=WebhookStart(number=1, version=0, log=log.name, since=log.last),
        version=0,
        created_at=at,
        updated_at=at,
    )
    try:
        made = await store_webhooks.add_webhook(edge.client, edge.database, webhook, most=edge.settings.most_webhooks)
    except TooManyWebhooks as error:
        raise Refusal(ApiError.WEBHOOK_LIMIT_REACHED, details={"mostWebhooks": error.most}, most=error.most) from error
    await edge.memory.drop(VERSIONS_ID)
    await audit.note(edge, caller, "webhook.created", webhook_id, {"url": wish.url})
    return MadeSecret(kept=Kept(webhook=made), secret=secret)


async def change(edge: Edge, caller: Caller, webhook_id: str, wish: WebhookChange) -> Kept:
    """Change the webhook. Raises Refusal 400, 403, 404."""
    kept = await found(edge, caller, webhook_id)
    given = {name: value for name, value in msgspec.structs.asdict(wish).items() if value is not UNSET}
    if not given:
        raise invalid("", "nothing to change was given")
    fields: dict[str, Any] = {name: given[name] for name in ("description", "ordered", "url") if name in given}
    if not isinstance(wish.url, UnsetType):
        await check_target(wish.url, private=edge.settings.private_targets)
    if not isinstance(wish.events, UnsetType):
        fields["events"] = checked_events(wish.events)
    if not isinstance(wish.sessions, UnsetType):
        fields["session_ids"] = await _sessions_of(edge, caller, wish.sessions)
    if not isinstance(wish.enabled, UnsetType):
        fields["is_enabled"] = wish.enabled
    ended = kept.health.disabled_start if kept.health is not None else 0
    log = await _log_now(edge)
    changed = await _stored(
        edge, caller, webhook_id, lambda webhook: with_fields(webhook, fields, log, ended=ended, at=now())
    )
    await audit.note(edge, caller, "webhook.updated", webhook_id, {"fields": sorted(given)})
    return changed


async def rotate_secret(edge: Edge, caller: Caller, webhook_id: str) -> MadeSecret:
    """Give the webhook a new secret; the old one signs beside it for a day. Raises Refusal 403, 404."""
    await found(edge, caller, webhook_id)
    secret, sealed = new_secret(edge.ring, webhook_id)
    kept = await _stored(edge, caller, webhook_id, lambda webhook: rotated(webhook, sealed, now()))
    await audit.note(edge, caller, "webhook.secret_rotated", webhook_id)
    return MadeSecret(kept=kept, secret=secret)


async def replay(edge: Edge, caller: Caller, webhook_id: str, since: str) -> Kept:
    """Have everything after this cursor, or since this time, sent again. Raises Refusal 400, 403, 404, 409."""
    kept = await found(edge, caller, webhook_id)
    if not kept.webhook.is_enabled or (kept.health and kept.health.disabled_start >= kept.webhook.start.number):
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the webhook is disabled")
    log = await _log_now(edge)
    cursor = cursor_of(since)
    position = await _position_since(edge, log, since) if cursor is None else _position(cursor, log)
    kept = await _stored(edge, caller, webhook_id, lambda webhook: replayed(webhook, log, since=position, at=now()))
    await audit.note(edge, caller, "webhook.replayed", webhook_id, {"since": since})
    return kept


async def remove(edge: Edge, caller: Caller, webhook_id: str) -> None:
    """Delete the webhook: nothing more is sent to it. Raises Refusal 403, 404."""
    await found(edge, caller, webhook_id)
    at = now()
    await _stored(edge, caller, webhook_id, lambda webhook: replace(webhook, deleted_at=at, updated_at=at))
    await audit.note(edge, caller, "webhook.deleted", webhook_id)


async def found(edge: Edge, caller: Caller, webhook_id: str) -> Kept:
    """The caller's webhook. Raises Refusal FORBIDDEN, NOT_FOUND."""
    caller.require("webhooks")
    kept = await store_webhooks.webhook_by_id(edge.database, caller.customer_id, webhook_id)
    if kept is None or not may_see(caller, kept.webhook):
        raise Refusal(ApiError.NOT_FOUND, what="webhook")
    return kept


def may_see(caller: Caller, webhook: Webhook) -> bool:
    """Whether the webhook is open to the caller: a key of some sessions has those that are about these alone."""
    if caller.session_ids is None:
        return True
    return webhook.session_ids is not None and set(webhook.session_ids) <= set(caller.session_ids)


async def _stored(edge: Edge, caller: Caller, webhook_id: str, change: Callable[[Webhook], Webhook]) -> Kept:
    """Raises Refusal NOT_FOUND when the webhook went meanwhile."""
    changed = await store_webhooks.change_webhook(edge.client, edge.database, caller.customer_id, webhook_id, change)
    if changed is None:
        raise Refusal(ApiError.NOT_FOUND, what="webhook")
    await edge.memory.drop(VERSIONS_ID)
    if changed.deleted_at is not None:
        return Kept(webhook=changed)
    return await store_webhooks.webhook_by_id(edge.database, caller.customer_id, webhook_id) or Kept(webhook=changed)


# --- Rules -----------------------------------------------------------------------------------------------------------


def with_fields(webhook: Webhook, fields: dict[str, Any], log: Log, *, ended: int, at: datetime) -> Webhook:
    """The webhook with these fields; `ended` is the start that its failures have ended, 0 for none.

    Where it is switched on it begins anew, from the present on.
    """
    after = replace(webhook, **fields, updated_at=at)
    if after.url != webhook.url:
        after = replace(after, enabled_at=at)
    was_working = webhook.is_enabled and webhook.start.number > ended
    if fields.get("is_enabled") is not True or was_working:
        return after
    start = WebhookStart(number=webhook.number + 1, version=0, log=log.name, since=log.last)
    return replace(after, start=start, replays=[], enabled_at=at)


def replayed(webhook: Webhook, log: Log, *, since: int, at: datetime) -> Webhook:
    """The webhook with everything after `since` to be sent again, up to the present."""
    again = WebhookReplay(number=webhook.number + 1, version=0, log=log.name, since=since, until=log.last)
    return replace(webhook, replays=[*webhook.replays, again][-MOST_REPLAYS:], updated_at=at)


def rotated(webhook: Webhook, sealed: WebhookSecret, at: datetime) -> Webhook:
    """The webhook with this secret as its newest; the ones before it sign for a day, or for what was left of it."""
    until = at + OVERLAP
    replaced = [replace(each, expires_at=min(each.expires_at or until, until)) for each in webhook.secrets]
    still = [each for each in replaced if each.expires_at is not None and each.expires_at > at]
    return replace(webhook, secrets=[sealed, *still][:MOST_SECRETS], updated_at=at)


def new_secret(ring: KeyRing, webhook_id: str) -> tuple[str, WebhookSecret]:
    """A secret of Standard Webhooks, and how it is stored."""
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return secret, WebhookSecret(sealed=ring.seal(secret.encode(), about=webhook_id))


def checked_events(events: Sequence[str]) -> list[str]:
    """The patterns, each once. Raises Refusal VALIDATION_FAILED for one that no type could ever fit."""
    for event in events:
        patterns = None if "," in event else patterns_of(event)
        is_all = event.strip() == "*"
        chosen = Filter(customer_id="", sessions=None, patterns=patterns or ())
        if patterns is None or not (patterns or is_all) or not any(chosen.takes("", each) for each in TYPES):
            raise invalid(
                "events", f"{event[:64]!r} is no type and no pattern of types, such as message.* or session.qr"
            )
    return [] if "*" in (event.strip() for event in events) else list(dict.fromkeys(e.strip() for e in events))


async def check_target(url: str, *, private: bool) -> None:
    """Raises Refusal VALIDATION_FAILED for an address that is not posted to. It is looked at again at each request."""
    try:
        target = parsed(url)
        async with asyncio.timeout(RESOLVE_S):
            await addresses_of(target.raw_host.decode("ascii"), target.port or PORTS[target.scheme], private=private)
    except TargetRefused as error:
        raise invalid("url", f"the address is refused: {error.reason}") from error
    except (OSError, TimeoutError):
        return


async def _sessions_of(edge: Edge, caller: Caller, named: Sequence[str] | None) -> list[str] | None:
    if named is None:
        if caller.session_ids is not None:
            raise invalid("sessions", "this key is for some sessions only: name those that the webhook is for")
        return None
    return list(dict.fromkeys([(await session_for(edge, caller, name)).id for name in named]))


async def _log_now(edge: Edge) -> Log:
    edge.require_bus()
    try:
        return await log_of(edge.bus, UPDATES)
    except (nats.errors.Error, TimeoutError, LookupError) as error:
        raise BusDown from error


async def _position_since(edge: Edge, log: Log, since: str) -> int:
    """Behind which the frames of this time lie, one of UTC unless it says otherwise. Raises Refusal, BusDown."""
    try:
        moment = in_utc(datetime.fromisoformat(since), "since")
    except ValueError as error:
        raise invalid("since", "it is neither a time nor a cursor, as frames and deliveries carry it") from error
    if moment is None or moment >= now():
        return log.last
    try:  # JetStream counts nanoseconds from 1970 on, and goes astray beyond
        found = await position_before(edge.bus, UPDATES, "updates.>", max(moment, datetime.fromtimestamp(0, UTC)))
    except ReplayBroken as error:
        raise BusDown from error
    return log.last if found is None else min(found, log.last)


def _position(cursor: Cursor, log: Log) -> int:
    if cursor.log != log.name or cursor.position < log.first - 1 or cursor.position > log.last:
        earliest = Cursor(log.name, max(log.first - 1, 0))
        raise invalid("since", f"the log does not reach there; the earliest cursor is {earliest}")
    return cursor.position
