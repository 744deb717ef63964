"""What the engine answered, in the terms in which the edge asked."""

from __future__ import annotations

from collections.abc import Mapping
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
REFUSALS = {
    400: "WhatsApp found something wrong in this (code {status}).",
    401: "WhatsApp does not allow this number to do this (code {status}).",
    403: "WhatsApp does not allow this number to do this (code {status}).",
    404: "WhatsApp does not know what this is about (code {status}).",
    429: "WhatsApp limits how often this may be asked; try again later (code {status}).",
    500: "WhatsApp failed itself; try again (code {status}).",
    503: "WhatsApp cannot do this now; try again (code {status}).",
}
"""By WhatsApp's own code of a refused query (whatsmeow's `IQError`)."""
NO_ADMIN = "This number is not in the group, or is not an administrator of it."
IN_GROUPS = {401: NO_ADMIN, 403: NO_ADMIN, 404: "There is no such group, or this number is not in it."}
OF_CODES = {
    400: "WhatsApp does not take this phone number.",
    429: "WhatsApp gives this number no more codes for a while; try again later.",
}
MEMBERS_SHOWN = (100, 20, 0)
"""How large groups may be to be listed with their members; the first with which the list fits."""


def failed(code: str, detail: str, *, retry_in_s: float | None = None) -> calls.AskFailed:
    """It was not done."""
    return calls.AskFailed(code=code, detail=detail, retry_in_s=retry_in_s)


def failure_of(reply: engine.Reply | None, *, to: engine.Request | None = None) -> calls.AskFailed:
    """Why it was not done, of what was asked; None stands for an engine that died or did not answer."""
    if reply is None:
        return failed("INTERRUPTED", "The session's engine did not answer.")
    if isinstance(reply, engine.Failed) and reply.code == "refused" and reply.status:
        return failed("REFUSED", _refusal(reply.status, to))
    if isinstance(reply, engine.Failed) and reply.code in FAILURES:
        return failed(*FAILURES[reply.code])
    return failed("INTERRUPTED", "WhatsApp's answer was not understood.")


def _refusal(status: int, to: engine.Request | None) -> str:
    match to:
        case engine.ChangeParticipants():
            of_this = IN_GROUPS
        case engine.PairPhone():
            of_this = OF_CODES
        case _:
            of_this = {}
    return of_this.get(status) or REFUSALS.get(status, "WhatsApp refused this (code {status}).").format(status=status)


def answer_of(reply: engine.Reply | None, *, to: engine.Request | None = None) -> calls.AnyAskAnswer:
    """The answer to the edge."""
    match reply:
        case engine.Done():
            return calls.AskDone()
        case engine.Checked():
            return calls.NumbersChecked(jids=reply.jids)
        case engine.Groups():
            return calls.GroupsFound(groups=[_group(each) for each in reply.groups])
        case engine.Participants():
            return calls.ParticipantsChanged(codes=reply.codes, invites=_invites(reply.invites))
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
            return failure_of(reply, to=to)
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
    created_at = _moment(group.created_ms)
    members = [calls.GroupMember(jid=each.jid, lid=each.lid, role=each.role) for each in group.members]
    return calls.Group(
        jid=group.jid,
        subject=group.subject,
        members=members,
        created_at=created_at,
        codes=group.codes or None,
        invites=_invites(group.invites),
    )


def _invites(told: Mapping[str, engine.Invite]) -> dict[str, calls.GroupInvite]:
    return {
        jid: calls.GroupInvite(code=invite.code, expires_at=_moment(invite.expires_ms)) for jid, invite in told.items()
    }


def _moment(at_ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(at_ms / 1000, UTC) if at_ms else None
