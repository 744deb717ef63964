"""Which tracks a container holds: MP4 and its relatives (ISO/IEC 14496-12), and Matroska with WebM (RFC 9559). Pure.

A brand says nothing about it: Android records sound alone under `mp42`, `3gp4` and `isom`, browsers under WebM.
"""

from __future__ import annotations

from typing import Final

SOUND: Final = "audio"
PICTURE: Final = "video"
MOST_BOXES = 4_096
"""More are not looked at, neither in a file nor in a head."""

_ENTERED = frozenset({b"moov", b"trak", b"mdia"})
_HANDLERS = {b"soun": SOUND, b"vide": PICTURE}
_LONG_SIZE, _TO_THE_END = 1, 0
_SHORT_HEAD, _LONG_HEAD, _HANDLER_BYTES = 8, 16, 12


class Boxes:
    """Reads the tracks of an MP4 file as its bytes pass by, wherever its `moov` stands; holds 28 bytes at most."""

    def __init__(self) -> None:
        self.tracks: set[str] = set()
        self._head = bytearray()
        self._wanted, self._skip, self._left = _SHORT_HEAD, 0, MOST_BOXES

    def feed(self, piece: bytes) -> None:
        """The next bytes of the file."""
        at = 0
        while self._left:
            passed = min(self._skip, len(piece) - at)
            self._skip, at = self._skip - passed, at + passed
            missing = self._wanted - len(self._head)
            self._head += piece[at : at + missing]
            at += missing
            if at > len(piece) or self._skip:
                return
            self._take_box()

    def _take_box(self) -> None:
        """Look at the box whose head is read, or ask for more of its head."""
        head, kind = self._head, bytes(self._head[4:8])
        size, start = int.from_bytes(head[:4], "big"), _SHORT_HEAD
        if size == _LONG_SIZE:
            size, start = int.from_bytes(head[8:16], "big"), _LONG_HEAD
        self._wanted = start + (_HANDLER_BYTES if kind == b"hdlr" else 0)
        if len(head) < self._wanted:
            return
        if kind == b"hdlr":
            self._note(bytes(head[-4:]))
        self._pass(size, entered=kind in _ENTERED)

    def _note(self, handler: bytes) -> None:
        if handler in _HANDLERS:
            self.tracks.add(_HANDLERS[handler])

    def _pass(self, size: int, *, entered: bool) -> None:
        """Go on behind the box, or with the first box inside."""
        self._left -= 1
        if not entered:
            self._skip = size - len(self._head)
            if size == _TO_THE_END or self._skip < 0:
                self._left = self._skip = 0
        self._head.clear()
        self._wanted = _SHORT_HEAD


# --- Matroska --------------------------------------------------------------------------------------------------------

_SEGMENT, _TRACKS, _TRACK, _TRACK_TYPE, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0x1F43B675
_TYPES = {1: PICTURE, 2: SOUND}


def matroska_tracks(head: bytes) -> set[str]:
    """The tracks that the beginning of a Matroska file names; they stand before the first cluster."""
    found: set[str] = set()
    at = 0
    for _ in range(MOST_BOXES):
        element, at = _number(head, at, marked=True)
        size, at = _number(head, at, marked=False)
        if at > len(head) or element in (None, _CLUSTER) or size is None:
            break
        if element in (_SEGMENT, _TRACKS, _TRACK):
            continue
        if element == _TRACK_TYPE and (kind := _TYPES.get(int.from_bytes(head[at : at + min(size, 8)], "big"))):
            found.add(kind)
        at += size
    return found


def _number(data: bytes, at: int, *, marked: bool) -> tuple[int | None, int]:
    """A variable-length number (RFC 8794, 4) and where it ends; `marked`: with the bit that tells its length."""
    first = data[at] if at < len(data) else 0
    if first == 0:
        return None, len(data) + 1
    length = 9 - first.bit_length()
    number = int.from_bytes(data[at : at + length], "big")
    return number if marked else number & ~(1 << 7 * length), at + length
