"""Each operation answers each kind of caller as its rule says: the API's, the single-session ones and the pages.

The operations are those that the application serves, which the OpenAPI document is compared with: one that is added is
tried too. Things in paths are nobody's, and bodies are empty, so whoever is let through is told that there is no such
thing, or what is missing, and nothing is changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.api.access.cookies import COOKIE, CSRF_HEADER
from services.api.access.guard import named_handlers
from services.api.access.rules import RULES, Rule, Who
from services.api.accounts.records import SCOPES
from services.api.app import application
from tests.integration.api.accounts import add_customer, add_user, bearer, new_key
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import Site
from tests.integration.api.frames import socket_url
from tests.unit.api.assets import built_assets

AT_ONCE = 8
PASSES, TO_SIGN_IN = "passes", "to the sign-in"
FORBIDDEN, SUSPENDED = "FORBIDDEN", "CUSTOMER_SUSPENDED"
NO_KEY, NO_TOKEN, NOBODY = "INVALID_API_KEY", "INVALID_TOKEN", "UNAUTHORIZED"
REFUSALS = (FORBIDDEN, SUSPENDED, NO_KEY, NO_TOKEN, NOBODY)
ALL_BUT_ADMIN = tuple(scope for scope in SCOPES if scope != "admin")
MEMBERS = ("read", "send", "sessions")
PAGES = (Who.VISITOR, Who.OPERATORS_PAGE, Who.WATCHERS_PAGE)
OPERATORS = (Who.OPERATOR, Who.WATCHER, Who.DEFAULT, Who.OPERATORS_PAGE, Who.WATCHERS_PAGE)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    name: str
    method: str
    path: str
    rule: Rule


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of caller: what it has, and what is wrong with it."""

    credential: str
    """`key`, `user`, `operator` or none."""
    scopes: tuple[str, ...] = ()
    is_owner: bool = False
    is_of_sessions: bool = False
    is_support: bool = False
    fault: str = ""
    """The code with which its credential itself is refused."""


class Persona(msgspec.Struct, kw_only=True):
    """A caller of a kind at a site: its key, or how it signs in."""

    kind: Kind
    key: str = ""
    sign_in: Callable[[], Awaitable[str]] | None = None
    token: str = ""


KINDS: dict[str, Kind] = {
    "nobody": Kind(credential=""),
    "owner": Kind(credential="user", scopes=SCOPES, is_owner=True),
    "member": Kind(credential="user", scopes=MEMBERS),
    "suspended owner": Kind(credential="user", scopes=SCOPES, is_owner=True, fault=SUSPENDED),
    "signed out": Kind(credential="user", fault=NO_TOKEN),
    "over": Kind(credential="user", fault=NO_TOKEN),
    "administrator": Kind(credential="operator", scopes=SCOPES, is_owner=True),
    "support": Kind(credential="operator", scopes=("read",), is_support=True),
    "key": Kind(credential="key", scopes=SCOPES),
    "key to read": Kind(credential="key", scopes=("read",)),
    "key of a session": Kind(credential="key", scopes=ALL_BUT_ADMIN, is_of_sessions=True),
    "key of a network": Kind(credential="key", fault=FORBIDDEN),
    "suspended key": Kind(credential="key", fault=SUSPENDED),
    "revoked key": Kind(credential="key", fault=NO_KEY),
    "expired key": Kind(credential="key", fault=NO_KEY),
}


# --- What the rule says ----------------------------------------------------------------------------------------------


def expected(operation: Operation, kind: Kind) -> str:
    """The code of the refusal, or that there is none."""
    who = operation.rule.who
    if who is Who.NOBODY:
        return PASSES
    if who in PAGES:
        return _of_page(operation, kind)
    if who is Who.KEY_IN_PATH:
        return NO_KEY if kind.credential != "key" else kind.fault or _by_scope(operation, kind)
    if not kind.credential:
        return NOBODY
    if who is Who.PERSON or who in OPERATORS:
        return _of_person(operation, kind)
    if kind.credential == "operator" and operation.name.startswith("WS"):
        return FORBIDDEN  # with a ticket
    return kind.fault or _by_scope(operation, kind)


def _of_person(operation: Operation, kind: Kind) -> str:
    if kind.credential == "key" or kind.fault == NO_TOKEN:
        return NO_TOKEN
    if operation.rule.who in OPERATORS:
        return _of_operator(operation, kind)
    return PASSES if operation.rule.while_suspended else kind.fault or PASSES


def _of_operator(operation: Operation, kind: Kind) -> str:
    if kind.credential != "operator" or (kind.is_support and operation.rule.of_administrator):
        return FORBIDDEN
    return _by_scope(operation, kind)


def _of_page(operation: Operation, kind: Kind) -> str:
    if kind.credential in ("", "key") or kind.fault == NO_TOKEN:
        return TO_SIGN_IN
    if operation.rule.who in OPERATORS:
        return _of_operator(operation, kind)
    if kind.credential == "operator":
        return PASSES if operation.rule.or_operator else FORBIDDEN
    return PASSES if operation.rule.while_suspended else kind.fault or _by_scope(operation, kind)


def _by_scope(operation: Operation, kind: Kind) -> str:
    rule = operation.rule
    is_change = operation.method != "GET" or rule.scope not in ("", "read")
    is_refused = (
        (kind.is_support and is_change)
        or (rule.of_owner and not kind.is_owner)
        or (rule.of_account and kind.is_of_sessions)
        or (rule.scope != "" and rule.scope not in kind.scopes)
    )
    return FORBIDDEN if is_refused else PASSES


# --- Who calls, and what ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> str:
    return built_assets(tmp_path_factory.mktemp("assets"))


@pytest.fixture(scope="module")
def operations(assets: str) -> list[Operation]:
    app = application(1_000_000, assets)
    return [Operation(name=name, method=method, path=path, rule=RULES[name]) for name, method, path in served_by(app)]


def served_by(app: Litestar) -> list[tuple[str, str, str]]:
    """Name, method and path of everything that is served; of the pages those in one language."""
    paths = {id(handler): route.path for route in app.routes for handler in _handlers_of(route)}
    found: list[tuple[str, str, str]] = []
    for name, handler in named_handlers(app):
        if paths[id(handler)].startswith("/id/"):
            continue
        methods = getattr(handler, "http_methods", ("GET",))
        found += [(name, method, paths[id(handler)]) for method in methods]
    return found


def _handlers_of(route: Any) -> Any:
    return getattr(route, "route_handlers", None) or (route.route_handler,)


@pytest.fixture
async def site(open_site: SiteMaker, assets: str) -> Any:
    settings = {"open_signup": True, "qr_wait_s": 0.02, "dashboard_assets": assets, "operator_contact": "Bu Sari"}
    async with open_site(**settings) as opened:
        yield opened


async def persona_of(name: str, site: Site, rows: Any) -> Persona:
    """Somebody of this kind, with a session of the customer where its key is for one."""
    kind = KINDS[name]
    match kind.credential:
        case "key":
            return Persona(kind=kind, key=await _key(name, site, rows))
        case "user" | "operator":
            return await _person(name, site, rows)
        case _:
            return Persona(kind=kind)


async def _key(name: str, site: Site, rows: Any) -> str:
    kind = KINDS[name]
    fields: dict[str, Any] = {"scopes": list(kind.scopes or SCOPES)}
    if kind.is_of_sessions:
        fields["sessions"] = [await site.make_session()]
    if kind.fault == FORBIDDEN:
        fields["addresses"] = ["203.0.113.0/24"]
    made = await new_key(site, **fields)
    change = {"revoked key": {"isActive": False}, "expired key": {"expiresAt": datetime.now(UTC)}}.get(name)
    if change is not None:
        await rows["keys"].update_one({"_id": made["data"]["id"]}, {"$set": change})
    if kind.fault == SUSPENDED:
        await rows.customers.update_one({"_id": site.account.customer_id}, {"$set": {"suspendedAt": datetime.now(UTC)}})
        await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    return str(made["apiKey"])


async def _person(name: str, site: Site, rows: Any) -> Persona:
    kind, email = KINDS[name], site.account.email
    if name in ("member", "support"):
        email = await add_user(rows, name, site.account.customer_id if name == "member" else None)
    if name == "administrator":
        email = site.account.admin_email
    if kind.fault == SUSPENDED:
        customer_id = await add_customer(rows, "late")
        email = "late@example.com"

    async def sign_in() -> str:
        return await site.sign_in(email)

    persona = Persona(kind=kind, sign_in=sign_in, token=await sign_in())
    if kind.fault == SUSPENDED:
        await rows.customers.update_one({"_id": customer_id}, {"$set": {"suspendedAt": datetime.now(UTC)}})
        await site.edge.memory.drop(f"customer/{customer_id}")
    if name == "signed out":
        await site.client.post("/api/auth/signout", headers=bearer(persona.token))
    if name == "over":
        ended = {"$set": {"expiresAt": datetime.now(UTC) - timedelta(seconds=1)}}
        await rows.logins.update_one({"_id": site.edge.tokens.login_id_of(persona.token)}, ended)
    return persona


async def answer_to(site: Site, persona: Persona, operation: Operation) -> str:
    """What became of the request: the code of the refusal, or none."""
    if operation.name.startswith("WS"):
        return await _answer_to_socket(site, persona)
    token = persona.token
    headers = {"Accept": "application/json"}
    if operation.rule.who in PAGES:
        headers |= {"Cookie": f"{COOKIE}={token or persona.key}"}
    elif persona.kind.credential:
        headers |= bearer(token or persona.key)
    word = site.edge.tokens.words_beside(token)[0]
    given: dict[str, Any] = {"data": {"csrf": word}} if operation.rule.who in PAGES else {"json": {}}
    if operation.method == "GET":
        given = {}
    url = operation.path.replace("{api_key:str}", persona.key or "gf_none")
    url = re.sub(r"\{\w+:str\}", "none", re.sub(r"\{\w+:int\}", "1", url))
    params = {"customer": site.account.customer_id, "since": "0-0", "wait": "0"}
    request = site.client.build_request(
        operation.method, url, headers={**headers, CSRF_HEADER: word}, params=params, **given
    )
    answer = await site.client.send(request, stream=True)
    try:
        return PASSES if answer.status_code < 300 else _code_of(answer, await answer.aread())
    finally:
        await answer.aclose()


def _code_of(answer: httpx.Response, body: bytes) -> str:
    if answer.status_code == 303 and "/signin?next=" in answer.headers["location"]:
        return TO_SIGN_IN
    assert answer.status_code < 500 or answer.status_code == 503, body
    try:
        code = str(msgspec.json.decode(body)["error"])
    except msgspec.DecodeError:
        return PASSES
    return code if code in REFUSALS else PASSES


async def _answer_to_socket(site: Site, persona: Persona) -> str:
    protocols: Any = ["bearer", persona.token or persona.key] if persona.kind.credential else None
    try:
        async with connect(socket_url(site), subprotocols=protocols, proxy=None):
            return PASSES
    except InvalidStatus as refused:
        return str(msgspec.json.decode(refused.response.body)["error"])


@pytest.fixture(autouse=True)
def quiet(quiet_logs: None) -> None:
    """Thousands of requests."""


ENDING = ("sign_out", "POST /api/auth/logout", "POST /<language>/dashboard/signout")
"""What ends the sign-in that it is called with."""


@pytest.mark.parametrize("name", KINDS)
async def test_each_operation_answers_as_its_rule_says(
    name: str, site: Site, rows: Any, operations: list[Operation]
) -> None:
    persona = await persona_of(name, site, rows)
    ending = [operation for operation in operations if operation.name in ENDING]
    others = [operation for operation in operations if operation.name not in ENDING]
    limit = asyncio.Semaphore(AT_ONCE)

    async def tried(operation: Operation) -> str | None:
        async with limit:
            return await fault_of(site, persona, operation)

    found = await asyncio.gather(*(tried(operation) for operation in others))
    for operation in ending:
        if not persona.kind.fault and persona.sign_in is not None:
            persona.token = await persona.sign_in()
        found.append(await fault_of(site, persona, operation))
        if persona.kind.fault == SUSPENDED:
            persona.kind = msgspec.structs.replace(persona.kind, fault=NO_TOKEN)  # it has signed out
    faults = [each for each in found if each is not None]
    assert not faults, "\n".join(faults)


async def fault_of(site: Site, persona: Persona, operation: Operation) -> str | None:
    """What is wrong with the answer."""
    said, wanted = await answer_to(site, persona, operation), expected(operation, persona.kind)
    return None if said == wanted else f"{operation.method} {operation.path} ({operation.name}): {said}, not {wanted}"


async def test_the_document_describes_nothing_that_is_not_tried(site: Site, operations: list[Operation]) -> None:
    document = (await site.client.get("/docs/openapi.json")).json()
    described = {item[method]["operationId"] for item in document["paths"].values() for method in item}
    assert described <= {operation.name for operation in operations}
    assert any(operation.path.startswith("/whatsapp/") for operation in operations)
