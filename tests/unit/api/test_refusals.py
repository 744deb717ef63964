"""Which refusal an exception becomes, and what logs may hold."""

from __future__ import annotations

import msgspec
import pytest
from litestar.exceptions import MethodNotAllowedException, NotAuthorizedException, NotFoundException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout, ServerSelectionTimeoutError

from libs.contracts.errors import ApiError
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from services.api.errors import Refusal, refusal_of
from services.api.requests import begin_request
from services.api.web.door import logged_path


class Named(msgspec.Struct):
    name: str


def malformed(text: bytes) -> Exception:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text, type=Named)
    return caught.value


def too_deep() -> Exception:
    with pytest.raises(RecursionError) as caught:
        msgspec.json.decode(b"[" * 100_000)
    return caught.value


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (Refusal(ApiError.FORBIDDEN, reason="no"), ApiError.FORBIDDEN, 403),
        (NotFoundException(), ApiError.ROUTE_NOT_FOUND, 404),
        (MethodNotAllowedException(), ApiError.METHOD_NOT_ALLOWED, 405),
        (RequestEntityTooLarge(), ApiError.PAYLOAD_TOO_LARGE, 413),
        (NotAuthorizedException(), ApiError.UNAUTHORIZED, 401),
        (malformed(b'{"name"'), ApiError.MALFORMED_JSON, 400),
        (malformed(b'{"name":1}'), ApiError.VALIDATION_FAILED, 400),
        (too_deep(), ApiError.MALFORMED_JSON, 400),
        (BusDown(), ApiError.SERVICE_UNAVAILABLE, 503),
        (PublishUnclear("cmd.x"), ApiError.SERVICE_UNAVAILABLE, 503),
        (StreamFull("cmd.x"), ApiError.SERVICE_UNAVAILABLE, 503),
        (AutoReconnect("x"), ApiError.SERVICE_UNAVAILABLE, 503),
        (NetworkTimeout("x"), ApiError.SERVICE_UNAVAILABLE, 503),
        (ServerSelectionTimeoutError("x"), ApiError.SERVICE_UNAVAILABLE, 503),
        (DuplicateKeyError("x"), ApiError.INTERNAL, 500),
        (ZeroDivisionError("secret"), ApiError.INTERNAL, 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_exception_has_its_refusal(error: Exception, code: ApiError, status: int) -> None:
    refusal = refusal_of(error, method="GET", body_bytes=1)
    assert (refusal.code, refusal.status) == (code, status)
    assert "secret" not in str(refusal.params)


def test_an_outage_says_when_to_come_back() -> None:
    assert int(refusal_of(BusDown(), method="GET", body_bytes=1).headers["Retry-After"]) > 0


def test_a_validation_error_names_its_field() -> None:
    refusal = refusal_of(malformed(b'{"name":1}'), method="POST", body_bytes=1)
    assert refusal.details == {"fields": [{"path": "name", "reason": "Expected `str`, got `int`"}]}


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/api/services/whatsapp/chat/abc/gf_key/62811/Hello%2Fworld", "/api/services/whatsapp/chat/abc/..."),
        ("/api/services/whatsapp/chat/abc/gf_key", "/api/services/whatsapp/chat/abc/..."),
        ("/api/services/whatsapp/chat/abc/key/1/a\nb", "/api/services/whatsapp/chat/abc/..."),
        ("/wrong/gf_AbC-_123/x", "/wrong/gf_.../x"),
        ("/api/customer/whatsapp/sessions", "/api/customer/whatsapp/sessions"),
    ],
)
def test_keys_and_messages_are_not_logged(path: str, logged: str) -> None:
    assert logged_path(path) == logged


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-123", True), ("a" * 128, True), ("", False), ("a" * 129, False), ("x\r\ny", False), ('a"b', False)],
)
def test_a_request_id_is_taken_only_when_it_is_plain(given: str, kept: bool) -> None:
    assert (begin_request(given) == given) is kept
