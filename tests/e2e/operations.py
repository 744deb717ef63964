"""The operations of a running stack, as its own OpenAPI document describes them, and requests made from that alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from tests.e2e.wire import Json

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `bodies`: the examples of its JSON body; none when it takes no JSON."""

    id: str
    method: str
    path: str
    path_names: tuple[str, ...]
    query_names: tuple[str, ...]
    required: tuple[str, ...]
    """Query parameters without which it is refused."""
    bodies: tuple[Any, ...]

    def urls(self, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Its path with every combination of these values. Raises KeyError for a parameter without any."""
        for chosen in itertools.product(*(values[name] for name in self.path_names)):
            url = self.path
            for name, value in zip(self.path_names, chosen, strict=True):
                url = url.replace(f"{{{name}}}", quote(value, safe=""))
            yield url

    @property
    def body(self) -> Any:
        """The first example of its body, or None."""
        return self.bodies[0] if self.bodies else None


async def operations_of(http: httpx.AsyncClient) -> list[Operation]:
    """Every operation that the stack describes."""
    document: Json = (await http.get("/docs/openapi.json")).raise_for_status().json()
    return [
        _operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _operation(method: str, path: str, described: Json) -> Operation:
    parameters: list[Json] = described.get("parameters", [])
    by_place = {place: [each for each in parameters if each["in"] == place] for place in ("path", "query")}
    content: Json = described.get("requestBody", {}).get("content", {}).get(JSON, {})
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        path_names=tuple(each["name"] for each in by_place["path"]),
        query_names=tuple(each["name"] for each in by_place["query"]),
        required=tuple(each["name"] for each in by_place["query"] if each.get("required")),
        bodies=tuple(example["value"] for example in content.get("examples", {}).values()),
    )
