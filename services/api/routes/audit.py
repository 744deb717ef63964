"""The audit log: who did what, to what, from where. Customers read their own, the platform reads all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from services.api.access.callers import Caller
from services.api.accounts import store_audit, store_users
from services.api.accounts.records import AuditEntry, User
from services.api.accounts.store_audit import Wanted
from services.api.context import Edge
from services.api.errors import invalid
from services.api.times import Time, iso

MOST_LISTED = 200

Action = Annotated[
    str | None,
    QueryParameter(
        max_length=60, description="Such as `key.created`; or a thing alone, `key`, for all that befell it."
    ),
]
ByUser = Annotated[str | None, QueryParameter(name="user", max_length=60, description="Id of who did it.")]
Target = Annotated[str | None, QueryParameter(max_length=200, description="Id of what it was done to.")]
Since = Annotated[datetime | None, QueryParameter(name="from", description="At this time or later.")]
Until = Annotated[datetime | None, QueryParameter(name="to", description="Before this time.")]
Cursor = Annotated[str | None, QueryParameter(max_length=100)]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)]


class Actor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who did it: a user, an API key, or nobody who was signed in. Name and address of a user that is gone are null."""

    user_id: str | None
    name: str | None
    email: str | None
    role: str | None
    key_id: str | None


class AuditView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry: `actor` did `action` to `target`."""

    id: str
    at: Time
    action: str
    actor: Actor
    customer_id: str | None
    target: str | None
    details: dict[str, Any]
    address: str | None
    request_id: str


class AuditPaging(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where this page is; `next` is the cursor of the next one."""

    limit: int
    next: str | None
    has_more: bool


class AuditList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Entries, newest first."""

    data: list[AuditView]
    pagination: AuditPaging
    success: bool = True


@get("/audit", operation_id="list_audit_entries")
async def list_audit_entries(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    action: Action = None,
    user: ByUser = None,
    target: Target = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditList:
    """Who did what to this account, newest first, in pages."""
    caller.require_account()
    wanted = Wanted(
        customer_id=caller.customer_id,
        action=action or None,
        user_id=user or None,
        target=target or None,
        since=_in_utc(since, "from"),
        until=_in_utc(until, "to"),
    )
    return await _page(edge, wanted, cursor, limit)


@get("/audit", operation_id="list_platform_audit_entries")
async def list_platform_audit_entries(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    customer: Annotated[str | None, QueryParameter(max_length=60, description="Id of the customer concerned.")] = None,
    action: Action = None,
    user: ByUser = None,
    target: Target = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditList:
    """Who did what anywhere, newest first, in pages."""
    wanted = Wanted(
        customer_id=customer or None,
        action=action or None,
        user_id=user or None,
        target=target or None,
        since=_in_utc(since, "from"),
        until=_in_utc(until, "to"),
    )
    return await _page(edge, wanted, cursor, limit)


async def _page(edge: Edge, wanted: Wanted, cursor: str | None, limit: int) -> AuditList:
    try:
        page = await store_audit.entries_newest_first(edge.database, wanted, after=cursor or None, limit=limit)
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error
    users = await store_users.users_by_id(edge.database, {row.user_id for row in page.rows if row.user_id})
    paging = AuditPaging(limit=limit, next=page.next, has_more=page.next is not None)
    return AuditList(data=[_view(row, users) for row in page.rows], pagination=paging)


def _view(row: AuditEntry, users: dict[str, User]) -> AuditView:
    user = users.get(row.user_id or "")
    actor = Actor(
        user_id=row.user_id,
        name=user.name if user is not None else None,
        email=user.email if user is not None else None,
        role=row.role.value if row.role is not None else None,
        key_id=row.key_id,
    )
    return AuditView(
        id=row.id,
        at=iso(row.created_at),
        action=row.action,
        actor=actor,
        customer_id=row.customer_id,
        target=row.target,
        details=row.details,
        address=row.address,
        request_id=row.request_id,
    )


def _in_utc(at: datetime | None, name: str) -> datetime | None:
    """A time without an offset is one of UTC. Raises Refusal for what no calendar holds once it is moved there."""
    try:
        return at if at is None else (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except OverflowError as error:
        raise invalid(name, "it is beyond the calendar") from error


routers = (
    Router(
        path="/api/customer",
        route_handlers=[list_audit_entries],
        tags=["Audit log"],
    ),
    Router(
        path="/api/platform",
        route_handlers=[list_platform_audit_entries],
        tags=["Platform"],
    ),
)
