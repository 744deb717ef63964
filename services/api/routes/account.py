"""The customer's own account: its name, and the time zone by which its days and months are counted."""

from __future__ import annotations

import msgspec
from litestar import Router, get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.accounts.audit import note
from services.api.accounts.customers import CustomerAnswer, changed_fields, customer_answer
from services.api.billing.standings import customer_changed
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.routes.platform_customers import CustomerName, TimeZone, account_for
from services.api.times import now


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is left out stays."""

    name: CustomerName | None = None
    time_zone: TimeZone | None = None


@get("/account", operation_id="get_account")
async def get_account(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> CustomerAnswer:
    """The customer, and what it may do now."""
    caller.require("read")
    return customer_answer(await account_for(edge, caller.customer_id), confirmations.ACCOUNT, now())


@patch("/account", operation_id="update_account")
async def update_account(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[AccountChange]
) -> CustomerAnswer:
    """Rename the account, or set its time zone."""
    caller.require_account()
    changes = changed_fields(data.name, None, data.time_zone)
    if await store_customers.change_customer(edge.database, caller.customer_id, changes) is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    await customer_changed(edge, caller.customer_id)
    await note(edge, caller, "customer.changed", caller.customer_id, dict(changes))
    return customer_answer(await account_for(edge, caller.customer_id), confirmations.ACCOUNT_UPDATED, now())


router = Router(path="/api/customer", route_handlers=[get_account, update_account], tags=["Account"])
