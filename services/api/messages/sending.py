"""Accepts a message: once this says yes, the message is stored in COMMANDS and will be carried out once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from libs.contracts.commands import SendMessage
from libs.contracts.content import Content, Context, Media, Voice, media_id_of, type_of
from libs.contracts.errors import ApiError, SendError
from libs.contracts.ids import new_message_id, send_subject
from libs.contracts.records import SessionRecord
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from services.api.billing.credits import require_credits
from services.api.billing.monthly import Month
from services.api.billing.quotas import count_message, uncount_message
from services.api.context import Edge
from services.api.errors import RETRY_AFTER_S, Refusal, invalid
from services.api.live.hub import Watch, WatchedFrame
from services.api.media import store_media
from services.api.messages import idempotency, store_messages
from services.api.messages.idempotency import Claim, fingerprint_of
from services.api.requests import nats_headers
from services.api.sentences import phrase_of_term
from services.api.sessions import store_sessions
from services.api.sessions.views import CONNECTED
from services.api.times import now

SETTLED = frozenset({"sent", "delivered", "read", "played", "failed", "cancelled", "expired"})
UNSUCCESSFUL = frozenset({"failed", "cancelled", "expired"})
MOST_NEED_S = 0.25
"""In which WhatsApp has taken nearly every message of a connected session."""

_Wait = Callable[[Watch], Awaitable[WatchedFrame | None]]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How a send is to be accepted: its Idempotency-Key, and how long to wait for an outcome, in seconds.

    `unless_held`: not while the message is held, by its session or its chat: then no outcome is near. `is_verdict`: the
    answer is taken for WhatsApp's verdict, so a repeat of what has ended tells how, without any wait too.
    """

    key: str | None = None
    wait_s: float = 0.0
    unless_held: bool = False
    is_verdict: bool = False


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was found valid. `fresh` is the medium that was stored for it alone, if it brought one along.

    `fresh_as` and `preview_as` stand in the fingerprint for what was fetched or converted: the same request may fetch
    other bytes, and be converted to others.
    """

    session: SessionRecord
    to: str
    content: Content
    fresh: store_media.StoredMedium | None = None
    fresh_as: str | None = None
    context: Context | None = None
    preview_as: str | None = None
    ttl_s: int | None = None
    not_before: datetime | None = None
    priority: int = 0


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The message is stored. `status` is `queued` where nothing was looked up.

    `shown` is its message object after a wait, or of what had ended before.
    """

    message_id: str
    accepted_at: datetime
    content: Content
    status: str = "queued"
    replayed: bool = False
    shown: dict[str, Any] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether how it ended is known."""
        return self.status in SETTLED


async def check_session(edge: Edge, session: SessionRecord, *, connected: bool = False) -> None:
    """Whether the session takes another message. Raises Refusal QUEUE_FULL, and SESSION_NOT_CONNECTED if asked to."""
    limit = edge.settings.queue_rows
    if await edge.depths.open_messages(session.id) >= limit:
        raise _queue_full(limit)
    if connected:
        state = await store_sessions.state_of(edge.database, session.id)
        if state is None or state.status not in CONNECTED:
            raise Refusal(ApiError.SESSION_NOT_CONNECTED)


async def accept(edge: Edge, draft: Draft, wishes: Wishes) -> Accepted:
    """Store the message, or say why not. Safe to repeat with the same Idempotency-Key.

    Raises Refusal (CREDITS_EXHAUSTED, MESSAGE_LIMIT_REACHED, IDEMPOTENCY_KEY_REUSED, QUEUE_FULL, MESSAGE_FAILED,
    OUTCOME_UNKNOWN), and BusDown when certainly nothing was stored.
    """
    edge.require_bus()
    await _require_cover(edge, draft, wishes.key)
    month = await _counted(edge, draft, wishes.key)
    accepted = await _taken_in(edge, draft, wishes.key, month)
    if wishes.wait_s <= 0:
        await _publish_counted(edge, draft, accepted, month)
        before = await _settled_before(edge, accepted) if wishes.is_verdict else None
        return before or accepted
    with edge.hub.watch(accepted.message_id, _is_settled) as watch:
        await _publish_counted(edge, draft, accepted, month)
        return await _settled(edge, accepted, watch, _wait_of(edge, draft, accepted, wishes))


async def _taken_in(edge: Edge, draft: Draft, key: str | None, month: Month | None) -> Accepted:
    """The message with its id; a repeat is counted no second time."""
    if key is None:
        return Accepted(message_id=new_message_id(), accepted_at=now(), content=draft.content)
    try:
        accepted = await _accepted_under(edge, draft, key)
    except Refusal:
        await uncount_message(edge, month)
        raise
    if accepted.replayed:
        await uncount_message(edge, month)
    return accepted


async def _counted(edge: Edge, draft: Draft, key: str | None) -> Month | None:
    """Refuse what is beyond the plan's number; a repeat of what was accepted gets its answer all the same."""
    customer_id = draft.session.customer_id
    try:
        return await count_message(edge, customer_id)
    except Refusal:
        if key is not None and await idempotency.is_claimed(edge.database, customer_id, key):
            return None
        await _drop_fresh(edge, draft)
        raise


async def _require_cover(edge: Edge, draft: Draft, key: str | None) -> None:
    """Refuse what the credits do not cover; a repeat of what was accepted gets its answer all the same."""
    customer_id = draft.session.customer_id
    try:
        await require_credits(edge, customer_id, type_of(draft.content))
    except Refusal:
        if key is not None and await idempotency.is_claimed(edge.database, customer_id, key):
            return
        await _drop_fresh(edge, draft)
        raise


# --- Idempotency -----------------------------------------------------------------------------------------------------


async def _accepted_under(edge: Edge, draft: Draft, key: str) -> Accepted:
    if not idempotency.is_key(key):
        raise invalid("Idempotency-Key", "it holds 1 to 255 printable ASCII characters without spaces")
    claim = await _claim(edge, draft, key)
    content = draft.content
    if claim.replayed:
        if not claim.matches:
            await _drop_fresh(edge, draft)
            raise Refusal(ApiError.IDEMPOTENCY_KEY_REUSED)
        content = await _content_of_first(edge, draft, claim)
    row = claim.row
    return Accepted(message_id=row.message_id, accepted_at=row.created_at, content=content, replayed=claim.replayed)


async def _content_of_first(edge: Edge, draft: Draft, claim: Claim) -> Content:
    """The content as the first request stored it: its medium stands in for the one that this request brought."""
    content, first = draft.content, claim.row.media_id
    if first is None or draft.fresh is None or not isinstance(content, Media):
        return content
    keep_until = now() + timedelta(days=edge.settings.media_days)
    if await store_media.medium_kept_until(edge.database, claim.row.customer_id, first, keep_until) is None:
        return content
    await _drop_fresh(edge, draft)
    return msgspec.structs.replace(content, media_id=first)


async def _drop_fresh(edge: Edge, draft: Draft) -> None:
    if draft.fresh is not None:
        await store_media.drop_medium(edge.database, draft.fresh.id)


async def _claim(edge: Edge, draft: Draft, key: str) -> Claim:
    request = idempotency.Request(
        customer_id=draft.session.customer_id,
        key=key,
        session_id=draft.session.id,
        fingerprint=_fingerprint(draft),
        media_id=media_id_of(draft.content),
        at=now(),
    )
    message_id = new_message_id()
    if idempotency.names_a_message(key, request.at):
        before = await idempotency.claim_of_message(edge.database, request, key)
        if before is not None:
            return before
        message_id = await _message_id_named_by(edge, draft, key)
    return await idempotency.claim(edge.database, request, message_id=message_id)


async def _message_id_named_by(edge: Edge, draft: Draft, key: str) -> str:
    """The key itself, when it may be the id of a message that this request repeats; else a new one."""
    row = await store_messages.outbox_row(edge.database, key)
    if row is None:
        return key
    if row.customer_id != draft.session.customer_id:
        return new_message_id()
    same_words = isinstance(draft.content, Media) or row.content is None or row.content == draft.content
    if row.session_id != draft.session.id or row.to != draft.to or not same_words:
        raise Refusal(ApiError.IDEMPOTENCY_KEY_REUSED)
    return key


def _fingerprint(draft: Draft) -> str:
    """Of all that the request says; a medium that came along counts by its bytes, not by the id it was given."""
    content = draft.content
    if isinstance(content, Media):
        content = _as_asked(content, draft.fresh_as or (None if draft.fresh is None else draft.fresh.came_as))
    further = (_referred(draft), draft.not_before, draft.priority)
    # most messages have nothing further; theirs is as it was before there was anything
    parts = () if further == (None, None, 0) else further
    return fingerprint_of(draft.session.id, draft.to, content, draft.ttl_s, *parts)


def _as_asked(content: Media, medium: str | None) -> Media:
    """The content with the medium as the request named or brought it, without what was measured."""
    if isinstance(content, Voice):
        content = msgspec.structs.replace(content, seconds=None, waveform=None)
    return content if medium is None else msgspec.structs.replace(content, media_id=medium)


def _referred(draft: Draft) -> tuple[object, ...] | None:
    """What the message refers to, as the request said it: excerpts change with what they are taken from."""
    context = draft.context
    if context is None and draft.preview_as is None:
        return None
    quoted = context.quote.wa_id if context is not None and context.quote is not None else None
    mentions = context.mentions if context is not None else []
    return quoted, mentions, draft.preview_as or (context.preview if context is not None else None)


# --- Publishing ------------------------------------------------------------------------------------------------------


def command_of(draft: Draft, accepted: Accepted) -> SendMessage:
    """The command that carries the message."""
    session = draft.session
    return SendMessage(
        customer_id=session.customer_id,
        session_id=session.id,
        message_id=accepted.message_id,
        engine=session.engine,
        to=draft.to,
        content=accepted.content,
        context=draft.context,
        accepted_at=accepted.accepted_at,
        priority=draft.priority,
        not_before=draft.not_before,
        expires_at=_end_of(draft, accepted.accepted_at),
    )


async def _publish(edge: Edge, draft: Draft, accepted: Accepted) -> None:
    settings = edge.settings
    try:
        await edge.commands.publish(
            send_subject(draft.session.id, settings.shards),
            command_of(draft, accepted),
            msg_id=accepted.message_id,
            headers=nats_headers(),
            repeat_for_s=settings.repeat_for_s,
        )
    except PublishUnclear as error:
        raise Refusal(
            ApiError.OUTCOME_UNKNOWN,
            details={"messageId": accepted.message_id},
            headers={"Retry-After": RETRY_AFTER_S},
        ) from error
    except StreamFull as error:
        raise _queue_full(settings.queue_rows) from error


async def _publish_counted(edge: Edge, draft: Draft, accepted: Accepted, month: Month | None) -> None:
    """Publish; what was certainly not stored is not counted either."""
    try:
        await _publish(edge, draft, accepted)
    except (BusDown, Refusal) as error:
        is_unclear = isinstance(error, Refusal) and error.code is ApiError.OUTCOME_UNKNOWN
        if not is_unclear and not accepted.replayed:
            await uncount_message(edge, month)
        raise


def _end_of(draft: Draft, accepted_at: datetime) -> datetime | None:
    """When the message is not sent any more; a scheduled one has its whole time from then on."""
    return None if draft.ttl_s is None else (draft.not_before or accepted_at) + timedelta(seconds=draft.ttl_s)


def _queue_full(limit: int) -> Refusal:
    return Refusal(ApiError.QUEUE_FULL, headers={"Retry-After": RETRY_AFTER_S}, limit=limit)


# --- Waiting for the outcome -----------------------------------------------------------------------------------------


def _is_settled(frame: WatchedFrame) -> bool:
    return frame.type.startswith("message.") and frame.type[8:] in SETTLED


def _wait_of(edge: Edge, draft: Draft, accepted: Accepted, wishes: Wishes) -> _Wait:
    if not wishes.unless_held:
        return lambda watch: watch.first(wishes.wait_s)
    return lambda watch: _first_unless_held(edge, draft.session.id, accepted.message_id, watch, wishes.wait_s)


async def _first_unless_held(
    edge: Edge, session_id: str, message_id: str, watch: Watch, wait_s: float
) -> WatchedFrame | None:
    """The first frame; None also as soon as one look, after what most messages need, shows the message held."""
    frame = await watch.first(min(MOST_NEED_S, wait_s))
    if frame is not None or wait_s <= MOST_NEED_S or await _is_held(edge, session_id, message_id):
        return frame
    return await watch.first(wait_s - MOST_NEED_S)


async def _is_held(edge: Edge, session_id: str, message_id: str) -> bool:
    state = await store_sessions.state_of(edge.database, session_id)
    if state is None or state.status not in CONNECTED:
        return True
    row = await store_messages.outbox_row(edge.database, message_id)
    return row is not None and row.waiting_for is not None


async def _settled(edge: Edge, accepted: Accepted, watch: Watch, wait: _Wait) -> Accepted:
    """The message as it is after the wait. Raises Refusal CREDITS_EXHAUSTED, MESSAGE_FAILED when it failed."""
    before = await _settled_before(edge, accepted)
    if before is not None:
        return before
    frame = await wait(watch)
    if frame is not None:
        return _as_shown(accepted, frame.data)
    row = await store_messages.known_row(edge.database, accepted.message_id)
    return accepted if row is None else _as_shown(accepted, store_messages.shown(row))


async def _settled_before(edge: Edge, accepted: Accepted) -> Accepted | None:
    """What a repeat asks for again, when that has ended: nobody has to wait for it. Raises Refusal as `_settled`."""
    if not accepted.replayed:
        return None
    row = await store_messages.message_by_id(edge.database, accepted.message_id)
    is_known = row is not None and row.status in SETTLED
    return _as_shown(accepted, store_messages.shown(row)) if row is not None and is_known else None


def _as_shown(accepted: Accepted, shown: dict[str, Any]) -> Accepted:
    if shown["status"] in UNSUCCESSFUL:
        raise refusal_of_failed(accepted.message_id, shown, replayed=accepted.replayed)
    return msgspec.structs.replace(accepted, status=shown["status"], shown=shown)


def refusal_of_failed(message_id: str, shown: dict[str, Any], *, replayed: bool = False) -> Refusal:
    """Why the message failed, as its object tells it."""
    error: dict[str, str] = shown.get("error") or {}
    unpaid = error.get("code") == SendError.CREDITS_EXHAUSTED
    return Refusal(
        ApiError.CREDITS_EXHAUSTED if unpaid else ApiError.MESSAGE_FAILED,
        error=error.get("code"),
        headers={"Idempotent-Replayed": "true"} if replayed else None,
        details={"messageId": message_id, "status": shown["status"]},
        reason=error["message"].rstrip(".") if error.get("message") else phrase_of_term(str(shown["status"])),
    )
