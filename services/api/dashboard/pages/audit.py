"""The audit log: who did what to the account, or, for the platform's users, to anybody."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.access import store_keys
from services.api.accounts import store_audit, store_customers, store_users
from services.api.accounts.records import PLATFORM, AuditEntry, User
from services.api.accounts.store_audit import Wanted
from services.api.context import Edge
from services.api.dashboard.lists import Filters, filters_of
from services.api.dashboard.pages.settings import PLACE as SETTINGS
from services.api.dashboard.reading import clock_for
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.typed import day_typed
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import WORDS, Say, saying
from services.api.errors import invalid

PLACE = f"{SETTINGS}/audit"
SHOWN = 25
FIELDS = ("thing", "user", "from", "to")
THINGS = ("sign_in", "user", "key", "session", "webhook", "template", "customer", "credits", "purchase", "subscription")
PLATFORMS_THINGS = (*THINGS, "transaction", "plan", "dead_letter")
NOT_TOLD = ("login", "delivery", "grantId")
"""Ids that tell a person nothing."""
OF_NAMES = {"role": "role", "scopes": "scope", "fields": "told", "reason": "credit.kind"}
"""Whose values are names of the API too, and where their words are."""
MOST_CURSOR = 100
MOST_PEOPLE = 100
MOST_KEYS = 100


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, ready to be read. `facts` are what is told besides; `account` is empty for a customer's own log."""

    id: str
    at: datetime
    what: str
    who: str
    by_platform: bool
    facts: list[tuple[str, str]]
    account: str
    address: str


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A page of it. `people` and `things` are what can be chosen: what the filter takes, and its word."""

    entries: list[Told]
    people: list[tuple[str, str]]
    things: list[tuple[str, str]]
    filters: Filters
    next: str | None
    is_first: bool
    clock: Clock


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what the ids in the entries stand for."""

    users: dict[str, User]
    keys: dict[str, str]
    accounts: dict[str, str]


@get(PLACE)
async def show_audit(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], visitor: NamedDependency[Visitor]
) -> Response[str]:
    """The log by the filters of the address, newest first. Members do not see it."""
    cursor, language = cursor_now(edge), language_of_path(request.url.path)
    filters = filters_of(request, *FIELDS)
    after = request.query_params.get("cursor", "")[:MOST_CURSOR]
    clock = await clock_for(edge, visitor, language)
    log = await _log_of(edge, visitor, filters, after, clock)
    return pages_of(request).page(request, "audit.html", visitor=visitor, cursor=cursor, log=log)


async def _log_of(edge: Edge, visitor: Visitor, filters: Filters, after: str, clock: Clock) -> Log:
    customer_id = visitor.user.customer_id
    wanted = Wanted(
        customer_id=customer_id,
        action=filters["thing"] or None,
        user_id=filters["user"] or None,
        since=day_typed(filters["from"], "from", clock),
        until=day_typed(filters["to"], "to", clock, days=1),
    )
    try:
        page, people = await asyncio.gather(
            store_audit.entries_newest_first(edge.database, wanted, after=after or None, limit=SHOWN),
            _people(edge, customer_id),
        )
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error
    names, say = await _names(edge, customer_id, page.rows), saying(clock.language)
    return Log(
        entries=[_told(row, names, say) for row in page.rows],
        people=people,
        things=[(thing, say(f"thing.{thing}")) for thing in (PLATFORMS_THINGS if visitor.is_operator else THINGS)],
        filters=filters,
        next=page.next,
        is_first=not after,
        clock=clock,
    )


async def _people(edge: Edge, customer_id: str | None) -> list[tuple[str, str]]:
    """To choose from: the customer's own; of the platform's there is no list."""
    if customer_id is None:
        return []
    wanted = store_users.Wanted(customer_id=customer_id)
    rows, _ = await store_users.users_newest_first(edge.database, wanted, limit=MOST_PEOPLE, offset=0)
    return [(row.id, row.name) for row in rows]


async def _names(edge: Edge, customer_id: str | None, rows: list[AuditEntry]) -> Names:
    concerned = {row.user_id for row in rows if row.user_id} | {row.target for row in rows if row.target}
    users = await store_users.users_by_id(edge.database, concerned)
    if customer_id is None:
        accounts = {row.customer_id for row in rows if row.customer_id}
        return Names(users=users, keys={}, accounts=await store_customers.names_of(edge.database, accounts))
    keys = await store_keys.keys_newest_first(edge.database, customer_id, limit=MOST_KEYS, offset=0)
    return Names(users=users, keys={key.id: key.name for key in keys}, accounts={})


def _told(row: AuditEntry, names: Names, say: Say) -> Told:
    return Told(
        id=row.id,
        at=row.created_at,
        what=_word("done", row.action, say),
        who=_who(row, names, say),
        by_platform=row.role in PLATFORM,
        facts=_facts(row, names, say),
        account=names.accounts.get(row.customer_id or "", ""),
        address=row.address or "",
    )


def _who(row: AuditEntry, names: Names, say: Say) -> str:
    if row.user_id is not None:
        user = names.users.get(row.user_id)
        return user.name if user is not None else say("audit.gone")
    if row.key_id is not None:
        name = names.keys.get(row.key_id)
        return say("audit.by_key", name=name) if name is not None else say("audit.by_gone_key")
    return say("audit.stranger")


def _facts(row: AuditEntry, names: Names, say: Say) -> list[tuple[str, str]]:
    """What is told besides: the person to whom it was done, if it was another, and the details."""
    details = {name: value for name, value in row.details.items() if name not in NOT_TOLD}
    told = [(_word("told", name, say), _value(name, value, say)) for name, value in details.items()]
    person = names.users.get(row.target or "") if row.target != row.user_id else None
    return told if person is None else [(say("audit.concerned"), person.name), *told]


def _word(of: str, name: str, say: Say) -> str:
    """The word for a name of the API; the name itself where there is none."""
    key = f"{of}.{name}"
    return say(key) if key in WORDS else name


def _value(name: str, value: Any, say: Say) -> str:
    match value:
        case bool():
            return say("audit.yes") if value else say("audit.no")
        case None:
            return "-"
        case list() | tuple():
            return ", ".join(_word(OF_NAMES.get(name, ""), str(each), say) for each in cast("list[Any]", value))
        case _:
            return _word(OF_NAMES.get(name, ""), str(value), say)


handlers: list[ControllerRouterHandler] = [show_audit]
