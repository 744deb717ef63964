"""What the handler of a request takes, in the words of its callers: for refusals that say what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request
from msgspec import inspect

BODY = "data"
"""The parameter in which Litestar hands a body over."""

_STEP = re.compile(r"\[[^\[\]]*\]|[^.\[\]]+")


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a handler and of what it depends on."""

    names: Mapping[str, str] = MappingProxyType({})
    """The query parameters for which callers write another name than the handler has."""
    types: Mapping[str, Any] = MappingProxyType({})

    def has_field(self, name: str) -> bool:
        """Whether the body is an object with such a field."""
        return BODY in self.types and bool(_below([inspect.type_info(self.types[BODY])], [name]))

    def choices(self, path: str) -> list[str]:
        """All that the query parameter or the field of the body at `path` (`settings.kind`, `scopes[0]`) may be.

        Empty where any text, number or object may stand.
        """
        if path in self.types and path != BODY:
            return list(_choices(inspect.type_info(self.types[path])))
        if BODY not in self.types:
            return []
        steps = _STEP.findall(path)
        nodes = _below([inspect.type_info(self.types[BODY])], steps[:-1])
        tags = [
            str(node.tag) for node in nodes if isinstance(node, inspect.StructType) and [node.tag_field] == steps[-1:]
        ]
        return tags or [choice for node in _below(nodes, steps[-1:]) for choice in _choices(node)]


def taken_by(request: Request[Any, Any, Any]) -> Taken:
    """What the handler of this request takes; nothing where there is no handler."""
    handler: Any = request.scope.get("route_handler")
    if handler is None:
        return Taken()
    signatures = [handler.parsed_fn_signature]
    signatures += [provided.parsed_fn_signature for provided in handler.resolve_dependencies().values()]
    fields: dict[str, Any] = {name: field for each in signatures for name, field in each.parameters.items()}
    written = {parameter: getattr(field.kwarg_definition, "name", None) for parameter, field in fields.items()}
    return Taken(
        names={parameter: name for parameter, name in written.items() if name},
        types={parameter: field.annotation for parameter, field in fields.items()},
    )


def _below(nodes: list[inspect.Type], steps: list[str]) -> list[inspect.Type]:
    """The types at the end of these steps; an alternative that has no such field leads nowhere."""
    nodes = [each for node in nodes for each in _alternatives(node)]
    for step in steps:
        nodes = [each for node in nodes for next_node in _step(node, step) for each in _alternatives(next_node)]
    return nodes


def _alternatives(node: inspect.Type) -> Iterator[inspect.Type]:
    match node:
        case inspect.Metadata():
            yield from _alternatives(node.type)
        case inspect.UnionType():
            for each in node.types:
                yield from _alternatives(each)
        case _:
            yield node


def _step(node: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match node:
        case inspect.StructType():
            yield from (field.type for field in node.fields if field.encode_name == step)
        case inspect.CollectionType():
            yield node.item_type
        case inspect.DictType():
            yield node.value_type
        case _:
            return


def _choices(node: inspect.Type) -> Iterator[str]:
    for each in _alternatives(node):
        match each:
            case inspect.LiteralType():
                yield from (str(value) for value in each.values)
            case inspect.EnumType():
                yield from (str(member.value) for member in each.cls)
            case _:
                continue
