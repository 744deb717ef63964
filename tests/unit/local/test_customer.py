"""A customer's side of the API: what it does while the service is away for a moment."""

from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from infra.local import customer
from infra.local.customer import BASE, Customer, RefusedError
from tests.receiver import Answer, Receiver, Request, receiver
from tests.unit.local.clocks import Clock

SESSIONS, MESSAGES = f"{BASE}/sessions", f"{BASE}/sessions/office/messages"
NOT_NOW = {"success": False, "error": "SERVICE_UNAVAILABLE", "message": "The service is not available for a moment"}
TAKEN = {"success": False, "error": "SESSION_NAME_TAKEN", "message": "A session with this name exists already."}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer, "TRY_AGAIN_S", 0.0)


@pytest.fixture
async def api() -> AsyncGenerator[Receiver]:
    async with receiver() as listening:
        yield listening


@pytest.fixture
async def office(api: Receiver) -> AsyncGenerator[Customer]:
    made = Customer(api.origin, "key")
    yield made
    await made.close()


def in_turn(*answers: tuple[int, object]) -> Answer:
    """One after another; the last one for ever."""
    waiting = list(answers)

    async def answer(request: Request) -> web.StreamResponse:
        status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return web.json_response(body, status=status)

    return answer


async def test_a_message_is_asked_for_again_under_the_same_key(api: Receiver, office: Customer) -> None:
    api.answers[MESSAGES] = in_turn((503, NOT_NOW), (503, NOT_NOW), (202, {"messageId": "msg_1"}))
    assert await office.send("office", "628123", type="text", text="Halo") == "msg_1"
    keys = {request.headers["idempotency-key"] for request in api.of(MESSAGES)}
    assert len(api.of(MESSAGES)) == 3
    assert len(keys) == 1


async def test_each_message_has_a_key_of_its_own(api: Receiver, office: Customer) -> None:
    api.answers[MESSAGES] = in_turn((202, {"messageId": "msg_1"}))
    for _ in range(2):
        await office.send("office", "628123", type="text", text="Halo")
    assert len({request.headers["idempotency-key"] for request in api.of(MESSAGES)}) == 2


async def test_a_session_that_a_first_try_made_after_all_is_taken(api: Receiver, office: Customer) -> None:
    api.answers[SESSIONS] = in_turn((503, NOT_NOW), (409, TAKEN))
    api.answers[f"{SESSIONS}/office"] = in_turn((200, {"session": {"id": "s1"}}))
    assert await office.create_session("office", "simulator") == "s1"


async def test_the_code_is_asked_for_again_too(api: Receiver, office: Customer) -> None:
    api.answers[f"{SESSIONS}/office/qr"] = in_turn((503, NOT_NOW), (200, "2@code"))
    assert await office.start_pairing("office") == '"2@code"'


async def test_what_stays_away_is_said_in_the_end(
    api: Receiver, office: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer, "monotonic", Clock(customer.TRY_FOR_S / 3))
    api.answers[SESSIONS] = in_turn((503, NOT_NOW))
    with pytest.raises(RefusedError, match="answered 503: The service is not available"):
        await office.create_session("office", "simulator")
    assert len(api.of(SESSIONS)) == 4


@pytest.mark.parametrize("status", [401, 403, 422, 429, 500])
async def test_another_refusal_is_said_at_once(api: Receiver, office: Customer, status: int) -> None:
    api.answers[SESSIONS] = in_turn((status, {"message": "no"}))
    with pytest.raises(RefusedError, match=f"answered {status}: no"):
        await office.create_session("office", "simulator")
    assert len(api.of(SESSIONS)) == 1
