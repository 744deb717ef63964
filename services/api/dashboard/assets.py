"""The built scripts, styles and icons: read once, served compressed, with names that change when they do."""

from __future__ import annotations

from pathlib import Path

import msgspec

MANIFEST = "manifest.json"
FOREVER = "public, max-age=31536000, immutable"
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""The best first."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class NotBuilt(Exception):
    """The dashboard's files are not there; the message says what to do."""

    def __init__(self, folder: str) -> None:
        where = f"there is no {MANIFEST} in {folder}" if folder else "MERPATI_DASHBOARD_ASSETS is not set"
        super().__init__(f"the dashboard was not built ({where}); ./merpati up builds it, and so does the api image")


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file in every encoding that it has; the plain one under an empty name."""

    media_type: str
    contents: dict[str, bytes]

    def best_for(self, accept_encoding: str) -> tuple[str, bytes]:
        """The smallest that this browser takes, and the name of its encoding."""
        taken = {part.partition(";")[0].strip() for part in accept_encoding.split(",")}
        encoding = next((name for name in self.contents if name in taken), "")
        return encoding, self.contents[encoding]


class Assets:
    """All of them, in memory: there are a few hundred kilobytes."""

    def __init__(self, manifest: dict[str, str], files: dict[str, File]) -> None:
        self._manifest, self._files = manifest, files

    def url(self, name: str) -> str:
        """Where the file with this name in `web/` is served."""
        return f"/dashboard/assets/{self._manifest[name]}"

    def file(self, hashed_name: str) -> File | None:
        """The file behind such an address."""
        return self._files.get(hashed_name)


def load(folder: str) -> Assets:
    """Read what was built there. Raises NotBuilt."""
    root = Path(folder)
    if not folder or not (root / MANIFEST).is_file():
        raise NotBuilt(folder)
    manifest = msgspec.json.decode((root / MANIFEST).read_bytes(), type=dict[str, str])
    files = {path.name: _file(path) for path in root.iterdir() if path.suffix in TYPES}
    return Assets(manifest, files)


def _file(path: Path) -> File:
    encoded = {name: path.with_name(path.name + ending) for name, ending in ENCODINGS.items()}
    contents = {name: each.read_bytes() for name, each in encoded.items() if each.is_file()}
    return File(media_type=TYPES[path.suffix], contents={**contents, "": path.read_bytes()})
