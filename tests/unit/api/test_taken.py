"""What a refusal says of a value that is none of those that there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.datastructures import State
from litestar.params import FromQuery, JSONBody
from litestar.testing import TestClient

from services.api.errors import handlers


class Circle(msgspec.Struct, tag="circle", tag_field="kind", kw_only=True):
    colours: tuple[Literal["red", "blue"], ...] = ()
    edges: dict[str, Literal["thin", "bold"]] = {}
    radius: int = 1


class Square(msgspec.Struct, tag="square", tag_field="kind", kw_only=True):
    inside: Circle | None = None
    data: str = ""


@post("/shapes")
async def draw(data: JSONBody[Circle | Square]) -> None:
    """Takes one of two kinds of object."""


@get("/shapes")
async def shown(colour: FromQuery[Literal["red", "blue"] | None] = None, size: FromQuery[int] = 1) -> None:
    """Takes query parameters."""


@pytest.fixture
def client() -> Any:
    state = State({"edge": SimpleNamespace(settings=SimpleNamespace(body_bytes=1000))})
    app = Litestar([draw, shown], exception_handlers={**handlers()}, state=state, openapi_config=None)
    with TestClient(app) as running:
        yield running


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        pytest.param({"kind": "cube"}, "kind", "Invalid value 'cube'; it is one of circle, square", id="tag"),
        pytest.param(
            {"kind": "circle", "colours": ["red", "green"]},
            "colours[1]",
            "Invalid enum value 'green'; it is one of blue, red",
            id="in-a-list",
        ),
        pytest.param(
            {"kind": "circle", "edges": {"left": "wavy"}},
            "edges[...]",
            "Invalid enum value 'wavy'; it is one of bold, thin",
            id="in-a-map",
        ),
        pytest.param(
            {"kind": "square", "inside": {"kind": "circle", "colours": ["green"]}},
            "inside.colours[0]",
            "Invalid enum value 'green'; it is one of blue, red",
            id="further-in",
        ),
        pytest.param({"kind": "circle", "radius": "wide"}, "radius", "Expected `int`, got `str`", id="no-choice"),
        pytest.param({"kind": "circle", "colours": "red"}, "colours", "Expected `array`, got `str`", id="no-list"),
        pytest.param({}, "kind", "Object missing required field `kind`; it is one of circle, square", id="missing"),
        pytest.param({"kind": "square", "data": 5}, "data", "Expected `str`, got `int`", id="called-data"),
        pytest.param([], "", "Expected `object`, got `array`", id="no-object"),
        pytest.param(None, "", "a JSON body is needed", id="no-body"),
    ],
)
def test_a_refused_field_is_named_with_what_it_may_be(
    client: TestClient[Litestar], body: Any, path: str, reason: str
) -> None:
    answer = client.post("/shapes", json=body)
    assert answer.status_code == 400
    assert answer.json()["details"]["fields"] == [{"path": path, "reason": reason}]


@pytest.mark.parametrize(
    ("query", "path", "reason"),
    [
        pytest.param("colour=green", "colour", "Invalid enum value 'green'; it is one of blue, red", id="choice"),
        pytest.param("size=big", "size", "Expected `int`, got `str`", id="no-choice"),
    ],
)
def test_a_refused_query_parameter_is_named_with_what_it_may_be(
    client: TestClient[Litestar], query: str, path: str, reason: str
) -> None:
    answer = client.get(f"/shapes?{query}")
    assert answer.json()["details"]["fields"] == [{"path": path, "reason": reason}]
