"""What a build of the dashboard would have left, as far as its templates name it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from services.api.dashboard.rendering import TEMPLATES


def built_assets(folder: Path) -> str:
    """A folder with a manifest of every file that a template names."""
    named = re.compile(r"asset\(\"([^\"]+)\"\)")
    names = {name for path in Path(TEMPLATES).rglob("*.html") for name in named.findall(path.read_text())}
    (folder / "manifest.json").write_bytes(msgspec.json.encode({name: name for name in sorted(names)}))
    return str(folder)
