"""The hub: everything that customers see, read once from UPDATES and fanned out in memory to whoever listens here."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from libs.contracts.ids import UPDATES
from libs.runtime import logs
from libs.runtime.bus import Bus, BusDown
from libs.runtime.replay import Log, log_of
from libs.runtime.tasks import end
from services.api.live.filters import Cursor, Filter
from services.api.live.follow import Follower
from services.api.sessions.qr import QrPainter

RECENT_FRAMES = 8_192
RECENT_BYTES = 16 * 1024 * 1024
RETRY_S = 0.2
CODES = ("qr", "qrRaw", "pairCode", "passkey")
"""The fields of `session.*` frames that a device is linked with."""

TOO_SLOW, RESTARTED = 1013, 1012
LAST_WAITS_S = 3.0
"""How long those who wait for a frame may go on while the edge ends: most have their answer by then."""

log = logs.get()


class LiveFrame:
    """A frame of UPDATES at its place in the log. `payload` is the frame's JSON without its cursor."""

    __slots__ = ("_text", "customer_id", "log", "payload", "seq", "session_id", "type")

    def __init__(self, log_name: str, seq: int, subject: str, payload: bytes) -> None:
        # updates.<shard>.<customer>.<session>.<two tokens of type>
        _, _, self.customer_id, self.session_id, self.type = subject.split(".", 4)
        self.log, self.seq, self.payload = log_name, seq, payload
        self._text: str | None = None

    @property
    def cursor(self) -> Cursor:
        """The place of a listener that has seen this frame."""
        return Cursor(self.log, self.seq)

    @property
    def text(self) -> str:
        """The frame as it is sent, made once for all listeners."""
        if self._text is None:
            self._text = with_cursor(self.payload, self.cursor)
        return self._text

    @property
    def text_without_codes(self) -> str:
        """The same for who may not link a device: without the codes with which that is done."""
        if not self.type.startswith("session."):
            return self.text
        frame = msgspec.json.decode(self.payload, type=dict[str, Any])
        frame["data"] |= {name: None for name in CODES if name in frame["data"]}
        return with_cursor(msgspec.json.encode(frame), self.cursor)

    async def paint(self, painter: QrPainter) -> None:
        """A `session.qr` frame gets its picture before `text` is asked; for the others this does nothing."""
        if self.type != "session.qr" or self._text is not None:
            return
        frame = msgspec.json.decode(self.payload, type=dict[str, Any])
        code = frame["data"].get("qrRaw")
        if code is not None:
            frame["data"]["qr"] = await painter.data_url(code)
        self._text = with_cursor(msgspec.json.encode(frame), self.cursor)


def with_cursor(payload: bytes, cursor: Cursor) -> str:
    """The frame's JSON with its cursor as the first field."""
    return f'{{"cursor":"{cursor}",{payload[1:].decode()}'


class _MessageRef(msgspec.Struct, frozen=True, rename="camel"):
    message_id: str | None = None


class WatchedFrame(msgspec.Struct, frozen=True):
    """What a watch sees of a frame."""

    type: str
    data: dict[str, Any]


class _Addressed(msgspec.Struct, frozen=True):
    data: _MessageRef


_decode_address = msgspec.json.Decoder(_Addressed).decode
_decode_watched = msgspec.json.Decoder(WatchedFrame).decode


class Watch:
    """Waits for the first frame that `wanted` accepts, from the moment it was made on."""

    def __init__(self, wanted: Callable[[WatchedFrame], bool]) -> None:
        self._wanted = wanted
        self._found: asyncio.Future[WatchedFrame | None] = asyncio.get_running_loop().create_future()

    def offer(self, frame: WatchedFrame) -> None:
        """Look at one frame."""
        if not self._found.done() and self._wanted(frame):
            self._found.set_result(frame)

    def end(self) -> None:
        """Wait no longer."""
        if not self._found.done():
            self._found.set_result(None)

    def renew(self) -> None:
        """Wait for the next frame from now on."""
        self._found = asyncio.get_running_loop().create_future()

    async def first(self, timeout_s: float) -> WatchedFrame | None:
        """The frame, or None when it did not come in time, or before the edge ends."""
        await asyncio.wait([self._found], timeout=max(timeout_s, 0))
        return self._found.result() if self._found.done() else None


class Listener:
    """One socket's place in the stream: a bounded queue of the frames that its filter takes.

    `ended` is the close code once it must be closed: TOO_SLOW when it let `most` frames wait, RESTARTED when the edge
    stops or the log was made anew.
    """

    def __init__(self, chosen: Filter, *, most: int) -> None:
        self.chosen, self._most = chosen, most
        self.waiting: deque[LiveFrame] = deque()
        self.wake = asyncio.Event()
        self.ended: int | None = None
        self.on_end: Callable[[], None] | None = None
        """Called once when it ends, to interrupt a write that does not get through."""
        self.told: Cursor | None = None
        """The last cursor that was written to its socket."""

    def offer(self, frame: LiveFrame) -> None:
        """Queue the frame if it is wanted; end when there is no room."""
        if self.ended is not None or not self.chosen.takes(frame.session_id, frame.type):
            return
        if len(self.waiting) >= self._most:
            self.end(TOO_SLOW)
            return
        self.waiting.append(frame)
        self.wake.set()

    def end(self, code: int) -> None:
        """Ask for the socket to be closed with this code."""
        if self.ended is not None:
            return
        self.ended = code
        self.wake.set()
        if self.on_end is not None:
            self.on_end()


class Hub:
    """One ordered consumer on UPDATES for the whole process; `start` begins it and `stop` ends it.

    It keeps the latest frames, so most listeners that come back are served from memory.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._admitted: set[Listener] = set()
        self._listeners: dict[str, set[Listener]] = {}
        self._watches: dict[str, list[Watch]] = {}
        self._recent: deque[LiveFrame] = deque()
        self._recent_bytes = 0
        self._floor = 0
        self._log: str = ""
        self._position = 0
        self._start_of_life = 0
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.waits_are_over = False
        """The edge ends, and nobody is let wait any more."""

    # --- Life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow UPDATES, now and after every interruption."""
        self._task = asyncio.create_task(self._follow(), name="hub")

    def begin_to_end(self) -> None:
        """End every listener with RESTARTED, and after LAST_WAITS_S every watch; also those to come."""
        self._ending = True
        self._end_listeners()
        asyncio.get_running_loop().call_later(LAST_WAITS_S, self._end_watches)

    async def stop(self) -> None:
        """End every listener and watch, and stop following."""
        self.begin_to_end()
        self._end_watches()
        if self._task is not None:
            await end(self._task)

    def _end_listeners(self) -> None:
        for listener in list(self._admitted):
            listener.end(RESTARTED)

    def _end_watches(self) -> None:
        self.waits_are_over = True
        for watches in self._watches.values():
            for watch in watches:
                watch.end()

    async def fault(self) -> str | None:
        """Health check."""
        return None if self._ready.is_set() else "the live feed has not caught up with the stream UPDATES yet"

    async def ready(self, timeout_s: float) -> bool:
        """Wait until the hub has reached the log's end once."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        return self._ready.is_set()

    async def _follow(self) -> None:
        while True:
            try:
                self._meet(await log_of(self._bus, UPDATES))
                await Follower(self._bus, stream=UPDATES, subject="updates.>", take=self._take).run(self._position + 1)
            except (BusDown, nats.errors.Error, nats.js.errors.Error, LookupError, TimeoutError) as error:
                log.debug("the live feed was interrupted", reason=type(error).__name__)
            except Exception:
                log.exception("the live feed failed; it goes on from where it was")
            await asyncio.sleep(RETRY_S)

    def _meet(self, found: Log) -> None:
        """Begin anew when this is not the log that was followed so far; otherwise go on where it was."""
        if found.name != self._log or found.last < self._position:
            if self._log:
                log.warning("the stream UPDATES was made anew; listeners are closed")
            self._log, self._floor = found.name, max(found.first - 1, found.last - RECENT_FRAMES, 0)
            self._position, self._start_of_life = self._floor, found.last
            self._recent.clear()
            self._recent_bytes = 0
            self._ready.clear()
            self._end_listeners()
        if self._position >= self._start_of_life:
            self._ready.set()

    # --- Frames ----------------------------------------------------------------------------------------------------

    def _take(self, seq: int, message: Msg) -> None:
        try:
            self._tell(LiveFrame(self._log, seq, message.subject, message.data))
        except (ValueError, msgspec.MsgspecError):
            log.exception("a frame in UPDATES cannot be read; it was passed over", seq=seq)
        self._position = seq
        if seq >= self._start_of_life:
            self._ready.set()

    def _tell(self, frame: LiveFrame) -> None:
        self._remember(frame)
        for listener in self._listeners.get(frame.customer_id, ()):
            listener.offer(frame)
        if self._watches:
            self._show(frame)

    def _remember(self, frame: LiveFrame) -> None:
        self._recent.append(frame)
        self._recent_bytes += len(frame.payload)
        while len(self._recent) > RECENT_FRAMES or self._recent_bytes > RECENT_BYTES:
            oldest = self._recent.popleft()
            self._recent_bytes -= len(oldest.payload)
            self._floor = oldest.seq

    def _show(self, frame: LiveFrame) -> None:
        keys = [frame.session_id]
        if frame.type.startswith("message."):
            with contextlib.suppress(msgspec.DecodeError):
                keys.append(_decode_address(frame.payload).data.message_id or "")
        watches = [watch for key in keys for watch in self._watches.get(key, ())]
        if watches:
            watched = _decode_watched(frame.payload)
            for watch in watches:
                watch.offer(watched)

    # --- Listeners and watches -------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """The name of the log that is followed; empty before the first contact."""
        return self._log

    @property
    def listeners(self) -> int:
        """How many listeners there are."""
        return len(self._admitted)

    @property
    def position(self) -> int:
        """The sequence up to which every frame has been offered to every listener."""
        return self._position

    def remembers(self, position: int) -> bool:
        """Whether every frame above `position` that the hub has seen is still in memory."""
        return position >= self._floor

    def recent(self, chosen: Filter, position: int) -> list[LiveFrame]:
        """The remembered frames above `position` that the filter takes, in order."""
        found: list[LiveFrame] = []
        for frame in reversed(self._recent):
            if frame.seq <= position:
                break
            if frame.customer_id == chosen.customer_id and chosen.takes(frame.session_id, frame.type):
                found.append(frame)
        found.reverse()
        return found

    @contextlib.contextmanager
    def admitted(self, listener: Listener) -> Generator[None]:
        """Let the listener be ended by the hub, and after `attach` be offered frames, while the block runs."""
        self._admitted.add(listener)
        if self._ending:
            listener.end(RESTARTED)
        try:
            yield
        finally:
            self._admitted.discard(listener)
            self._detach(listener)

    def attach(self, listener: Listener) -> None:
        """Offer it every frame above `position` from now on."""
        self._listeners.setdefault(listener.chosen.customer_id, set()).add(listener)

    def _detach(self, listener: Listener) -> None:
        listeners = self._listeners.get(listener.chosen.customer_id)
        if listeners is not None:
            listeners.discard(listener)
            if not listeners:
                del self._listeners[listener.chosen.customer_id]

    @contextlib.contextmanager
    def watch(self, key: str, wanted: Callable[[WatchedFrame], bool]) -> Generator[Watch]:
        """Watch the frames of a session or of a message, whose id `key` is, while the block runs.

        Begin to watch before what causes the frame, else it may be missed.
        """
        watch = Watch(wanted)
        if self.waits_are_over:
            watch.end()
        self._watches.setdefault(key, []).append(watch)
        try:
            yield watch
        finally:
            remaining = self._watches[key]
            remaining.remove(watch)
            if not remaining:
                del self._watches[key]
