"""The frames between the service and its engine worker: four bytes of length, then one MessagePack map."""

from __future__ import annotations

import asyncio
import struct

import msgspec

from services.sessions.engines.base import About, Event, Message, Receipt, Reply, Request, Undecryptable

MAX_FRAME_BYTES = 16 * 2**20
_LENGTH = struct.Struct(">I")


class RequestFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="request"):
    """To the worker: carry this out and reply with the same id."""

    id: int
    op: Request


class AckFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ack"):
    """To the worker: the event with this id is in safe hands, or is not."""

    id: int
    ok: bool


class HoldFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="hold"):
    """To the worker: every lease that is held, and until when. It counts before whatever is asked after it."""

    until: dict[str, int]
    """By the lease's name; nanoseconds of CLOCK_MONOTONIC."""


class ReplyFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="reply"):
    """From the worker: what came of the request with this id."""

    id: int
    result: Reply


class EventFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """From the worker: something happened. Those of `MUST_ACK` wait for an `AckFrame` with the same id."""

    id: int
    event: Event


MUST_ACK = (Receipt, Message, About, Undecryptable)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ReplyFrame | EventFrame).decode


def pack(frame: RequestFrame | AckFrame | HoldFrame) -> bytes:
    """One frame as bytes."""
    payload = _encode(frame)
    return _LENGTH.pack(len(payload)) + payload


async def next_frame(reader: asyncio.StreamReader) -> ReplyFrame | EventFrame:
    """The next frame of the worker.

    Raises asyncio.IncompleteReadError at the end of the stream, ValueError or msgspec.ValidationError for what is not
    a frame of this contract.
    """
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if size > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
    return _decode(await reader.readexactly(size))
