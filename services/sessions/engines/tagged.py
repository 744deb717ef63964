"""The base of every type that crosses the engine port (`base.py`)."""

from __future__ import annotations

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    """Base of everything that crosses the port; `type` tells which it is."""
