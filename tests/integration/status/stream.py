"""A stream of facts about many messages of many sessions, and what must come of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import nats.errors

from libs.contracts.events import AnyFact
from libs.contracts.ids import UPDATES, shard_of
from libs.contracts.updates import Frame
from libs.runtime.bus import Bus, PublishUnclear
from libs.runtime.facts import tell
from services.status.contents import incoming_message_id
from tests.processes import eventually
from tests.unit.status import builders

T = TypeVar("T")
SHARDS = 4
SESSIONS = [f"session{number}" for number in range(8)]
WAY = ("queued", "sending", "sent", "reaction", "delivered", "edited", "read")
INCOMING_WAY = ("received", "reaction", "edited", "reaction", "revoked")
"""The first reaction outruns its message."""


class Told(NamedTuple):
    """One frame as it lies in UPDATES."""

    seq: int
    subject: str
    fact_seq: int
    frame: Frame[dict[str, Any]]


def message_id(session: str, number: int) -> str:
    return f"019a9d3c-7c00-7000-8{SESSIONS.index(session):03d}-{number:012x}"


def facts_of(session: str, numbers: range) -> list[AnyFact]:
    """The session connects; its messages go the whole way, and others come in; all overlap."""
    lanes = [[*_way(session, number), *_incoming(session, number)] for number in numbers]
    mixed = [fact for step in zip(*lanes, strict=True) for fact in step]
    fact_id = f"{session}/connected/{numbers.start}"
    return [builders.changed("connected", fact_id, session_id=session, connection=numbers.start), *mixed]


def _way(session: str, number: int) -> list[AnyFact]:
    wa_id = f"3EB0{number:018X}"
    about = {"session_id": session, "wa_id": wa_id, "message_id": message_id(session, number)}
    named, of = f"{session}/{number}", {"session_id": session, "wa_id": wa_id}
    return [
        builders.queued(f"{named}/queued", **about),
        builders.progressed("sending", f"{named}/sending", **about),
        builders.progressed("sent", f"{named}/sent", **about),
        builders.reacted("+", f"{named}/reaction", **of),
        builders.receipt("delivered", f"{named}/delivered", session_id=session, wa_ids=[wa_id]),
        builders.edited("baru", f"{named}/edited", from_me=True, **of),
        builders.receipt("read", f"{named}/read", session_id=session, wa_ids=[wa_id]),
    ]


def _incoming(session: str, number: int) -> list[AnyFact]:
    named, of = f"{session}/in {number}", {"session_id": session, "wa_id": f"AC{number:018X}"}
    return [
        builders.undecryptable(f"{named}/undecryptable", **of),
        builders.reacted("+", f"{named}/reaction", **of),
        builders.received(f"{named}/received", **of),
        builders.edited("baru", f"{named}/edited", **of),
        builders.reacted("", f"{named}/taken back", 1, **of),
        builders.revoked(f"{named}/revoked", **of),
    ]


def incoming_id(session: str, number: int) -> str:
    """The message id of what came in."""
    return incoming_message_id(session, f"{session}/in {number}/received", builders.T0)


async def publish(bus: Bus, numbers: range, *, twice: bool = False) -> None:
    """Publish the facts of all sessions, a few at a time, the sessions interleaved."""
    lanes = [facts_of(session, numbers) for session in SESSIONS]
    for start in range(0, max(map(len, lanes)), 5):
        for lane in lanes:
            for _ in range(2 if twice else 1):
                await _tell(bus, lane[start : start + 5])
        await asyncio.sleep(0)


async def _tell(bus: Bus, facts: Sequence[AnyFact]) -> None:
    """Again when it is not clear whether they are stored, as every teller does."""

    async def are_stored() -> bool:
        try:
            await tell(bus, facts, SHARDS)
        except PublishUnclear:
            return False
        return True

    await eventually(are_stored)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The server's answer, asked for again while it is away, or too busy to give it."""
    answers: list[T] = []

    async def is_answered() -> bool:
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            answers.append(await ask())
        return bool(answers)

    await eventually(is_answered)
    return answers[0]


async def told(bus: Bus) -> list[Told]:
    """Every frame in UPDATES."""
    info = await patiently(lambda: bus.jetstream.stream_info(UPDATES))
    frames: list[Told] = []
    for seq in range(1, info.state.last_seq + 1):
        message = await patiently(lambda seq=seq: bus.jetstream.get_msg(UPDATES, seq))
        frame = msgspec.json.decode(message.data or b"", type=Frame[dict[str, Any]])
        frames.append(Told(seq, message.subject or "", int((message.headers or {})["Fact-Seq"]), frame))
    return frames


async def frames_in(bus: Bus) -> int:
    """How many frames UPDATES holds."""
    return (await patiently(lambda: bus.jetstream.stream_info(UPDATES))).state.messages


def expected_frames(messages: int, rounds: int = 1) -> int:
    """How many frames these facts come to: `messages` of each session, a connect of each session in each round."""
    return len(SESSIONS) * (messages * (len(WAY) + len(INCOMING_WAY)) + rounds)


def assert_each_once_and_in_order(frames: Sequence[Told], messages: int) -> None:
    """Each frame once; within a message everything in the order of happening; within a shard in fact order."""
    ids = [each.frame.id for each in frames]
    assert len(ids) == len(set(ids)), "a frame was repeated"
    ways: dict[str, list[str]] = defaultdict(list)
    for each in frames:
        if each.frame.type.startswith("message."):
            ways[each.frame.data["messageId"]].append(each.frame.type.removeprefix("message."))
    every = [(session, number) for session in SESSIONS for number in range(messages)]
    expected = {message_id(*each): list(WAY) for each in every} | {
        incoming_id(*each): list(INCOMING_WAY) for each in every
    }
    assert ways == expected
    by_shard: dict[int, list[int]] = defaultdict(list)
    for each in frames:
        by_shard[shard_of(each.frame.session_id, SHARDS)].append(each.fact_seq)
    for fact_seqs in by_shard.values():
        assert fact_seqs == sorted(fact_seqs)
