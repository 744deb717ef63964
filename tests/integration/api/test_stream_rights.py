"""A stream ends with the credential behind it, at once and on every edge, and a ticket opens nothing afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.api.live import listening as listening_module
from tests.integration.api.accounts import NEW_PASSWORD, add_user, bearer, new_key, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, BOUND_S, OWNER_PASSWORD, Site
from tests.integration.api.frames import Publisher, next_frame, next_frames, socket_url

SESSION = "5e55000000000001"
UNAUTHORIZED = 4401
AT_ONCE_S = 10.0
"""Well below the 20 s of a ping, also on a machine that is busy."""

End = Callable[[Site, dict[str, str]], Awaitable[httpx.Response]]


async def ticket_of(site: Site, headers: dict[str, str], query: str = "") -> str:
    answer = await site.client.post(f"{BASE}/stream/ticket{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


@asynccontextmanager
async def listening_with(site: Site, ticket: str) -> AsyncIterator[ClientConnection]:
    async with connect(socket_url(site, f"?ticket={ticket}"), proxy=None, compression=None) as socket:
        first = json.loads(await asyncio.wait_for(socket.recv(), BOUND_S))
        assert first["type"] == "ping"
        yield socket


async def close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(next_frame(socket), AT_ONCE_S)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def is_refused(site: Site, ticket: str, status: int, code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(site, f"?ticket={ticket}"), proxy=None)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["error"] == code


# --- What ends a credential ------------------------------------------------------------------------------------------


async def sign_out(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await site.client.post("/api/auth/signout", headers=headers)


async def end_the_others(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await site.client.post("/api/auth/logins/revoke-others", headers=await signed_in(site))


async def change_password(site: Site, headers: dict[str, str]) -> httpx.Response:
    body = {"currentPassword": OWNER_PASSWORD, "newPassword": NEW_PASSWORD}
    return await site.client.post("/api/auth/password", headers=await signed_in(site), json=body)


async def reset_by_the_platform(site: Site, headers: dict[str, str]) -> httpx.Response:
    admin = await signed_in(site, "admin")
    me = (await site.client.get("/api/auth/me", headers=headers)).json()["data"]["user"]["id"]
    return await site.client.post(f"/api/platform/users/{me}/password", headers=admin)


async def suspend(site: Site, headers: dict[str, str]) -> httpx.Response:
    path = f"/api/platform/customers/{site.account.customer_id}/suspend"
    return await site.client.post(path, headers=await signed_in(site, "admin"))


async def revoke_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "POST", "/revoke")


async def rotate_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "POST", "/rotate")


async def delete_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "DELETE", "")


async def narrow_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "PATCH", "", scopes=["send"])


async def move_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "PATCH", "", addresses=["203.0.113.0/24"])


async def limit_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await _to_the_key(site, headers, "PATCH", "", sessions=[await site.make_session()])


async def _to_the_key(site: Site, headers: dict[str, str], method: str, path: str, **body: Any) -> httpx.Response:
    owner = await signed_in(site)
    keys = (await site.client.get(f"{BASE}/keys", headers=owner)).json()["data"]
    (key_id,) = (key["id"] for key in keys if not key["isPrimary"])
    return await site.client.request(method, f"{BASE}/keys/{key_id}{path}", headers=owner, json=body)


async def replace_primary_key(site: Site, headers: dict[str, str]) -> httpx.Response:
    return await site.client.post(f"{BASE}/apikey", headers=await signed_in(site))


async def owners(site: Site) -> dict[str, str]:
    return await signed_in(site)


async def named_key(site: Site) -> dict[str, str]:
    return bearer((await new_key(site))["apiKey"])


async def primary_key(site: Site) -> dict[str, str]:
    return bearer(site.account.api_key)


ENDS = [
    pytest.param(owners, sign_out, "INVALID_TOKEN", 401, id="signing out"),
    pytest.param(owners, end_the_others, "INVALID_TOKEN", 401, id="ending the other sign-ins"),
    pytest.param(owners, change_password, "INVALID_TOKEN", 401, id="another password"),
    pytest.param(owners, reset_by_the_platform, "INVALID_TOKEN", 401, id="a password of the platform's"),
    pytest.param(owners, suspend, "CUSTOMER_SUSPENDED", 403, id="a suspension"),
    pytest.param(named_key, suspend, "CUSTOMER_SUSPENDED", 403, id="a suspension, to a key"),
    pytest.param(named_key, revoke_key, "INVALID_TOKEN", 401, id="revoking the key"),
    pytest.param(named_key, rotate_key, "INVALID_TOKEN", 401, id="rotating the key"),
    pytest.param(named_key, delete_key, "INVALID_TOKEN", 401, id="deleting the key"),
    pytest.param(named_key, narrow_key, "FORBIDDEN", 403, id="taking the scope from the key"),
    pytest.param(named_key, move_key, "FORBIDDEN", 403, id="moving the key to another network"),
    pytest.param(primary_key, replace_primary_key, "INVALID_TOKEN", 401, id="replacing the primary key"),
]


@pytest.mark.parametrize(("whose", "end", "code", "status"), ENDS)
async def test_a_stream_ends_with_its_credential_on_every_edge_and_so_do_unused_tickets(
    site: Site, open_site: SiteMaker, whose: Any, end: End, code: str, status: int
) -> None:
    headers = await whose(site)
    async with open_site() as other:
        spare = await ticket_of(site, headers)
        async with (
            listening_with(site, await ticket_of(site, headers)) as here,
            listening_with(other, await ticket_of(site, headers)) as there,
        ):
            answer = await end(site, headers)
            assert answer.status_code == 200, answer.text
            assert await close_code(here) == UNAUTHORIZED
            assert await close_code(there) == UNAUTHORIZED
        await is_refused(site, spare, status, code)


async def test_a_stream_of_all_sessions_ends_when_its_key_is_for_some(site: Site) -> None:
    headers = await named_key(site)
    async with listening_with(site, await ticket_of(site, headers)) as socket:
        assert (await limit_key(site, headers)).status_code == 200
        assert await close_code(socket) == UNAUTHORIZED


async def test_server_sent_events_end_at_once_too(site: Site) -> None:
    headers = await named_key(site)
    url = f"{BASE}/stream/sse?ticket={await ticket_of(site, headers)}"
    async with site.client.stream("GET", url) as answer:
        lines = answer.aiter_lines()
        assert await asyncio.wait_for(anext(lines), BOUND_S) == ": open"
        await revoke_key(site, headers)
        async with asyncio.timeout(AT_ONCE_S):
            rest = [line async for line in lines]
    assert "event: close" in rest
    assert any('"code":4401' in line for line in rest)


async def test_a_user_who_is_switched_off_listens_no_more(site: Site, rows: Any) -> None:
    member = await signed_in(site, await add_user(rows, "member", site.account.customer_id))
    async with listening_with(site, await ticket_of(site, member)) as socket:
        path = "/api/customer/users/usr_member"
        answer = await site.client.patch(path, headers=await signed_in(site), json={"isActive": False})
        assert answer.status_code == 200, answer.text
        assert await close_code(socket) == UNAUTHORIZED


async def test_an_operators_stream_ends_with_the_sign_in_of_the_operator(site: Site) -> None:
    admin = await signed_in(site, "admin")
    query = f"?customer={site.account.customer_id}"
    spare = await ticket_of(site, admin, query)
    async with listening_with(site, await ticket_of(site, admin, query)) as socket:
        assert (await sign_out(site, admin)).status_code == 200
        assert await close_code(socket) == UNAUTHORIZED
    await is_refused(site, spare, 401, "INVALID_TOKEN")


async def test_a_credential_that_ends_by_itself_ends_its_stream_at_the_next_ping(
    site: Site, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_module, "PING_EVERY_S", 0.2)
    headers = await named_key(site)
    spare = await ticket_of(site, headers)
    async with listening_with(site, await ticket_of(site, headers)) as socket:
        await rows["keys"].update_many({"name": "Till"}, {"$set": {"expiresAt": datetime.now(UTC)}})
        assert await close_code(socket) == UNAUTHORIZED
    await is_refused(site, spare, 401, "INVALID_TOKEN")


async def test_a_change_that_takes_no_right_ends_no_stream(site: Site, status: Publisher) -> None:
    owner, headers = await signed_in(site), await named_key(site)
    async with (
        listening_with(site, await ticket_of(site, owner)) as person,
        listening_with(site, await ticket_of(site, headers)) as program,
    ):
        renamed = await site.client.patch("/api/customer/profile", headers=owner, json={"name": "Somebody else"})
        assert renamed.status_code == 200, renamed.text
        assert (await _to_the_key(site, headers, "PATCH", "", name="Counter")).status_code == 200
        assert (await end_the_others(site, headers)).status_code == 200  # the last sign-in is another one
        await status.message(SESSION, "sent")
        assert (await next_frame(program))["type"] == "message.sent"
        assert await close_code(person) == UNAUTHORIZED


async def test_a_ticket_of_the_version_before_opens_nothing(site: Site, rows: Any) -> None:
    ticket = await ticket_of(site, await named_key(site))
    await rows.tickets.update_many({}, {"$unset": {"loginId": "", "keyHash": ""}})
    await is_refused(site, ticket, 401, "INVALID_TOKEN")


# --- Codes -----------------------------------------------------------------------------------------------------------


async def test_who_may_not_link_is_told_no_code(site: Site, status: Publisher) -> None:
    reader = bearer((await new_key(site, scopes=["read"]))["apiKey"])
    async with listening_with(site, await ticket_of(site, reader)) as socket:
        await status.session(SESSION, "qr", qr_raw="2@secret")
        await status.session(SESSION, "pair_code", pair_code="ABCD-EFGH")
        await status.session(SESSION, "passkey", passkey="{}")
        frames = await next_frames(socket, 3)
    assert [frame["type"] for frame in frames] == ["session.qr", "session.pair_code", "session.passkey"]
    for frame in frames:
        codes = {name: frame["data"][name] for name in ("qr", "qrRaw", "pairCode", "passkey")}
        assert set(codes.values()) == {None}
