"""The platform's own users in front of the dashboard, and what they find there."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import nats
from playwright.async_api import Page, expect

from libs.contracts.ids import new_id
from services.api.access.cookies import COOKIE
from services.api.access.passwords import Passwords
from services.api.accounts.records import Role, User
from tests.browser.people import live
from tests.e2e.tenants import PASSWORD, client, store
from tests.stack import RunningStack

PLATFORM = "/en/dashboard/platform"
NOBODYS = "cmd.session.scripted.07.a1b2"
"""A subject of commands that no service of the stack takes."""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who belongs to no customer."""

    url: str
    email: str
    password: str


def administrator(stack: RunningStack) -> Operator:
    """The one whom the bootstrap has made."""
    ready = stack.ready
    return Operator(url=stack.url, email=ready.admin_email, password=ready.admin_password)


async def supporter(stack: RunningStack) -> Operator:
    """Somebody who may only read."""
    user = User(
        id=new_id("usr"),
        created_at=datetime.now(UTC),
        customer_id=None,
        email=f"{new_id('support')}@example.com",
        name="Support",
        role=Role.SUPPORT,
        password_hash=await Passwords(at_once=1, queue=1).hashed(PASSWORD),
    )
    await store(stack, user)
    return Operator(url=stack.url, email=user.email, password=PASSWORD)


async def go(page: Page, operator: Operator, place: str = "") -> None:
    """Be on a page below `/platform`, signed in. Signing in by the form is what test_signing_in shows."""
    await page.context.add_cookies([{"name": COOKIE, "value": await _token(operator), "url": operator.url}])
    await page.goto(f"{operator.url}{PLATFORM}{place}")
    await expect(page).to_have_url(f"{operator.url}{PLATFORM}{place}")
    await live(page)


_tokens: dict[Operator, str] = {}


async def _token(operator: Operator) -> str:
    """A token that is got once for all tests on one stack."""
    if operator not in _tokens:
        async with client(operator.url) as http:
            body = {"identifier": operator.email, "password": operator.password}
            _tokens[operator] = (await http.post("/api/auth/signin", json=body)).json()["data"]["token"]
    return _tokens[operator]


async def buried(stack: RunningStack, error: str, *, service: str = "sender", subject: str = NOBODYS) -> int:
    """A dead letter as a service leaves it; its number."""
    headers = {
        "Request-Id": "req-of-a-test",
        "Dead-Subject": subject,
        "Dead-Stream": "COMMANDS",
        "Dead-Sequence": "7",
        "Dead-Error": error,
        "Dead-History": '[{"sequence":1,"at":"2026-11-20T10:00:00.000Z","error":"the first time"}]',
    }
    body = b'{"kind":"ReconcileSession","customerId":"cus_1","sessionId":"a1b2"}'
    client = await nats.connect(stack.ready.nats_url)
    try:
        return (await client.jetstream().publish(f"dead.{service}", body, headers=headers)).seq
    finally:
        await client.close()
