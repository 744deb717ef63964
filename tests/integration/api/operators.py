"""The platform's administrator at work in tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from libs.contracts.ids import new_id
from services.api.times import iso
from tests.integration.api.edges import Site

PLATFORM = "/api/platform"


class Operator(msgspec.Struct, kw_only=True, eq=False):
    """Somebody who is signed in for the platform."""

    site: Site
    headers: dict[str, str]

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request below `/api/platform`."""
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.site.client.request(method, PLATFORM + path, headers=headers, **more)

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """The `data` of a request that succeeds."""
        answer = await self.call(method, path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def make_plan(self, **fields: Any) -> str:
        """A plan's id; by default of 3 sessions, 100 a month, on offer."""
        body = {"name": "Warung", "allowance": {"maxSessions": 3}, "price": 100, **fields}
        return (await self.ask("POST", "/plans", json=body))["id"]

    async def make_customer(self, name: str = "Toko") -> dict[str, Any]:
        """A customer with an owner: what the answer says of both."""
        email = f"{name.lower()}-{new_id('x')}@example.com"
        return await self.ask("POST", "/customers", json={"name": name, "email": email})

    async def subscribe(self, customer_id: str, plan_id: str, **fields: Any) -> Any:
        """Subscribe the customer; what was booked."""
        body = {"planId": plan_id, **fields}
        return await self.ask("POST", f"/customers/{customer_id}/subscriptions", json=body)


async def operator_of(site: Site, email: str | None = None) -> Operator:
    """The administrator of the bootstrap, or another platform user, signed in."""
    token = await site.sign_in(email or site.account.admin_email)
    return Operator(site=site, headers={"Authorization": f"Bearer {token}"})


async def ended(rows: Any, customer_id: str) -> None:
    """Let the customer's subscriptions be over since a moment ago."""
    await rows.subscriptions.update_many({"customerId": customer_id}, {"$set": {"endsAt": datetime.now(UTC)}})


def moment(text: str) -> datetime:
    """The time that an answer shows."""
    at = datetime.fromisoformat(text)
    assert iso(at) == text
    return at
