"""Hands one message of the sender to the engine, and says what came of it."""

from __future__ import annotations

from datetime import datetime

from libs.contracts.calls import Deliver, DeliverAnswer, Delivered, NotDelivered
from libs.contracts.content import EVERYBODY, Read
from libs.contracts.errors import SendError
from services.sessions.engines import base as engine
from services.sessions.moments import moment_of
from services.sessions.outgoing import content_of, preview_of, quote_of

TOO_FAST, CONTACT_HELD_BACK = 429, 463
RESTRICTED_PAUSE_S = 60.0
CONTACT_PAUSE_S = 300.0
LOOK_UPS_LIMITED = "limited"
SERVER_ERROR_PAUSE_S = 5.0
STORE_PAUSE_S = 1.0

NOT_SENT = {
    "not_open": (SendError.NOT_CONNECTED, True, "The session is not connected."),
    "not_connected": (SendError.NOT_CONNECTED, True, "The session is not connected."),
    "not_on_whatsapp": (SendError.NOT_ON_WHATSAPP, False, "This number is not on WhatsApp."),
    "group_unknown": (SendError.GROUP_NOT_FOUND, False, "The group does not exist, or this number is not in it."),
    "recipient": (SendError.RECIPIENT_REFUSED, False, "This is no address that messages can be sent to."),
    "media": (SendError.MEDIA_MISSING, False, "The media file is missing or could not be read."),
    "media_too_large": (SendError.MEDIA_TOO_LARGE, False, "The media file is larger than the 100 MB that can be sent."),
    "content": (SendError.CONTENT_REFUSED, False, "This content cannot be sent."),
    "store": (SendError.TEMPORARY, True, "The session's keys could not be read or written."),
    "fenced": (SendError.STALE, True, "The session has moved to another replica."),
    LOOK_UPS_LIMITED: (SendError.LOOKUP_LIMITED, True, "WhatsApp limits how many numbers may be looked up now."),
    "unasked": (SendError.LOOKUP_LIMITED, True, "WhatsApp limits how many numbers may be looked up now."),
    "lookup": (SendError.LOOKUP_FAILED, True, "WhatsApp did not say how this recipient is reached."),
    "uploading": (SendError.NOT_UPLOADED, True, "The medium is still being uploaded to WhatsApp."),
    "upload": (SendError.NOT_UPLOADED, True, "WhatsApp did not take the medium's upload."),
    "busy": (SendError.TEMPORARY, True, "The message before this one is still on its way."),
}
NOT_MARKED = NOT_SENT | {
    "refused": (SendError.REFUSED, False, "WhatsApp did not take that the messages were read."),
    "interrupted": (SendError.NOT_CONNECTED, True, "The connection to WhatsApp was lost."),
    "bad_request": (SendError.CONTENT_REFUSED, False, "These messages cannot be marked as read."),
    LOOK_UPS_LIMITED: (SendError.TEMPORARY, True, "WhatsApp limits how often this may be done."),
}
"""Marking as read twice is harmless, so a time-out is just one more attempt: nothing here is unknown."""


def is_for_another_number(call: Deliver, number: str | None) -> bool:
    """Whether the message may leave from another number alone than this one, which is linked now."""
    return call.number is not None and call.number != number


def request_of(call: Deliver, number: str | None = None, *, known_only: bool = False) -> engine.Send | engine.MarkRead:
    """The engine's request for this call; `number` is linked, `known_only`: WhatsApp is asked about no new one."""
    if isinstance(call.content, Read):
        return engine.MarkRead(
            session=call.session_id, chat=call.to, sender=call.content.sender, message_ids=call.content.wa_ids
        )
    context = call.context
    is_everybody = context is not None and EVERYBODY in context.mentions
    return engine.Send(
        session=call.session_id,
        message_id=call.wa_id,
        to=call.to,
        content=content_of(call.content),
        deadline_ms=int(call.deadline.timestamp() * 1000),
        quote=quote_of(context.quote, number) if context and context.quote else None,
        mentions=context.mentions if context and not is_everybody else [],
        mention_all=is_everybody,
        preview=preview_of(context.preview) if context and context.preview else None,
        known_only=known_only,
    )


def answer_of(
    reply: engine.Reply | None,
    epoch: int,
    now: datetime,
    *,
    restricted_until: datetime | None = None,
    look_ups_in_s: float | None = None,
    number: str | None = None,
) -> DeliverAnswer:
    """The answer to the sender; None stands for an engine that died or did not answer: the outcome is unknown.

    `restricted_until`: until when WhatsApp said that the number may write to nobody new. `look_ups_in_s`: seconds until
    new numbers are looked up again. `number` was asked to send.
    """
    match reply:
        case engine.Sent(at_ms=at_ms, to=to):
            return Delivered(at=moment_of(at_ms, now), epoch=epoch, to=to, number=number)
        case engine.Done():
            return Delivered(at=now, epoch=epoch, number=number)
        case engine.Refused(code=code) if code == CONTACT_HELD_BACK:
            left_s = (restricted_until - now).total_seconds() if restricted_until else 0
            return _contact_held_back(epoch, left_s if left_s > 0 else CONTACT_PAUSE_S)
        case engine.Refused(code=code):
            return _refused(code, epoch)
        case engine.NotSent(reason="content", message=why) if why:
            code, retryable, _ = NOT_SENT["content"]
            return _not_left((code, retryable, f"This content cannot be sent: {why}."), epoch)
        case engine.NotSent(reason=reason, code=code):
            return _not_left(NOT_SENT.get(reason), epoch, refused_by=code, look_ups_in_s=look_ups_in_s)
        case engine.Failed(code=code):
            return _not_left(NOT_MARKED.get(code), epoch)
        case _:
            reason = reply.reason if isinstance(reply, engine.Unknown) else "no answer"
            return NotDelivered(
                code=SendError.OUTCOME_UNKNOWN,
                detail=f"WhatsApp did not confirm the message ({reason}).",
                retryable=True,
                epoch=epoch,
                left=None,
            )


def _not_left(
    known: tuple[SendError, bool, str] | None,
    epoch: int,
    *,
    refused_by: int = 0,
    look_ups_in_s: float | None = None,
) -> NotDelivered:
    code, retryable, detail = known or (SendError.TEMPORARY, True, "The message did not leave.")
    if refused_by:
        detail = f"{detail.removesuffix('.')} (code {refused_by})."
    pause_s = {SendError.TEMPORARY: STORE_PAUSE_S, SendError.LOOKUP_LIMITED: look_ups_in_s}.get(code)
    return NotDelivered(code=code, detail=detail, retryable=retryable, epoch=epoch, retry_in_s=pause_s)


def _contact_held_back(epoch: int, retry_in_s: float) -> NotDelivered:
    """The contact alone: whoever has a chat with this number still gets its messages."""
    return NotDelivered(
        code=SendError.CONTACT_RESTRICTED,
        detail=f"WhatsApp holds messages to this contact back (code {CONTACT_HELD_BACK}).",
        retryable=True,
        epoch=epoch,
        retry_in_s=retry_in_s,
    )


def _refused(code: int, epoch: int) -> NotDelivered:
    if code == TOO_FAST:
        return NotDelivered(
            code=SendError.RESTRICTED,
            detail=f"WhatsApp holds this number's messages back (code {code}).",
            retryable=True,
            epoch=epoch,
            retry_in_s=RESTRICTED_PAUSE_S,
        )
    if 500 <= code < 600:
        return NotDelivered(
            code=SendError.TEMPORARY,
            detail=f"WhatsApp could not take the message now (code {code}).",
            retryable=True,
            epoch=epoch,
            retry_in_s=SERVER_ERROR_PAUSE_S,
        )
    return NotDelivered(
        code=SendError.REFUSED, detail=f"WhatsApp refused the message (code {code}).", retryable=False, epoch=epoch
    )


def refusal(code: SendError, detail: str, epoch: int) -> NotDelivered:
    """The owner's own no: nothing was handed over, try again."""
    return NotDelivered(code=code, detail=detail, retryable=True, epoch=epoch)
