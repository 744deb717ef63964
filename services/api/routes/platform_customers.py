"""The platform's customers: list, create with an owner, rename, suspend and resume."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from litestar import Router, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType
from pymongo.errors import DuplicateKeyError

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api import confirmations
from services.api.accounts import store_customers
from services.api.accounts.audit import note
from services.api.accounts.customers import (
    LONGEST_NAME,
    CustomerAnswer,
    CustomerObject,
    changed_fields,
    customer_answer,
    customer_object,
    new_customer,
)
from services.api.accounts.records import Account, Role, User
from services.api.accounts.users import (
    Bounded,
    NewPassword,
    PersonName,
    UserObject,
    checked_email,
    new_user,
    taken,
    user_object,
)
from services.api.billing import bookings
from services.api.billing.standings import customer_changed
from services.api.billing.subscribing import booked
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.languages import Localized, localized
from services.api.times import now
from services.api.web.paging import Limit, Offset, Pagination, pagination

CustomerName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
TimeZone = Annotated[str, Meta(max_length=64, description="Such as `Asia/Jakarta`.")]


class NewCustomer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A customer and its owner; without a password one is made up and shown once."""

    name: CustomerName
    email: Bounded
    owner_name: PersonName | None = None
    password: NewPassword | None = None
    time_zone: TimeZone = "Asia/Jakarta"


class CustomerChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is left out stays. `email` is the address for bills, not the owner's sign-in."""

    name: CustomerName | None = None
    email: Bounded | None = None
    time_zone: TimeZone | None = None


class Suspension(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why; shown to the platform's users only."""

    reason: Annotated[str, Meta(max_length=300)] | None = None


class CustomerList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of customers, newest first."""

    data: list[CustomerObject]
    pagination: Pagination
    success: bool = True


class MadeCustomer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The customer, its owner, and the owner's password when it was made up; it is not shown again."""

    customer: CustomerObject
    owner: UserObject
    password: str | UnsetType = UNSET


class MadeCustomerAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """POST /customers."""

    data: MadeCustomer
    message: Localized
    success: bool = True


@get("/customers", operation_id="list_customers")
async def list_customers(
    edge: NamedDependency[Edge],
    q: Annotated[
        str | None,
        QueryParameter(max_length=254, description="The id, or the beginning of the name or e-mail address."),
    ] = None,
    suspended: FromQuery[bool | None] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> CustomerList:
    """Every customer with its subscription, newest first."""
    accounts, total = await store_customers.customers_newest_first(
        edge.database, text=q, suspended=suspended, limit=limit, offset=offset
    )
    at = now()
    return CustomerList(
        data=[customer_object(account, at) for account in accounts],
        pagination=pagination(total, limit, offset, len(accounts)),
    )


@post("/customers", operation_id="create_customer", status_code=200)
async def create_customer(
    edge: NamedDependency[Edge], operator: NamedDependency[User], data: JSONBody[NewCustomer]
) -> MadeCustomerAnswer:
    """A new customer with an owner who can sign in; it has no subscription yet."""
    at, customer_id = now(), new_id("cus")
    email = checked_email(data.email)
    customer = new_customer(customer_id, name=data.name, email=email, time_zone=data.time_zone, at=at)
    password = data.password or secrets.token_urlsafe(12)
    owner = await new_user(
        edge,
        customer_id=customer_id,
        email=email,
        name=data.owner_name or data.name,
        role=Role.OWNER,
        password=password,
    )
    try:
        await store_customers.add_customer(edge.client, edge.database, customer, owner)
    except DuplicateKeyError as error:
        raise taken(error) from error
    await note(edge, operator, "customer.created", customer_id, {"email": email}, customer_id=customer_id)
    return MadeCustomerAnswer(
        data=MadeCustomer(
            customer=customer_object(Account(customer=customer), at),
            owner=user_object(owner),
            password=UNSET if data.password is not None else password,
        ),
        message=localized(confirmations.CUSTOMER_CREATED),
    )


@get("/customers/{customer_id:str}", operation_id="get_customer")
async def get_customer(edge: NamedDependency[Edge], customer_id: FromPath[str]) -> CustomerAnswer:
    """One customer."""
    return customer_answer(await account_for(edge, customer_id), confirmations.CUSTOMER, now())


@patch("/customers/{customer_id:str}", operation_id="update_customer")
async def update_customer(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    customer_id: FromPath[str],
    data: JSONBody[CustomerChange],
) -> CustomerAnswer:
    """Rename a customer, or set its address or time zone, by which its days and months are counted."""
    email = None if data.email is None else checked_email(data.email)
    changes = changed_fields(data.name, email, data.time_zone)
    if await store_customers.change_customer(edge.database, customer_id, changes) is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    await customer_changed(edge, customer_id)
    await note(edge, operator, "customer.changed", customer_id, dict(changes), customer_id=customer_id)
    return customer_answer(await account_for(edge, customer_id), confirmations.CUSTOMER_UPDATED, now())


@post("/customers/{customer_id:str}/suspend", operation_id="suspend_customer", status_code=200)
async def suspend_customer(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    customer_id: FromPath[str],
    data: JSONBody[Suspension | None] = None,
) -> CustomerAnswer:
    """Refuse everything that the customer's users and keys ask. Sessions stay linked, messages wait."""
    reason = data.reason if data is not None else None
    await booked(edge, customer_id, lambda books: bookings.suspended(books, now(), reason=reason))
    await note(edge, operator, "customer.suspended", customer_id, customer_id=customer_id)
    return customer_answer(await account_for(edge, customer_id), confirmations.CUSTOMER_SUSPENDED, now())


@post("/customers/{customer_id:str}/resume", operation_id="resume_customer", status_code=200)
async def resume_customer(
    edge: NamedDependency[Edge], operator: NamedDependency[User], customer_id: FromPath[str]
) -> CustomerAnswer:
    """Let the customer act again; what waited goes on."""
    await booked(edge, customer_id, bookings.resumed)
    await note(edge, operator, "customer.resumed", customer_id, customer_id=customer_id)
    return customer_answer(await account_for(edge, customer_id), confirmations.CUSTOMER_RESUMED, now())


async def account_for(edge: Edge, customer_id: str) -> Account:
    """The customer as it is stored now. Raises Refusal NOT_FOUND."""
    account = await store_customers.account_of(edge.database, customer_id)
    if account is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    return account


router = Router(
    path="/api/platform",
    route_handlers=[
        list_customers,
        create_customer,
        get_customer,
        update_customer,
        suspend_customer,
        resume_customer,
    ],
    tags=["Platform: customers"],
)
