"""The customer's credits: what is left, the ledger, and when to be warned."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from services.api.access.callers import Caller
from services.api.accounts.audit import note
from services.api.billing import store_credits
from services.api.billing.credits import CreditsAnswer, LedgerAnswer, credits_of, ledger_of
from services.api.billing.standings import customer_changed
from services.api.context import Edge
from services.api.web.paging import HIGHEST

MOST_LISTED = 200
MOST_CREDITS = 1_000_000_000
Place = Annotated[int | None, QueryParameter(ge=1, le=HIGHEST, description="`next` of the page before.")]
PageSize = Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)]
OfMessage = Annotated[str | None, QueryParameter(max_length=64, description="The rows of this message alone.")]


class LowBalance(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Below which balance `credits.low` is told; null: below the deployment's."""

    threshold: Annotated[int, Meta(ge=0, le=MOST_CREDITS)] | None


@get("/credits", operation_id="get_credits")
async def get_credits(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> CreditsAnswer:
    """What is left, what is held for messages on their way, and what messages cost."""
    caller.require_account()
    return await credits_of(edge, caller.customer_id)


@get("/credits/ledger", operation_id="list_credits_ledger")
async def list_credits_ledger(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    message: OfMessage = None,
    cursor: Place = None,
    limit: PageSize = 50,
) -> LedgerAnswer:
    """Every change of the balance and why, newest first; no row is ever changed or removed."""
    caller.require_account()
    return await ledger_of(edge, caller.customer_id, message_id=message, cursor=cursor, limit=limit)


@put("/credits/low-balance", operation_id="set_low_balance")
async def set_low_balance(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[LowBalance]
) -> CreditsAnswer:
    """Choose the balance below which `credits.low` is told, once until it is filled up again."""
    caller.require_account()
    await store_credits.set_threshold(edge.database, caller.customer_id, data.threshold)
    await customer_changed(edge, caller.customer_id)
    await note(edge, caller, "credits.low_balance_set", caller.customer_id, {"threshold": data.threshold})
    return await credits_of(edge, caller.customer_id)


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[get_credits, list_credits_ledger, set_low_balance],
    tags=["Credits"],
)
