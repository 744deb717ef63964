"""The frames that are due: what customers are told of a batch of facts, built from what is stored.

Which frames, and in which order, follows from the rows' histories alone: the same come out whoever wrote the rows, and
whenever. What they say of the message is what it was after their fact; when they are built again later, its reactions,
votes and words may be newer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from libs.contracts.events import AnyFact, CustomerNotified, SessionChanged
from libs.contracts.records import HistoryEntry, MessageRow
from libs.contracts.stages import stage_of
from libs.contracts.times import iso, iso_or_none
from libs.contracts.updates import Frame, MessageView, SessionView
from libs.contracts.views import error_of, message_view
from services.status.amendments import is_amendment
from services.status.ranks import has_left, is_final, was_delivered, was_read

AnyFrame = Frame[MessageView] | Frame[SessionView] | Frame[dict[str, Any]]


class Logged(Protocol):
    """An entry of the log of facts that are no message's."""

    @property
    def fact_seq(self) -> int:
        """The sequence with which the fact came first, and is told."""
        ...


class Step(NamedTuple):
    """A fact with its sequence, and the rows that it concerns as they were right after it."""

    seq: int
    fact: AnyFact
    rows: Sequence[MessageRow]


class DueFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame, and its place: `part` counts the frames of one fact from 0."""

    fact_seq: int
    part: int
    customer_id: str
    frame: AnyFrame


def frames_due(steps: Sequence[Step], logged: Mapping[str, Logged]) -> list[DueFrame]:
    """The frames of these facts: what is due with them, in fact order."""
    due: list[DueFrame] = []
    for step in steps:
        due += [
            DueFrame(fact_seq=step.seq, part=part, customer_id=step.fact.customer_id, frame=frame)
            for part, frame in enumerate(_frames_of(step, logged))
        ]
    return due


def _frames_of(step: Step, logged: Mapping[str, Logged]) -> Sequence[AnyFrame]:
    match step.fact:
        case SessionChanged() as fact:
            return [_session_frame(fact)] if _is_told_with(step, logged) else []
        case CustomerNotified() as fact:
            return [_notice_frame(fact)] if _is_told_with(step, logged) else []
        case _:
            return _message_frames(step)


def _is_told_with(step: Step, logged: Mapping[str, Logged]) -> bool:
    """Whether this is the fact's first coming: a repeat says nothing new."""
    entry = logged.get(step.fact.id)
    return entry is not None and entry.fact_seq == step.seq


def _message_frames(step: Step) -> list[AnyFrame]:
    return [
        _message_frame(row, number)
        for row in step.rows
        for number, entry in enumerate(row.history)
        if entry.due_seq == step.seq
    ]


def _message_frame(row: MessageRow, number: int) -> Frame[MessageView]:
    entry = row.history[number]
    return Frame(
        id=frame_id(row.id, entry.fact_id, entry.status),
        type=f"message.{entry.status}",
        session_id=row.session_id,
        occurred_at=iso(entry.at),
        data=view_at(row, number),
    )


def view_at(row: MessageRow, number: int) -> MessageView:
    """The message object as it was at this entry of its history; a rise ends all waiting.

    What is no rise leaves the status as it was; when it failed, `error` says why.
    """
    view, entry = message_view(row), row.history[number]
    if _is_last(row, number):
        return view
    rise = entry if not is_amendment(entry) else _rise_before(row, number)
    status, told_of = rise.status, entry if entry.reason else rise
    is_waiting = rise is not entry and status == row.status
    return replace(
        view,
        status=status,
        attempts=entry.attempts,
        waiting_for=view.waiting_for if is_waiting else None,
        resume_at=view.resume_at if is_waiting else None,
        error=error_of(told_of.reason, told_of.detail) if told_of is not rise or is_final(status) else None,
        sent_at=view.sent_at if has_left(status) else None,
        delivered_at=view.delivered_at if was_delivered(status) else None,
        read_at=view.read_at if was_read(status) else None,
    )


def _is_last(row: MessageRow, number: int) -> bool:
    """Whether the row is still as it was after this rise, as it is unless it is told late."""
    entry = row.history[number]
    is_at_it = number == len(row.history) - 1 and entry.status == row.status and entry.attempts == row.attempts
    return is_at_it and row.waiting_for is None and row.resume_at is None


def _rise_before(row: MessageRow, number: int) -> HistoryEntry:
    """The rise that the message had made by then; its content comes with one, before all else."""
    return next(each for each in reversed(row.history[:number]) if not is_amendment(each))


def _session_frame(fact: SessionChanged) -> Frame[SessionView]:
    view = SessionView(
        status=fact.status.value,
        reason=fact.reason,
        phone=fact.phone,
        qr_raw=fact.qr,
        expires_at=iso_or_none(fact.expires_at),
        pair_code=fact.pair_code,
        resume_at=iso_or_none(fact.resume_at),
        passkey=fact.passkey,
        cause=fact.cause,
        stage=stage_of(fact.status, fact.reason),
    )
    return Frame(
        id=frame_id(fact.session_id, fact.id, fact.update),
        type=f"session.{fact.update}",
        session_id=fact.session_id,
        occurred_at=iso(fact.at),
        data=view,
    )


def _notice_frame(fact: CustomerNotified) -> Frame[dict[str, Any]]:
    return Frame(
        id=frame_id(fact.customer_id, fact.id, fact.update),
        type=fact.update,
        session_id=None,
        occurred_at=iso(fact.at),
        data=fact.data,
    )


def frame_id(*parts: str) -> str:
    """The frame's id: the same whenever and by whomever it is built."""
    return "frm_" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]
