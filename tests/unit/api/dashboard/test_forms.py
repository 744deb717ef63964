"""Forms that a page sends without a script."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Request

from services.api.dashboard.forms import fields_sent
from services.api.errors import Refusal


class Handler:
    """As much of a route as a request asks while its body is read."""

    def resolve_request_max_body_size(self) -> None:
        """No limit."""


def request_with(body: bytes) -> Request[Any, Any, Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    scope: Any = {"type": "http", "method": "POST", "path": "/", "headers": [], "state": {}, "route_handler": Handler()}
    return Request(scope, receive=receive)


async def test_the_fields_of_a_form_are_what_was_typed() -> None:
    body = "identifier=caf%C3%A9&password=a+b&empty=&raw=é".encode()
    assert await fields_sent(request_with(body)) == {"identifier": "café", "password": "a b", "raw": "é"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"identifier=caf\xe9", id="Latin-1"),
        pytest.param(b"identifier=%ff", id="percent-encoded"),
        pytest.param(b"&".join([b"a=1"] * 30), id="too many fields"),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        await fields_sent(request_with(body))
    assert refused.value.status == 400
