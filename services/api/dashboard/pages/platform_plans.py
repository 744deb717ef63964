"""The platform's plans: what is sold, and the form in which one is written or changed."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from services.api.accounts.records import Plan
from services.api.billing import store_plans
from services.api.billing.subscribing import plan_for
from services.api.context import Edge
from services.api.dashboard.lists import paging_of
from services.api.dashboard.pages.platform_customer import CURRENCY
from services.api.dashboard.rendering import pages_of
from services.api.dashboard.visitors import Visitor
from services.api.routes.platform_plans import MOST_CREDITS, MOST_MONEY, MOST_SESSIONS
from services.api.web.paging import Offset

PLACE = "/platform/plans"
SHOWN = 24
PRICED = ("default", "text", "image", "video", "document", "audio", "voice")
"""The types of message whose price the form asks for; others that a plan has are kept."""


@get(PLACE)
async def show_plans(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    offset: Offset = 0,
) -> Response[str]:
    """Every plan, newest first."""
    plans, total = await store_plans.plans_newest_first(edge.database, limit=SHOWN, offset=offset)
    return pages_of(request).page(
        request, "platform_plans.html", visitor=operator, plans=plans, paging=paging_of(total, offset, SHOWN)
    )


@get(f"{PLACE}/new")
async def show_new_plan(request: Request[Any, Any, Any], operator: NamedDependency[Visitor]) -> Response[str]:
    """The empty form."""
    return _form(request, operator, None)


@get(f"{PLACE}/{{plan_id:str}}")
async def show_plan(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    plan_id: FromPath[str],
) -> Response[str]:
    """The form of a plan that is there."""
    return _form(request, operator, await plan_for(edge, plan_id))


def _form(request: Request[Any, Any, Any], operator: Visitor, plan: Plan | None) -> Response[str]:
    others = [] if plan is None else sorted(set(plan.allowance.prices) - set(PRICED))
    return pages_of(request).page(
        request,
        "platform_plan.html",
        visitor=operator,
        plan=plan,
        priced=[*PRICED, *others],
        most_sessions=MOST_SESSIONS,
        most_money=MOST_MONEY,
        most_credits=MOST_CREDITS,
        currency=CURRENCY,
    )


handlers: list[ControllerRouterHandler] = [show_plans, show_new_plan, show_plan]
