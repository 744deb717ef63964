"""Who asks is known before a body is read: every route that reads one asks before, or reads little."""

from __future__ import annotations

from typing import Any, cast

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from services.api.access.rules import RULES, Who
from services.api.app import application
from services.api.web.bodies import OPEN_BYTES, TEXT_BYTES

MEDIA_BYTES = 30_000_000
BY_PATH = frozenset({"send_public_message"})
"""The key stands in the path, and the handler looks at it before it reads the body itself."""
STREAMED = frozenset({"upload_media"})
WITH_MEDIA = frozenset({"send_message"})


@pytest.fixture(scope="module")
def app() -> Litestar:
    return application(MEDIA_BYTES, "")


def reading(app: Litestar) -> list[HTTPRouteHandler]:
    """The handlers that Litestar reads a body for, or that read one themselves."""
    found = {
        id(handler): handler
        for route in app.routes
        for handler in cast("list[HTTPRouteHandler]", getattr(route, "route_handlers", []))
        if "OPTIONS" not in handler.http_methods
        if handler.parsed_data_field is not None or limit_of(handler) is None
    }
    return list(found.values())


def limit_of(handler: HTTPRouteHandler) -> Any:
    return handler.resolve_request_max_body_size()


def test_whoever_shows_no_credential_is_read_little(app: Litestar) -> None:
    open_to_all = {
        str(handler.operation_id): limit_of(handler)
        for handler in reading(app)
        if RULES[str(handler.operation_id)].who is Who.NOBODY
    }
    assert open_to_all == dict.fromkeys(("sign_in", "sign_in_admin", "sign_up"), OPEN_BYTES)


def test_much_is_read_where_media_come_alone(app: Litestar) -> None:
    much = {str(handler.operation_id) for handler in reading(app) if limit_of(handler) not in (OPEN_BYTES, TEXT_BYTES)}
    assert much == BY_PATH | STREAMED | WITH_MEDIA
    assert len(reading(app)) > 50
