"""Looks at a file while its bytes pass by: what it is, wherever in the file that stands."""

from __future__ import annotations

from services.api.media import kinds
from services.api.media.kinds import HEAD_BYTES
from services.api.media.tracks import PICTURE, SOUND, Boxes, matroska_tracks

_OF_BOXES = {"audio/mp4", "video/mp4", "video/quicktime", "video/3gpp", "video/x-m4v"}
_OF_MATROSKA = {"video/webm": "audio/webm", "video/x-matroska": "audio/x-matroska"}


class Sniffer:
    """Fed with all of a file's pieces, in order, it tells the file's type."""

    def __init__(self) -> None:
        self.head = b""
        self._boxes = Boxes()

    def feed(self, piece: bytes) -> None:
        """The next bytes of the file."""
        if len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]
        if self.head[4:8] == b"ftyp"[: max(0, len(self.head) - 4)]:
            self._boxes.feed(piece)

    def mimetype(self, *, declared: str, file_name: str | None) -> str:
        """What the bytes say, tracks included; as `kinds.mimetype_of` where there are none."""
        found = kinds.mimetype_of(self.head, declared=declared, file_name=file_name)
        if self.head[4:8] == b"ftyp" and (found in _OF_BOXES or not found.startswith("image/")):
            return self._of_boxes(found)
        if found in _OF_MATROSKA and matroska_tracks(self.head) == {SOUND}:
            return _OF_MATROSKA[found]
        return found

    def _of_boxes(self, found: str) -> str:
        tracks = self._boxes.tracks
        if tracks == {SOUND}:
            return "audio/3gpp" if self.head[8:11] == b"3gp" else "audio/mp4"
        if PICTURE in tracks and not found.startswith("video/"):
            return "video/mp4"
        return found
