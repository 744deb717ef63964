"""What one connection may cost before anybody is asked: bytes of headers, time for them, the pace of a body, and how
many connections an address has."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.contracts.errors import ApiError
from libs.runtime import logs
from services.api.errors import Refusal, envelope, language_for
from services.api.sentences import Phrase
from services.api.web.addresses import Network, address_of, block_of, networks_of

HEAD_BYTES = 64 * 1024
HEAD_S = 20.0
THIS_MACHINE = networks_of(("127.0.0.0/8", "::1"))
SILENT_S = 75.0
"""How long a connection may bring nothing at all."""
BODY_WINDOW_S = 10.0
BODY_BYTES_PER_S = 500
"""The least pace of a body, by windows; a phone on a bad line sends ten times as much."""
RETRY_AFTER_S = "10"

_VERSIONS = ("1.0", "1.1")
_HOST = re.compile(rb"[A-Za-z0-9!$&'()*+,;=._~%:\[\]-]*")
"""RFC 9110, section 7.2: host and port as in a URI."""

log = logs.get()


class Crowd:
    """How many connections each address has: an IPv4 address, or the /64 network of an IPv6 one."""

    def __init__(self, *, most: int, exempt: tuple[Network, ...] = ()) -> None:
        """Those who are `exempt` are not counted: behind a proxy are many."""
        self._most, self._exempt = most, exempt
        self._here: Counter[str] = Counter()

    def enter(self, address: str) -> str | None:
        """The place to leave later; None when the address has its share of connections already. Empty: not counted."""
        found = address_of(address)
        if found is None or any(found in network for network in self._exempt):
            return ""
        place = block_of(address)
        if self._here[place] >= self._most:
            return None
        self._here[place] += 1
        return place

    def leave(self, place: str) -> None:
        """One connection less."""
        self._here[place] -= 1
        if self._here[place] <= 0:
            del self._here[place]


class Phase(Enum):
    """What a connection is expected to bring."""

    ANYTHING = auto()
    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    """A request is answered, or the next one is awaited, for which uvicorn has a time of its own."""


class Connection(HttpToolsProtocol):
    """uvicorn's, which reads headers without end in size or time. What breaks a rule gets an answer as any other.

    Times are judged by `judge`, which the server calls each second: a timer for each request would cost more.
    """

    def __init__(self, *given: Any, crowd: Crowd, **named: Any) -> None:
        super().__init__(*given, **named)
        self._crowd, self._place = crowd, ""
        self._phase, self._since, self._received, self._arriving = Phase.ANYTHING, self.loop.time(), 0, 0
        self._is_new = False
        self._refusal: Refusal | None = None

    # --- Its life ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Refuse one too many at once."""
        super().connection_made(transport)
        place = self._crowd.enter(self.client[0] if self.client else "")
        if place is None:
            self._refuse(Refusal(ApiError.TOO_MANY_CONNECTIONS, headers={"Retry-After": RETRY_AFTER_S}))
            return
        self._place = place

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Streams are counted by who listens, and another protocol hears of their end."""
        self._leave()
        super().handle_websocket_upgrade()

    def _leave(self) -> None:
        if self._place:
            self._crowd.leave(self._place)
            self._place = ""

    # --- What it brings ----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Count what belongs to headers that are not complete."""
        if self.transport.is_closing():
            return
        self._arriving = len(data)
        super().data_received(data)
        if self._phase is not Phase.HEAD:
            return
        if self._is_new:  # how much of this belongs to the request before, nobody tells; the whole head is judged later
            self._is_new = False
        else:
            self._received += len(data)
        if self._received > HEAD_BYTES:
            self._refuse(_too_long())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._expect(Phase.HEAD)
        self._is_new = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Raises Refusal before the request is handed to anybody."""
        refusal = self._fault()
        if refusal is not None:
            self._refusal = refusal
            raise refusal
        self._expect(Phase.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here."""
        self._phase = Phase.NOTHING
        super().on_message_complete()

    def _expect(self, phase: Phase) -> None:
        self._phase, self._since, self._received = phase, self.loop.time(), 0

    def _fault(self) -> Refusal | None:
        if self._received + self._arriving > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            return _too_long()
        version: str = cast("Any", self.parser).get_http_version()
        if version not in _VERSIONS:
            return _malformed(f"HTTP/{version} is not spoken here", f"HTTP/{version} tidak dipakai di sini")
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            return _malformed("it names no Host, or more than one", "Host tidak ada, atau lebih dari satu")
        if hosts and not _HOST.fullmatch(hosts[0]):
            return _malformed("its Host is none", "Host-nya tidak sah")
        return None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    # --- How long it takes -------------------------------------------------------------------------------------------

    def judge(self, now: float) -> None:
        """End it when it brings too little for too long; `now` is the loop's time."""
        waited_s = now - self._since
        if self._phase is Phase.ANYTHING and waited_s > SILENT_S:
            self.transport.close()
        elif self._phase is Phase.HEAD and waited_s > HEAD_S:
            self._refuse(_too_slow())
        elif self._phase is Phase.BODY and (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            self._expect(Phase.BODY)  # it waits for us
        elif self._phase is Phase.BODY and waited_s > BODY_WINDOW_S:
            if self._received < BODY_BYTES_PER_S * BODY_WINDOW_S:
                self._refuse(_too_slow())
            self._expect(Phase.BODY)

    # --- How it is refused -------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it for whatever the parser refuses, and so for what was refused here."""
        self._refuse(self._refusal or _malformed("it is no HTTP request", "itu bukan permintaan HTTP"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer unless an answer has begun, and close."""
        if self.transport.is_closing():
            return
        log.warning("a connection was refused", error=refusal.error, bytes=self._received)
        if self._may_answer():
            self.transport.write(_answer(refusal, self._accept_language()))
        self._phase = Phase.NOTHING
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether no earlier request waits for its answer, and nothing has left of this one's."""
        cycle = cast("Any", self.cycle)
        if cycle is None:
            return True
        in_hand = self._phase is Phase.BODY and not cycle.response_started
        return (cycle.response_complete or in_hand) and not self.pipeline

    def _accept_language(self) -> str:
        found = (value for name, value in self.headers or () if name == b"accept-language")
        return next(found, b"").decode("latin-1")


def judge_all(connections: Iterable[Any], now: float) -> None:
    """`judge` each of these that is one of ours (the others are WebSockets)."""
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.judge(now)


def _too_long() -> Refusal:
    return Refusal(ApiError.HEADERS_TOO_LARGE, limit=f"{HEAD_BYTES // 1024} KB")


def _too_slow() -> Refusal:
    return Refusal(ApiError.REQUEST_TIMEOUT)


def _malformed(english: str, indonesian: str) -> Refusal:
    return Refusal(ApiError.MALFORMED_REQUEST, reason=Phrase(english, indonesian))


def _answer(refusal: Refusal, accept_language: str) -> bytes:
    request_id = uuid.uuid4().hex
    body = envelope(refusal, language=language_for("", accept_language)) | {"requestId": request_id}
    content = msgspec.json.encode(body)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "connection": "close",
        "x-request-id": request_id,
        **{name.lower(): value for name, value in refusal.headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[refusal.status] + lines.encode() + b"\r\n" + content
