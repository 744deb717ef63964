"""Routes the public sends on the raw path, so that a message in the path may hold `/`, `?`, `#` and line ends."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, Receive, Scope, Send

PREFIX = "/api/services/whatsapp/chat/"

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class RawPath:
    """ASGI wrapper: below PREFIX the router sees the path as the client sent it, its escapes not yet decoded.

    A server decodes the whole path at once, which makes a `%2F` in a message a separator. The handlers of these routes
    decode each segment themselves, exactly once, with `decoded`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            raw: bytes | None = scope.get("raw_path")
            if raw:
                scope["path"] = raw.decode("latin-1").partition("?")[0]
        await self._app(scope, receive, send)


def decoded(segment: str) -> str | None:
    """The segment's text; None when an escape is broken or the bytes are not UTF-8."""
    if "%" not in segment and segment.isascii():
        return segment
    if _BROKEN_ESCAPE.search(segment):
        return None
    try:
        return unquote_to_bytes(segment.encode("latin-1")).decode()
    except UnicodeError:
        return None
