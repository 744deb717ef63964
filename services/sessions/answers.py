"""What the engine answered, in the terms in which the edge asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

import msgspec

from libs.contracts import calls
from services.sessions.engines import base as engine

FAILURES = {
    "not_open": ("NOT_CONNECTED", "The session is not connected."),
    "not_connected": ("NOT_CONNECTED", "The session is not connected."),
    "fenced": ("TEMPORARY", "The session has just moved to another replica."),
    "store": ("TEMPORARY", "The session's keys could not be read or written."),
    "interrupted": ("INTERRUPTED", "The connection to WhatsApp was lost before it answered."),
    "timeout": ("TIMEOUT", "WhatsApp did not answer in time."),
    "refused": ("REFUSED", "WhatsApp refused this."),
    "limited": ("LIMITED", "WhatsApp limits how often this may be asked."),
    "bad_request": ("NOT_POSSIBLE", "This is not possible in the session's present state."),
    "gone": ("GONE", "WhatsApp does not have this file any more."),
    "too_large": ("TOO_LARGE", "The file is larger than this deployment takes."),
}
"""By the engine's code: the customer's code and sentence. The engine's own words stay inside."""
MEMBERS_SHOWN = (100, 20, 0)
"""How large groups may be to be listed with their members; the first with which the list fits."""


def failed(code: str, detail: str, *, retry_in_s: float | None = None) -> calls.AskFailed:
    """It was not done."""
    return calls.AskFailed(code=code, detail=detail, retry_in_s=retry_in_s)


def failure_of(reply: engine.Reply | None) -> calls.AskFailed:
    """Why it was not done; None stands for an engine that died or did not answer."""
    if reply is None:
        return failed("INTERRUPTED", "The session's engine did not answer.")
    if isinstance(reply, engine.Failed) and reply.code in FAILURES:
        return failed(*FAILURES[reply.code])
    return failed("INTERRUPTED", "WhatsApp's answer was not understood.")


def answer_of(reply: engine.Reply | None) -> calls.AnyAskAnswer:
    """The answer to the edge."""
    match reply:
        case engine.Done():
            return calls.AskDone()
        case engine.Checked():
            return calls.NumbersChecked(jids=reply.jids)
        case engine.Groups():
            return calls.GroupsFound(groups=[_group(each) for each in reply.groups])
        case engine.Participants():
            return calls.ParticipantsChanged(codes=reply.codes)
        case engine.Downloaded():
            return calls.MediaFetched(bytes=reply.bytes, sha256=reply.sha256)
        case (
            None
            | engine.Failed()
            | engine.PairCodeReply()
            | engine.Sent()
            | engine.Refused()
            | engine.Unknown()
            | engine.NotSent()
            | engine.Pong()
        ):
            return failure_of(reply)
        case _:
            assert_never(reply)


def fitting(answer: calls.AnyAskAnswer, most_bytes: int) -> calls.AnyAskAnswer:
    """The answer as it fits into one message: a list of groups without the members of the largest, if need be."""
    if _bytes(answer) <= most_bytes:
        return answer
    if isinstance(answer, calls.GroupsFound):
        for most_members in MEMBERS_SHOWN:
            shorter = calls.GroupsFound(groups=[_shortened(group, most_members) for group in answer.groups])
            if _bytes(shorter) <= most_bytes:
                return shorter
    return failed("NOT_POSSIBLE", "The answer is too large to be given at once.")


def _bytes(answer: calls.AnyAskAnswer) -> int:
    return len(msgspec.json.encode(answer))


def _shortened(group: calls.Group, most_members: int) -> calls.Group:
    if len(group.members) <= most_members:
        return group
    return msgspec.structs.replace(group, members=[], size=len(group.members))


def _group(group: engine.Group) -> calls.Group:
    created_at = datetime.fromtimestamp(group.created_ms / 1000, UTC) if group.created_ms else None
    members = [calls.GroupMember(jid=each.jid, lid=each.lid, role=each.role) for each in group.members]
    return calls.Group(jid=group.jid, subject=group.subject, members=members, created_at=created_at)
