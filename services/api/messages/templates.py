"""What is done with templates, under the customers' paths and under those of the single-session dashboard alike."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pymongo.errors import DuplicateKeyError

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts import audit
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.messages import store_templates, templating
from services.api.messages.store_templates import Template
from services.api.times import Time, iso, now

MOST_TEMPLATES = 1_000
"""Of one customer."""

Name = Annotated[str, Meta(min_length=1, max_length=100, description="Unique among the customer's templates.")]
TemplateText = Annotated[str, Meta(min_length=1, max_length=16_384, description="Holds `{{variables}}`.")]
Description = Annotated[str, Meta(max_length=1_000)]
Listed = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=100)]


class TemplateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new template. `variables` may be sent along, and is taken from the content."""

    name: Name
    content: TemplateText
    description: Description | None = None
    variables: Listed = []


class TemplateChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays; `variables` may be sent along, and is taken from the content."""

    name: Name | UnsetType = UNSET
    content: TemplateText | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    variables: Listed | None = None


class TemplateObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A template; `variables` are those in its content, in their order."""

    id: str
    name: str
    content: str
    variables: list[str]
    created_at: Time
    updated_at: Time
    description: str | UnsetType = UNSET


class TemplateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One template."""

    data: TemplateObject
    message: Localized | UnsetType = UNSET
    success: bool = True


class TemplateList(msgspec.Struct, frozen=True, kw_only=True):
    """Templates, by name."""

    data: list[TemplateObject]
    success: bool = True


async def listed(edge: Edge, caller: Caller, *, limit: int, offset: int) -> TemplateList:
    """The caller's templates."""
    caller.require("read")
    rows = await store_templates.templates_by_name(edge.database, caller.customer_id, limit=limit, offset=offset)
    return TemplateList(data=[template_object(row) for row in rows])


async def found(edge: Edge, caller: Caller, template_id: str) -> Template:
    """The caller's template. Raises Refusal NOT_FOUND."""
    caller.require("read")
    row = await store_templates.template_by_id(edge.database, caller.customer_id, template_id)
    return _there(row)


async def added(edge: Edge, caller: Caller, body: TemplateBody) -> TemplateAnswer:
    """Store a new template. Raises Refusal TEMPLATE_NAME_TAKEN, VALIDATION_FAILED."""
    caller.require("send")
    at = now()
    row = Template(
        id=new_id("tpl"),
        customer_id=caller.customer_id,
        name=_name(body.name),
        content=body.content,
        variables=_variables(body.content),
        description=body.description or None,
        created_at=at,
        updated_at=at,
    )
    if await store_templates.templates_of(edge.database, caller.customer_id, most=MOST_TEMPLATES) >= MOST_TEMPLATES:
        raise Refusal(ApiError.NOT_POSSIBLE, reason=f"there are {MOST_TEMPLATES:,} templates already")
    try:
        await store_templates.add_template(edge.database, row)
    except DuplicateKeyError as error:
        raise Refusal(ApiError.TEMPLATE_NAME_TAKEN) from error
    await audit.note(edge, caller, "template.created", row.id, {"name": row.name})
    return TemplateAnswer(data=template_object(row), message=localized(confirmations.TEMPLATE_CREATED))


async def changed(edge: Edge, caller: Caller, template_id: str, body: TemplateChange) -> TemplateAnswer:
    """Change a template. Raises Refusal NOT_FOUND, TEMPLATE_NAME_TAKEN, VALIDATION_FAILED."""
    caller.require("send")
    _there(await store_templates.template_by_id(edge.database, caller.customer_id, template_id))
    values = {**_values(body), "updatedAt": now()}
    try:
        row = await store_templates.change_template(edge.database, caller.customer_id, template_id, values)
    except DuplicateKeyError as error:
        raise Refusal(ApiError.TEMPLATE_NAME_TAKEN) from error
    row = _there(row)
    await audit.note(edge, caller, "template.changed", row.id, {"name": row.name})
    return TemplateAnswer(data=template_object(row), message=localized(confirmations.TEMPLATE_CHANGED))


async def removed(edge: Edge, caller: Caller, template_id: str) -> None:
    """Delete a template. Raises Refusal NOT_FOUND."""
    caller.require("send")
    row = _there(await store_templates.remove_template(edge.database, caller.customer_id, template_id))
    await audit.note(edge, caller, "template.deleted", row.id, {"name": row.name})


async def text_of(edge: Edge, customer_id: str, template_id: str, values: dict[str, str]) -> str:
    """The template's text with these values. Raises Refusal NOT_FOUND, and VALIDATION_FAILED where one is missing."""
    row = _there(await store_templates.template_by_id(edge.database, customer_id, template_id))
    missing = templating.missing_of(row.content, values)
    if missing:
        raise invalid(f"variables.{missing[0]}", "the template needs a value for it")
    return templating.filled(row.content, values)


def template_object(row: Template) -> TemplateObject:
    """The template as the API shows it."""
    return TemplateObject(
        id=row.id,
        name=row.name,
        content=row.content,
        variables=row.variables,
        created_at=iso(row.created_at),
        updated_at=iso(row.updated_at),
        description=UNSET if row.description is None else row.description,
    )


def _values(body: TemplateChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if body.name is not UNSET:
        values["name"] = _name(body.name)
    if body.content is not UNSET:
        values |= {"content": body.content, "variables": _variables(body.content)}
    if body.description is not UNSET:
        values["description"] = body.description or None
    if not values:
        raise invalid("", "nothing to change was given")
    return values


def _there(row: Template | None) -> Template:
    if row is None:
        raise Refusal(ApiError.NOT_FOUND, what="template")
    return row


def _name(written: str) -> str:
    name = written.strip()
    if not name:
        raise invalid("name", "it is empty")
    return name


def _variables(content: str) -> list[str]:
    fault = templating.fault_of(content)
    if fault is not None:
        raise invalid("content", fault)
    return templating.variables_in(content)
