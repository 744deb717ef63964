"""Groups of a session: list, create, and change who is in one; asked of the session's owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from libs.contracts.calls import (
    AnyAsk,
    ChangeParticipants,
    CreateGroup,
    Group,
    GroupInvite,
    GroupMember,
    GroupsFound,
    ListGroups,
    ParticipantsChanged,
)
from libs.contracts.records import SessionRecord
from services.api import confirmations
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.chats.subjects import keep_subjects
from services.api.context import Edge
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.messages.jids import is_group
from services.api.messages.phones import Recipient, recipient_of
from services.api.messages.recipients import recipient
from services.api.routes.sessions import SessionRef
from services.api.sessions.asking import asked
from services.api.sessions.participants import UNTOLD, reason_of
from services.api.times import Time, iso_or_none

MOST_PARTICIPANTS = 256
GroupRef = Annotated[str, PathParameter(description="The group's JID, such as 120363...@g.us.")]
Participants = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64)]],
    Meta(min_length=1, max_length=MOST_PARTICIPANTS, description="Phone numbers or JIDs of people."),
]


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group to be made; its name, and who is in it beside this number."""

    subject: Annotated[str, Meta(min_length=1, max_length=100)]
    participants: Participants


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is added or removed."""

    participants: Participants


class RoleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who becomes an administrator, or is one no more."""

    action: Literal["promote", "demote"]
    participants: Participants


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """One who is in the group; `phone` is null while only the LID is known."""

    phone: str | None
    jid: str
    lid: str | None
    role: str


class GroupView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A group; messages go to its `jid`."""

    jid: str
    subject: str
    created_at: Time | None
    members: list[MemberView]


class InviteView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """With what a person can join by themselves: a code of WhatsApp's, to be sent to them."""

    code: str
    expires_at: Time | None


class GroupList(msgspec.Struct, frozen=True, kw_only=True):
    """The groups that the session's number is in."""

    data: list[GroupView]
    success: bool = True


class ParticipantView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one participant; `code` is WhatsApp's when it was not done, and `reason` what it means.

    `invite` is there for some who only join by invitation.
    """

    participant: str
    jid: str
    done: bool
    code: int | None
    reason: Localized | None
    invite: InviteView | None = None


class GroupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The group that was made; `participants` tells of each who was asked for whether they are in it, and why not."""

    data: GroupView
    participants: list[ParticipantView]
    message: Localized
    success: bool = True


class ParticipantsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each, in the order asked."""

    data: list[ParticipantView]
    message: Localized
    success: bool = True


@get("/sessions/{session_ref:str}/groups", operation_id="list_groups")
async def list_groups(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> GroupList:
    """The groups that the session's number is in, asked of WhatsApp."""
    caller.require("read")
    session = await session_for(edge, caller, session_ref)
    found = await asked(edge, session, ListGroups(session_id=session.id), GroupsFound)
    await keep_subjects(edge, session, found.groups)
    return GroupList(data=[_view(group) for group in found.groups])


@post("/sessions/{session_ref:str}/groups", operation_id="create_group", status_code=200)
async def create_group(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[NewGroup]
) -> GroupAnswer:
    """Make a group of these people, and tell who could not be added. A repeat makes another one.

    504 `NOT_CONFIRMED` says that it may have been made: list the groups before you repeat it.
    """
    caller.require("send")
    if not data.subject.strip():
        raise invalid("subject", "a group has a name")
    session = await session_for(edge, caller, session_ref)
    people = await _people(edge, session, data.participants)
    ask = CreateGroup(session_id=session.id, subject=data.subject.strip(), participants=list(people.values()))
    found = await asked(edge, session, ask, GroupsFound)
    await keep_subjects(edge, session, found.groups)
    group = found.groups[0]
    shown = _participants(people, _codes_in(group, people), group.invites, "add")
    left_out = sum(not each.done for each in shown)
    without = confirmations.GROUP_CREATED_WITHOUT.filled(left_out=left_out, asked=len(shown))
    return GroupAnswer(
        data=_view(group), participants=shown, message=localized(without if left_out else confirmations.GROUP_CREATED)
    )


def _codes_in(group: Group, people: Mapping[str, str]) -> Mapping[str, int | None]:
    """What WhatsApp said of each; an owner of the version before tells only who is in the group."""
    if group.codes is not None:
        return group.codes
    members = {jid for member in group.members for jid in (member.jid, member.lid)}
    return {jid: None for jid in people.values() if jid in members}


PARTICIPANTS = "/sessions/{session_ref:str}/groups/{group:str}/participants"


@post(PARTICIPANTS, operation_id="add_participants", status_code=200)
async def add_participants(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: SessionRef,
    group: GroupRef,
    data: JSONBody[People],
) -> ParticipantsAnswer:
    """Add people to a group."""
    return await _changed(edge, caller, session_ref, group, "add", data.participants)


@delete(PARTICIPANTS, operation_id="remove_participants", status_code=200)
async def remove_participants(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: SessionRef,
    group: GroupRef,
    data: JSONBody[People],
) -> ParticipantsAnswer:
    """Remove people from a group."""
    return await _changed(edge, caller, session_ref, group, "remove", data.participants)


@patch(PARTICIPANTS, operation_id="change_participants")
async def change_participants(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: SessionRef,
    group: GroupRef,
    data: JSONBody[RoleChange],
) -> ParticipantsAnswer:
    """Make people administrators of a group, or take that back."""
    return await _changed(edge, caller, session_ref, group, data.action, data.participants)


async def _changed(
    edge: Edge, caller: Caller, session_ref: str, group: str, action: str, participants: Sequence[str]
) -> ParticipantsAnswer:
    caller.require("send")
    found = recipient_of(group)
    if not isinstance(found, Recipient) or not is_group(found.jid):
        raise invalid("group", "a group's JID looks like 120363021234567890@g.us")
    session = await session_for(edge, caller, session_ref)
    people = await _people(edge, session, participants)
    ask: AnyAsk = ChangeParticipants(
        session_id=session.id, group=found.jid, action=action, participants=list(people.values())
    )
    found = await asked(edge, session, ask, ParticipantsChanged)
    shown = _participants(people, found.codes, found.invites, action)
    done = sum(each.done for each in shown)
    return ParticipantsAnswer(
        data=shown, message=localized(confirmations.PARTICIPANTS_CHANGED, done=done, asked=len(shown))
    )


async def _people(edge: Edge, session: SessionRecord, written: Sequence[str]) -> dict[str, str]:
    """JIDs by what was written, each person once. Raises Refusal INVALID_PHONE, VALIDATION_FAILED."""
    people: dict[str, str] = {}
    for number, each in enumerate(written):
        person = await recipient(edge, session, each, path=f"participants[{number}]")
        if is_group(person.jid):
            raise invalid(f"participants[{number}]", "this is a group, not a person")
        if person.jid not in people.values():
            people[each] = person.jid
    return people


def _participants(
    people: Mapping[str, str], codes: Mapping[str, int | None], invites: Mapping[str, GroupInvite], action: str
) -> list[ParticipantView]:
    """What became of each, in the order asked and in the language of the answer."""
    return [
        ParticipantView(
            participant=written,
            jid=jid,
            done=jid in codes and codes[jid] is None,
            code=codes.get(jid),
            reason=_reason(codes, jid, action),
            invite=_invite(invites.get(jid)),
        )
        for written, jid in people.items()
    ]


def _reason(codes: Mapping[str, int | None], jid: str, action: str) -> Localized | None:
    if jid not in codes:
        return localized(UNTOLD)
    code = codes[jid]
    return None if code is None else localized(reason_of(code, action=action))


def _invite(invite: GroupInvite | None) -> InviteView | None:
    return None if invite is None else InviteView(code=invite.code, expires_at=iso_or_none(invite.expires_at))


def _view(group: Group) -> GroupView:
    return GroupView(
        jid=group.jid,
        subject=group.subject,
        created_at=iso_or_none(group.created_at),
        members=[_member(member) for member in group.members],
    )


def _member(member: GroupMember) -> MemberView:
    user, _, server = member.jid.partition("@")
    return MemberView(
        phone=user if server == "s.whatsapp.net" else None, jid=member.jid, lid=member.lid, role=member.role
    )


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[list_groups, create_group, add_participants, remove_participants, change_participants],
    tags=["Groups"],
)
