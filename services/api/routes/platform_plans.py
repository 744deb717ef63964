"""The platform's plans: what can be subscribed to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from libs.contracts.records import Allowance
from services.api import confirmations
from services.api.accounts.audit import note
from services.api.accounts.records import Plan, User
from services.api.billing import store_plans
from services.api.billing.subscribing import plan_for
from services.api.billing.views import PlanObject, plan_object
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.times import now
from services.api.web.paging import Limit, Offset, Pagination, pagination

MOST_SESSIONS = 100_000
MOST_MONEY = 10**12
MOST_CREDITS = 10**6

PlanName = Annotated[str, Meta(min_length=1, max_length=80)]
Description = Annotated[str, Meta(max_length=500)]
Money = Annotated[int, Meta(ge=0, le=MOST_MONEY)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Cycle = Literal["monthly", "yearly"]
Sessions = Annotated[int, Meta(ge=0, le=MOST_SESSIONS)]
Messages = Annotated[int, Meta(ge=0, le=10**9)]
Prices = Annotated[
    dict[Annotated[str, Meta(max_length=20)], Annotated[int, Meta(ge=0, le=MOST_CREDITS)]], Meta(max_length=20)
]
Features = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=30)]


class AllowanceWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What the plan allows. `prices`: credits by type of message (`default` for the rest), when it is metered."""

    max_sessions: Sessions
    monthly_messages: Messages | None = None
    is_metered: bool = False
    prices: Prices = {}
    features: Features = []


class NewPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A plan. `price` in whole units of the currency, for each cycle."""

    name: PlanName
    description: Description = ""
    allowance: AllowanceWish
    price: Money
    currency: Currency = "IDR"
    billing_cycle: Cycle = "monthly"
    is_offered: bool = True


class PlanChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is left out stays. What was bought before keeps its terms."""

    name: PlanName | None = None
    description: Description | None = None
    allowance: AllowanceWish | None = None
    price: Money | None = None
    currency: Currency | None = None
    billing_cycle: Cycle | None = None
    is_offered: bool | None = None
    is_active: bool | None = None


class PlanList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of plans, newest first."""

    data: list[PlanObject]
    pagination: Pagination
    success: bool = True


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One plan."""

    data: PlanObject
    message: Localized
    success: bool = True


@get("/plans", operation_id="list_plans")
async def list_plans(edge: NamedDependency[Edge], limit: Limit = 50, offset: Offset = 0) -> PlanList:
    """Every plan, also those that are no longer sold."""
    plans, total = await store_plans.plans_newest_first(edge.database, limit=limit, offset=offset)
    return PlanList(data=[plan_object(plan) for plan in plans], pagination=pagination(total, limit, offset, len(plans)))


@post("/plans", operation_id="create_plan", status_code=200)
async def create_plan(
    edge: NamedDependency[Edge], operator: NamedDependency[User], data: JSONBody[NewPlan]
) -> PlanAnswer:
    """A new plan; with `isOffered`, customers see it and may ask for it."""
    plan = Plan(
        id=new_id("plan"),
        created_at=now(),
        name=data.name,
        description=data.description,
        allowance=_allowance(data.allowance),
        price=data.price,
        currency=data.currency,
        billing_cycle=data.billing_cycle,
        is_offered=data.is_offered,
    )
    await store_plans.add_plan(edge.database, plan)
    await note(edge, operator, "plan.created", plan.id, {"name": plan.name})
    return PlanAnswer(data=plan_object(plan), message=localized(confirmations.PLAN_CREATED))


@get("/plans/{plan_id:str}", operation_id="get_plan")
async def get_plan(edge: NamedDependency[Edge], plan_id: FromPath[str]) -> PlanAnswer:
    """One plan."""
    return PlanAnswer(data=plan_object(await plan_for(edge, plan_id)), message=localized(confirmations.PLAN))


@patch("/plans/{plan_id:str}", operation_id="update_plan")
async def update_plan(
    edge: NamedDependency[Edge], operator: NamedDependency[User], plan_id: FromPath[str], data: JSONBody[PlanChange]
) -> PlanAnswer:
    """Change what is sold from now on; `isActive: false` sells it no more. What was bought keeps its terms."""
    changes = _changes_of(data)
    plan = await store_plans.change_plan(edge.database, plan_id, changes)
    if plan is None:
        raise Refusal(ApiError.NOT_FOUND, what="plan")
    await note(edge, operator, "plan.changed", plan.id, {"fields": sorted(changes)})
    return PlanAnswer(data=plan_object(plan), message=localized(confirmations.PLAN_UPDATED))


def _allowance(wish: AllowanceWish) -> Allowance:
    return Allowance(
        max_sessions=wish.max_sessions,
        monthly_messages=wish.monthly_messages,
        is_metered=wish.is_metered,
        prices=wish.prices,
        features=wish.features,
    )


def _changes_of(data: PlanChange) -> dict[str, Any]:
    """The stored fields to be set."""
    given: dict[str, Any] = msgspec.to_builtins(data)
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise invalid("", "nothing to change was given")
    return changes


router = Router(
    path="/api/platform",
    route_handlers=[list_plans, create_plan, get_plan, update_plan],
    tags=["Platform: plans"],
)
