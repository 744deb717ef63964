"""Dead letters: what no service could handle, with the reason; read, put back on its way, or dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import nats.errors
import nats.js.errors
from nats.js.api import RawStreamMsg, StreamState

from libs.contracts.ids import COMMANDS, DEAD, EVENTS
from libs.runtime.bus import Bus, BusDown

ANY_SERVICE = "dead.>"
HISTORY = "Dead-History"
MOST_HISTORY = 10
MOST_ERROR = 300
REDRIVABLE = (COMMANDS, EVENTS)
"""Readers of these know a repeat. A frame of UPDATES that came twice would be seen twice."""
NO_MESSAGE = (10037, 10057)
"""JetStream's codes for a sequence that the stream does not hold (any more)."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One death of a message: its sequence in DEAD, when, and of what."""

    sequence: int
    at: str
    error: str


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter."""

    sequence: int
    at: datetime
    service: str
    subject: str
    """Where it came from, and would go again."""
    stream: str
    stream_sequence: int
    error: str
    history: list[Failure]
    """Earlier deaths of the same message, the oldest first."""
    payload: bytes
    headers: dict[str, str]


class NotRedrivable(Exception):
    """The letter stays where it is; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


# --- Reading ---------------------------------------------------------------------------------------------------------


async def letters_after(bus: Bus, position: int, *, service: str | None, limit: int) -> list[Letter]:
    """The next letters above this sequence, oldest first. Raises BusDown."""
    subject = ANY_SERVICE if service is None else f"dead.{service.replace('/', '.')}"
    letters: list[Letter] = []
    while len(letters) < limit:
        raw = await _raw(bus, seq=position + 1, subject=subject)
        if raw is None:
            break
        letters.append(_letter_of(raw))
        position = letters[-1].sequence
    return letters


async def letter_at(bus: Bus, sequence: int) -> Letter | None:
    """The letter with this sequence in DEAD. Raises BusDown."""
    raw = await _raw(bus, seq=sequence, subject=None)
    return None if raw is None else _letter_of(raw)


async def waiting_letters(bus: Bus) -> int:
    """How many there are. Raises BusDown."""
    return (await _state(bus)).messages


async def letters_by_service(bus: Bus) -> dict[str, int]:
    """How many letters each service has left, by its name. Raises BusDown."""
    if not bus.connected:
        raise BusDown
    try:
        state = (await bus.jetstream.stream_info(DEAD, subjects_filter=ANY_SERVICE)).state
    except (nats.errors.Error, TimeoutError) as error:
        raise BusDown from error
    return {_service_of(subject): count for subject, count in sorted((state.subjects or {}).items())}


async def last_letter(bus: Bus) -> int:
    """The sequence of the youngest one. Raises BusDown."""
    return (await _state(bus)).last_seq


async def _state(bus: Bus) -> StreamState:
    try:
        return (await bus.jetstream.stream_info(DEAD)).state
    except (nats.errors.Error, TimeoutError) as error:
        raise BusDown from error


async def _raw(bus: Bus, *, seq: int, subject: str | None) -> RawStreamMsg | None:
    if not bus.connected:
        raise BusDown
    try:
        return await bus.jetstream.get_msg(DEAD, seq=seq, subject=subject, next=subject is not None)
    except nats.js.errors.NotFoundError:
        return None
    except (nats.errors.Error, TimeoutError) as error:
        raise BusDown from error


def _letter_of(raw: RawStreamMsg) -> Letter:
    given = cast("dict[str, Any]", raw.headers or {})
    headers = {name: str(value) for name, value in given.items()}
    return Letter(
        sequence=raw.seq or 0,
        at=_time_of(raw),
        service=_service_of(raw.subject or ""),
        subject=headers.get("Dead-Subject", ""),
        stream=headers.get("Dead-Stream", ""),
        stream_sequence=int(headers.get("Dead-Sequence", "0")),
        error=headers.get("Dead-Error", ""),
        history=_history_in(headers),
        payload=raw.data or b"",
        headers=headers,
    )


def _service_of(subject: str) -> str:
    return subject.removeprefix("dead.").replace(".", "/")


def _time_of(raw: RawStreamMsg) -> datetime:
    at: Any = raw.time
    return (at if isinstance(at, datetime) else datetime.fromisoformat(str(at))).astimezone(UTC)


def _history_in(headers: dict[str, str]) -> list[Failure]:
    try:
        return msgspec.json.decode(headers.get(HISTORY, "[]"), type=list[Failure])
    except msgspec.MsgspecError:
        return []


# --- Changing --------------------------------------------------------------------------------------------------------


async def redrive(bus: Bus, letter: Letter) -> int:
    """Publish the message again where it came from, then remove the letter; returns its new sequence there.

    Its `Nats-Msg-Id` is new (the stream may still know the old one) and the same for each redrive of this letter: of
    two at the same time the stream keeps one. Only who has stored it removes the letter. Raises NotRedrivable, BusDown.
    """
    if letter.stream not in REDRIVABLE or not letter.subject:
        raise NotRedrivable(f"a message of {letter.stream or 'no stream'} is not published twice")
    try:
        ack = await bus.jetstream.publish(
            letter.subject, letter.payload, stream=letter.stream, headers=headers_again(letter)
        )
    except (nats.errors.Error, TimeoutError) as error:
        raise BusDown from error
    if ack.duplicate:
        raise NotRedrivable("it was put back on its way a moment ago")
    await drop(bus, letter.sequence)
    return ack.seq


def headers_again(letter: Letter) -> dict[str, str]:
    """The message's own headers, a new id, and what it died of so far."""
    own = {name: value for name, value in letter.headers.items() if not name.startswith(("Dead-", "Nats-"))}
    death = Failure(sequence=letter.sequence, at=letter.at.isoformat(), error=letter.error[:MOST_ERROR])
    history = msgspec.json.encode([*letter.history, death][-MOST_HISTORY:]).decode()
    return {
        **own,
        HISTORY: history.encode("ascii", "replace").decode(),
        "Nats-Msg-Id": f"redrive-{letter.sequence}-{int(letter.at.timestamp() * 1_000_000)}",
    }


async def drop(bus: Bus, sequence: int) -> bool:
    """Remove the letter; whether it was there. May run twice. Raises BusDown."""
    try:
        return await bus.jetstream.delete_msg(DEAD, sequence)
    except nats.js.errors.APIError as error:
        if error.err_code in NO_MESSAGE:
            return False
        raise BusDown from error
    except (nats.errors.Error, TimeoutError) as error:
        raise BusDown from error
