"""The engine port: what a session's owner asks of the program that holds its socket, and what it hears back.

One contract for every engine. The Go worker speaks it as length-prefixed MessagePack over a Unix socket (`wire.py`,
mirrored by `protocol.go` and `protocol_told.go` in `services/sessions/engine`); the scripted engine implements it in
Python. The types are in `requests.py`, `replies.py` and `events.py`, and are imported from here. Samples of each
lie in `tests/contracts/samples/engine` and are read by the tests of both sides.

On the wire every frame is 4 bytes of big-endian length and one MessagePack map:

    to the worker     {"kind": "request", "id": 7, "op": {"type": "open", ...}}
                      {"kind": "ack", "id": 12, "ok": true}
                      {"kind": "hold", "until": {"07-e12": 5123000000000}}
    from the worker   {"kind": "reply", "id": 7, "result": {"type": "sent", ...}}
                      {"kind": "event", "id": 12, "event": {"type": "message", ...}}

Times travel as integers: milliseconds since the Unix epoch, UTC; those of `hold` are nanoseconds of the machine's
monotonic clock (CLOCK_MONOTONIC), which both processes read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from services.sessions.engines.events import (
    About,
    Banned,
    Connected,
    Disconnected,
    Edited,
    Event,
    IncomingMedia,
    KeepaliveLost,
    KeepaliveRestored,
    LoggedOut,
    Message,
    Outdated,
    Paired,
    PasskeyConfirmation,
    PasskeyFailed,
    PasskeyRequired,
    Qr,
    QrEnded,
    Reacted,
    Receipt,
    Replaced,
    Restricted,
    Revoked,
    Undecryptable,
    Voted,
)
from services.sessions.engines.replies import (
    Checked,
    Done,
    Downloaded,
    Failed,
    Group,
    GroupMember,
    Groups,
    Invite,
    NotSent,
    PairCodeReply,
    Participants,
    Pong,
    Refused,
    Reply,
    SendOutcome,
    Sent,
    Unknown,
)
from services.sessions.engines.requests import (
    AudioContent,
    ChangeParticipants,
    Check,
    Close,
    ContactContent,
    Content,
    CreateGroup,
    DocumentContent,
    Download,
    EditContent,
    Forget,
    ImageContent,
    ListGroups,
    LocationContent,
    Logout,
    MarkRead,
    Open,
    PairPhone,
    PasskeyConfirm,
    PasskeyResponse,
    Ping,
    PollContent,
    Presence,
    Preview,
    Quote,
    ReactionContent,
    Request,
    RevokeContent,
    Send,
    StickerContent,
    TextContent,
    VideoContent,
    VoiceContent,
)
from services.sessions.engines.tagged import (
    Wire,
)

__all__ = [
    "About",
    "AudioContent",
    "Banned",
    "ChangeParticipants",
    "Check",
    "Checked",
    "Close",
    "Connected",
    "ContactContent",
    "Content",
    "CreateGroup",
    "Disconnected",
    "DocumentContent",
    "Done",
    "Download",
    "Downloaded",
    "EditContent",
    "Edited",
    "Engine",
    "EngineDown",
    "Event",
    "Failed",
    "Forget",
    "Group",
    "GroupMember",
    "Groups",
    "Handler",
    "ImageContent",
    "IncomingMedia",
    "Invite",
    "KeepaliveLost",
    "KeepaliveRestored",
    "ListGroups",
    "LocationContent",
    "LoggedOut",
    "Logout",
    "MarkRead",
    "Message",
    "NotSent",
    "Open",
    "Outdated",
    "PairCodeReply",
    "PairPhone",
    "Paired",
    "Participants",
    "PasskeyConfirm",
    "PasskeyConfirmation",
    "PasskeyFailed",
    "PasskeyRequired",
    "PasskeyResponse",
    "Ping",
    "PollContent",
    "Pong",
    "Presence",
    "Preview",
    "Qr",
    "QrEnded",
    "Quote",
    "Reacted",
    "ReactionContent",
    "Receipt",
    "Refused",
    "Replaced",
    "Reply",
    "Request",
    "Restricted",
    "RevokeContent",
    "Revoked",
    "Send",
    "SendOutcome",
    "Sent",
    "StickerContent",
    "TextContent",
    "Undecryptable",
    "Unknown",
    "VideoContent",
    "VoiceContent",
    "Voted",
    "Wire",
]

Handler = Callable[[Event], Awaitable[bool]]
"""Handles one event of the engine. For events that must be acknowledged, true lets WhatsApp forget it; false, or an
exception, makes the engine reset that connection, so that WhatsApp tells it again."""


class Engine(Protocol):
    """What every engine offers. One instance serves all sessions of a replica."""

    async def start(self, handler: Handler, on_down: Callable[[], Awaitable[None]]) -> None:
        """Start the engine; events go to `handler`, those of one session one after another.

        `on_down` is called each time the worker has died and before it is started again: every socket is gone, and
        `worker_start` is already the next one.
        """
        ...

    async def stop(self) -> None:
        """Close every socket (links are kept) and end. May run twice."""
        ...

    async def call(self, request: Request, *, timeout_s: float) -> Reply:
        """Carry out one request.

        Raises EngineDown when the engine ended, or was not up, while the request ran; TimeoutError after `timeout_s`.
        """
        ...

    def hold(self, leases: Mapping[str, float]) -> None:
        """Every lease that is held now, and until when it is known to hold (seconds of time.monotonic).

        A session's keys are written only while its lease is known to hold; a lease that is not named is over for good.
        """
        ...

    @property
    def worker_start(self) -> int:
        """How often the worker has been started by this process, from 1; the low part of the fence."""
        ...

    @property
    def up(self) -> bool:
        """Whether the worker runs and answers."""
        ...


class EngineDown(Exception):
    """The engine worker is not running, or died before it answered."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the engine worker is not running ({reason})")
