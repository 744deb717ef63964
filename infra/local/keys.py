"""The secrets of a data directory: made once, kept in `secrets.env` (mode 600), never shown in logs."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

KEY_BYTES = 32


def load_or_make(path: Path) -> dict[str, str]:
    """The settings that are secret; those missing from the file are made and added to it."""
    kept = _read(path)
    made = {name: make() for name, make in _MAKERS.items() if name not in kept}
    if made:
        _write(path, kept | made)
    return kept | made


def overridden(kept: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """What the person set in the environment counts before what was made here."""
    return {name: environment.get(name) or value for name, value in kept.items()}


def _password() -> str:
    return secrets.token_urlsafe(15)


def _key_ring() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


_MAKERS = {
    "MERPATI_SECRET_KEYS": _key_ring,
    "MERPATI_ADMIN_EMAIL": lambda: "admin@merpati.local",
    "MERPATI_ADMIN_PASSWORD": _password,
    "MERPATI_CUSTOMER_EMAIL": lambda: "owner@merpati.local",
    "MERPATI_CUSTOMER_PASSWORD": _password,
}


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _write(path: Path, values: dict[str, str]) -> None:
    text = "# Secrets of this data directory. Without MERPATI_SECRET_KEYS its linked devices cannot be read.\n"
    text += "".join(f"{name}={value}\n" for name, value in values.items())
    write_private(path, text.encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step; only its owner may read it, at every moment."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
