"""The OpenAPI description: ids that clients are generated from, examples of every body, and tags of messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from litestar import Litestar

from services.api.app import build
from services.api.description.examples import BODIES
from services.api.description.openapi import METHODS, completed
from services.api.messages.new_messages import AnyNewMessage
from services.api.routes.public import PublicSend
from services.api.settings import Settings

RING = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OPERATIONS = frozenset(Path(__file__).with_name("operations.txt").read_text().split())
"""Clients are generated from these: one may be added, none renamed or taken away."""


@pytest.fixture(scope="module")
def app() -> Litestar:
    return build(Settings(nats_url="nats://127.0.0.1:1", mongodb_url="mongodb://127.0.0.1:1/x", secret_keys=RING))


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    return completed(app.openapi_schema.to_schema())


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [item[method] for item in document["paths"].values() for method in METHODS if method in item]
    named = {operation["operationId"]: operation for operation in found}
    assert len(named) == len(found), "an operation id stands there twice"
    return named


def test_every_operation_id_is_on_the_list(operations: dict[str, Any]) -> None:
    assert set(operations) == OPERATIONS


def test_every_integer_that_comes_in_has_a_highest_value(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    """MongoDB takes none of more than 64 bits."""
    unbounded = {
        f"{name}: {place}"
        for name, operation in operations.items()
        for place, schema in incoming(operation)
        for said in integers(schema, document)
        if "maximum" not in said
    }
    assert unbounded == set()


def incoming(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema of each parameter and body, and where it stands."""
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter["schema"]
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        yield media_type, body.get("schema", {})


def integers(
    part: Any, document: dict[str, Any], seen: frozenset[str] = frozenset(), around: frozenset[str] = frozenset()
) -> Iterator[set[str]]:
    """What is said of each integer in this schema, there and around its alternatives, and in those it refers to."""
    if isinstance(part, list):
        for each in part:
            yield from integers(each, document, seen, around)
    if not isinstance(part, dict):
        return
    said = around | part.keys()
    reference = part.get("$ref")
    if reference and reference not in seen:
        named = document["components"]["schemas"][reference.rpartition("/")[2]]
        yield from integers(named, document, seen | {reference})
    if part.get("type") == "integer" and "enum" not in part:
        yield set(said)
    for key, each in part.items():
        if key not in ("example", "examples", "default", "additionalProperties"):  # of which Litestar tells no limits
            yield from integers(each, document, seen, frozenset(said) if key in ("oneOf", "anyOf") else frozenset())


def test_every_json_body_has_examples(operations: dict[str, dict[str, Any]]) -> None:
    bodies = {
        name: operation["requestBody"]["content"]["application/json"]
        for name, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert {name for name, body in bodies.items() if not body.get("examples")} == set()
    assert set(BODIES) <= set(bodies)


def test_every_example_is_a_body_that_is_taken(app: Litestar) -> None:
    types = body_types(app)
    for name, examples in BODIES.items():
        for example in examples.values():
            decoded = msgspec.json.decode(msgspec.json.encode(example), type=types[name])
            assert decoded is not None


def body_types(app: Litestar) -> dict[str, Any]:
    """What each handler takes as its JSON body."""
    found: dict[str, Any] = {"send_public_message": PublicSend}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            data = handler.parsed_fn_signature.parameters.get("data")
            if data is not None and isinstance(handler.operation_id, str):
                found[handler.operation_id] = data.annotation
    return found


def test_there_is_an_example_of_every_type_of_message() -> None:
    tags = {message.__struct_config__.tag for message in get_args(AnyNewMessage)}
    assert {example["type"] for example in BODIES["send_message"].values()} == tags


def test_a_message_is_told_by_its_type(document: dict[str, Any]) -> None:
    for message in get_args(AnyNewMessage):
        schema = document["components"]["schemas"][message.__name__]
        assert schema["properties"]["type"] == {"type": "string", "const": message.__struct_config__.tag}
        assert "type" in schema["required"]


def test_every_operation_refuses_with_the_one_envelope(operations: dict[str, dict[str, Any]]) -> None:
    for operation in operations.values():
        schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Refused"}
