"""Two customers on one stack: whatever the API describes, one reaches nothing of the other's.

The requests are made from the live OpenAPI document, so a route that is added is tried too. What it cannot know is
which things a new kind of parameter names: then the test fails until `belongings.py` makes one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import nats
import pytest

from libs.contracts.ids import COMMANDS
from libs.runtime.mongo import database
from tests.e2e.belongings import Belongings, belongings
from tests.e2e.handsets import Network
from tests.e2e.operations import Operation, operations_of
from tests.e2e.tenants import TIMEOUT_S, client
from tests.processes import eventually
from tests.receiver import receiver
from tests.servers import client_of
from tests.stack import RunningStack, running_stack

PLAIN = {"phone": ["6281234567890"], "text": ["Halo"], "letter_id": ["1"], "plan_id": ["plan_self_hosted"]}
"""Parameters that name nobody's thing."""
SINCE = {"since": "0-0"}
"""Required query parameters."""
REFUSED, NOT_FOUND = frozenset({401, 403}), 404
UNFOUND = frozenset({401, 403, 404, 405, 500})
NO_CUSTOMERS = ("/api/platform/", "/api/admin/")
CUSTOMERS = ("/api/customer/", "/api/services/", "/api/auth/", "/api/messages/", "/api/templates")
EVENT_STREAM = "text/event-stream"
LISTENS_S = 0.5
RESTLESS = frozenset({"lastSeenAt", "lastAckAt", "lastUsedAt", "beat"})
"""What moves by itself while a session is connected, and with each use of a key."""


class Estate:
    """A stack on which two customers have one of everything; B tries to reach what is A's."""

    def __init__(self, stack: RunningStack, operations: list[Operation], a: Belongings, b: Belongings) -> None:
        self.stack, self.operations, self.a, self.b = stack, operations, a, b

    def credentials(self, whose: Belongings) -> dict[str, dict[str, str]]:
        """Both kinds that a customer has."""
        tenant = whose.tenant
        return {"owner": {"Authorization": f"Bearer {tenant.token}"}, "key": {"X-API-Key": tenant.key}}

    def values(self, whose: Belongings, *, key_of: Belongings) -> dict[str, list[str]]:
        """What fills path parameters: the things of one customer, asked for with the key of another."""
        return {**whose.paths, **PLAIN, "api_key": [key_of.tenant.key]}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Generator[Estate]:
    """A stack of its own: webhooks may go to this machine, and nobody else changes anything."""
    with asyncio.Runner() as runner:
        exits = AsyncExitStack()
        try:
            yield runner.run(_estate(exits, tmp_path_factory))
        finally:
            runner.run(exits.aclose())


async def _estate(exits: AsyncExitStack, directories: pytest.TempPathFactory) -> Estate:
    given = {"MERPATI_PRIVATE_TARGETS": "1"}
    stack = await exits.enter_async_context(
        running_stack(directories.mktemp("isolation"), "--networks", "scripted", environment=given)
    )
    endpoint = await exits.enter_async_context(receiver())
    network = Network(stack.simulator_url)
    exits.push_async_callback(network.close)
    a, b = await belongings(stack, network, endpoint), await belongings(stack, network, endpoint)
    async with client(stack.url) as http:
        return Estate(stack, await operations_of(http), a, b)


@pytest.fixture
async def http(estate: Estate) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with client(estate.stack.url) as nobody:
        yield nobody


# --- What is asked ---------------------------------------------------------------------------------------------------


def test_every_path_parameter_names_something_that_the_two_customers_have(estate: Estate) -> None:
    known = set(estate.values(estate.a, key_of=estate.b))
    unknown = {name: each.path for each in estate.operations for name in each.path_names if name not in known}
    assert not unknown, "make such a thing in belongings.py"
    assert {name for each in estate.operations for name in each.path_names} >= set(estate.a.paths) - {"subscription_id"}


async def test_a_customer_finds_nothing_of_anothers_under_any_path(estate: Estate, http: httpx.AsyncClient) -> None:
    before = await settled_state(estate)
    faults: list[str] = []
    for operation in _about_things(estate):
        for url in operation.urls(estate.values(estate.a, key_of=estate.b)):
            for kind, headers in estate.credentials(estate.b).items():
                answer = await _ask(http, operation, url, headers, customer=estate.a.tenant.customer_id)
                allowed = {NOT_FOUND}
                if answer.status_code in REFUSED:
                    allowed.add(await _status_for_oneself(http, estate, operation, kind))
                faults += _faults(f"{kind}: {operation.method} {url}", answer, allowed, estate.a)
    assert not faults, "\n".join(faults)
    assert await settled_state(estate) == before


async def _status_for_oneself(http: httpx.AsyncClient, estate: Estate, operation: Operation, kind: str) -> int:
    """What the same kind of credential of whoever owns the thing gets: what is refused for everybody tells nothing."""
    url = next(operation.urls(estate.values(estate.a, key_of=estate.a)))
    answer = await _ask(http, operation, url, estate.credentials(estate.a)[kind])
    return answer.status_code if answer.status_code in REFUSED else NOT_FOUND


async def test_no_list_of_a_customer_holds_anything_of_anothers(estate: Estate, http: httpx.AsyncClient) -> None:
    faults: list[str] = []
    for operation in estate.operations:
        if operation.method != "GET" or not _is_for_customers(operation):
            continue
        for url in operation.urls(estate.values(estate.b, key_of=estate.b)):
            for query in _queries(operation, estate.a):
                for kind, headers in estate.credentials(estate.b).items():
                    answer = await _ask(http, operation, url, headers, **query)
                    faults += _faults(f"{kind}: {operation.method} {url} {query}", answer, None, estate.a)
    assert not faults, "\n".join(faults)


async def test_a_body_that_names_anothers_things_is_refused(estate: Estate, http: httpx.AsyncClient) -> None:
    before = await settled_state(estate)
    faults: list[str] = []
    asked = 0
    for operation in estate.operations:
        for body in filter(None, (_with_things(each, estate.a.fields) for each in operation.bodies)):
            for url in operation.urls(estate.values(estate.b, key_of=estate.b)):
                for kind, headers in estate.credentials(estate.b).items():
                    answer = await _ask(http, operation, url, headers, body=body)
                    asked += 1
                    if answer.is_success or answer.is_server_error:
                        faults.append(f"{kind}: {operation.method} {url} {body}: {answer.status_code}")
                    faults += _faults(f"{kind}: {operation.method} {url} {body}", answer, None, estate.a)
    assert not faults, "\n".join(faults)
    assert asked > 10
    assert await settled_state(estate) == before


async def test_the_same_requests_find_what_is_ones_own(estate: Estate, http: httpx.AsyncClient) -> None:
    """Last: it changes and deletes everything. Without it, a path that leads nowhere would prove nothing."""
    unfound: list[str] = []
    for operation in sorted(_about_things(estate), key=_by_damage):
        answers = [answer async for answer in _until_found(http, estate, operation)]
        if not any(_is_found(operation, answer) for answer in answers):
            unfound += [f"{operation.method} {each.url.path}: {each.status_code} {each.text[:200]}" for each in answers]
    assert not unfound, "\n".join(unfound)


async def _until_found(http: httpx.AsyncClient, estate: Estate, operation: Operation) -> AsyncIterator[httpx.Response]:
    """The answers about one's own things, up to the first that is found: another request may have ended some."""
    for url in operation.urls(estate.values(estate.a, key_of=estate.a)):
        answer = await _ask(http, operation, url, estate.credentials(estate.a)["owner"])
        yield answer
        if _is_found(operation, answer):
            return


def _is_found(operation: Operation, answer: httpx.Response) -> bool:
    """Whether it led somewhere, be it to a refusal of what was asked. To the platform's part it leads no customer."""
    is_beyond_customers = answer.status_code == 403 and operation.path.startswith(NO_CUSTOMERS)
    return is_beyond_customers or answer.status_code not in UNFOUND


# --- How it is asked -------------------------------------------------------------------------------------------------


def _about_things(estate: Estate) -> list[Operation]:
    """The operations whose path names something."""
    return [each for each in estate.operations if set(each.path_names) - {"api_key", "phone", "text"}]


def _is_for_customers(operation: Operation) -> bool:
    """The public part needs no credential: it holds nobody's things, or the default session's state."""
    return operation.path.startswith(
        ("/api/customer/", "/api/services/", "/api/auth/", "/api/messages/", "/api/templates")
    )


def _by_damage(operation: Operation) -> tuple[int, int, str]:
    """Reads first, then changes, then deletions, of the innermost things first."""
    rank = {"GET": 0, "PATCH": 1, "PUT": 1, "POST": 2, "DELETE": 3}[operation.method]
    return rank, -len(operation.path_names), operation.path


def _queries(operation: Operation, of: Belongings) -> list[dict[str, str]]:
    """Plain, and once for each parameter that can name something of theirs; always as if one acted for them."""
    plain = {**{name: SINCE[name] for name in operation.required}, "customer": of.tenant.customer_id}
    return [plain, *({**plain, name: of.queries[name]} for name in operation.query_names if name in of.queries)]


def _with_things(body: Any, fields: dict[str, Any]) -> Any:
    """The body with every field that names a thing naming this one; None when it has no such field."""
    if not isinstance(body, dict) or not fields.keys() & body.keys():
        return None
    return {name: fields.get(name, value) for name, value in body.items()}


async def _ask(
    http: httpx.AsyncClient,
    operation: Operation,
    url: str,
    headers: dict[str, str],
    *,
    body: Any = None,
    **query: str,
) -> httpx.Response:
    """The answer; of a stream what comes at first."""
    params = {**{name: SINCE[name] for name in operation.required}, **query}
    given = operation.body if body is None else body
    request = http.build_request(operation.method, url, headers=headers, params=params, json=given, timeout=TIMEOUT_S)
    answer = await http.send(request, stream=True)
    if not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
        await answer.aread()
        return answer
    return httpx.Response(answer.status_code, content=await _first_of(answer), request=request)


async def _first_of(answer: httpx.Response) -> bytes:
    came = b""
    try:
        async with asyncio.timeout(LISTENS_S):
            async for chunk in answer.aiter_raw():
                came += chunk
    except TimeoutError:
        pass
    await answer.aclose()
    return came


def _faults(asked: str, answer: httpx.Response, allowed: set[int] | None, of: Belongings) -> list[str]:
    """What is wrong with this answer: its status, or anything of the other customer's in it."""
    found = [f"{asked} shows {mark}" for mark in of.marks if mark in answer.text]
    if allowed is not None and answer.status_code not in allowed:
        found.append(f"{asked}: {answer.status_code} {answer.text[:200]}")
    return found


# --- What is A's -----------------------------------------------------------------------------------------------------


async def settled_state(estate: Estate) -> dict[str, Any]:
    """Every document that has anything to do with A, once no command is on its way and nothing moves."""
    await _until_nothing_is_asked(estate)
    await _until_nothing_is_noted_late(estate)
    state = await _state(estate)

    async def still() -> bool:
        nonlocal state
        former, state = state, await _state(estate)
        return state == former

    await eventually(still, every_s=0.3)
    return state


async def _until_nothing_is_asked(estate: Estate) -> None:
    connection = await nats.connect(estate.stack.ready.nats_url)
    try:

        async def is_empty() -> bool:
            return (await connection.jetstream().stream_info(COMMANDS)).state.messages == 0

        await eventually(is_empty)
    finally:
        await connection.close()


async def _until_nothing_is_noted_late(estate: Estate) -> None:
    """What sender clears and counts once a second has followed: two looks in between see nothing move."""
    async with client_of(estate.stack.ready.mongodb_url) as mongodb:
        rows = database(mongodb)

        async def is_noted() -> bool:
            untold = await rows.outbox.count_documents({"untold.0": {"$exists": True}})
            return untold == await rows.queue_depths.count_documents({"open": {"$gt": 0}}) == 0

        await eventually(is_noted)


async def _state(estate: Estate) -> dict[str, Any]:
    marks = estate.a.marks
    found: dict[str, Any] = {}
    async with client_of(estate.stack.ready.mongodb_url) as mongodb:
        rows = database(mongodb)
        for name in await rows.list_collection_names():
            async for document in rows[name].find():
                kept = {field: value for field, value in document.items() if field not in RESTLESS}
                written = repr(kept)
                if any(mark in written for mark in marks):
                    found[f"{name}/{document['_id']}"] = written
    return found
