"""Templates: texts with `{{variables}}`, kept to be sent again and again; the same under both dialects' paths."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from services.api import confirmations
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.languages import localized
from services.api.messages import templates
from services.api.messages.templates import MOST_TEMPLATES, TemplateAnswer, TemplateBody, TemplateChange, TemplateList
from services.api.sessions.views import Done

TemplateRef = Annotated[str, PathParameter(description="The template's id.")]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_TEMPLATES)]
Offset = Annotated[int, QueryParameter(ge=0, le=MOST_TEMPLATES)]


def handlers(kind: str) -> list[ControllerRouterHandler]:
    """The routes; their operation ids are about a `kind`: `list_<kind>s`, `get_<kind>`, ..."""

    @get("/", operation_id=f"list_{kind}s")
    async def list_templates(
        edge: NamedDependency[Edge], caller: NamedDependency[Caller], limit: Limit = MOST_TEMPLATES, offset: Offset = 0
    ) -> TemplateList:
        """The customer's templates, by name."""
        return await templates.listed(edge, caller, limit=limit, offset=offset)

    @post("/", operation_id=f"create_{kind}", status_code=200)
    async def create_template(
        edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[TemplateBody]
    ) -> TemplateAnswer:
        """Keep a new template; its variables are told from its content."""
        return await templates.added(edge, caller, data)

    @get("/{template_id:str}", operation_id=f"get_{kind}")
    async def get_template(
        edge: NamedDependency[Edge], caller: NamedDependency[Caller], template_id: TemplateRef
    ) -> TemplateAnswer:
        """One template."""
        return TemplateAnswer(data=templates.template_object(await templates.found(edge, caller, template_id)))

    @put("/{template_id:str}", operation_id=f"update_{kind}")
    async def update_template(
        edge: NamedDependency[Edge],
        caller: NamedDependency[Caller],
        template_id: TemplateRef,
        data: JSONBody[TemplateChange],
    ) -> TemplateAnswer:
        """Change a template; messages that were sent with it stay as they are."""
        return await templates.changed(edge, caller, template_id, data)

    @delete("/{template_id:str}", operation_id=f"delete_{kind}", status_code=200)
    async def delete_template(
        edge: NamedDependency[Edge], caller: NamedDependency[Caller], template_id: TemplateRef
    ) -> Done:
        """Delete a template."""
        await templates.removed(edge, caller, template_id)
        return Done(message=localized(confirmations.TEMPLATE_DELETED))

    return [list_templates, create_template, get_template, update_template, delete_template]


router = Router(
    path="/api/customer/whatsapp/templates",
    route_handlers=handlers("template"),
    tags=["Templates"],
)
single_session_router = Router(
    path="/api/templates",
    route_handlers=handlers("admin_template"),
    tags=["Single-session dashboard"],
)
