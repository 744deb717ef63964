"""People and keys for the tests: who signs in, and with what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tests.integration.api.conftest import FAST_HASHER
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site

NEW_PASSWORD = "another horse"


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token, or a key."""
    return {"Authorization": f"Bearer {token}"}


async def add_user(rows: Any, role: str, customer_id: str | None, *, name: str = "") -> str:
    """A further user with OWNER_PASSWORD; returns the address."""
    name = name or role
    await rows.users.insert_one(
        {
            "_id": f"usr_{name}",
            "createdAt": datetime.now(UTC),
            "customerId": customer_id,
            "email": f"{name}@example.com",
            "name": name,
            "role": role,
            "passwordHash": FAST_HASHER.hash(OWNER_PASSWORD),
            "isActive": True,
        }
    )
    return f"{name}@example.com"


async def add_customer(rows: Any, name: str) -> str:
    """Another customer with an owner `<name>@example.com`; returns its id."""
    customer_id = f"cus_{name}"
    await rows.customers.insert_one(
        {"_id": customer_id, "createdAt": datetime.now(UTC), "name": name, "email": f"{name}@example.com"}
    )
    await add_user(rows, "owner", customer_id, name=name)
    return customer_id


async def signed_in(site: Site, email: str | None = None) -> dict[str, str]:
    """The headers of somebody who has signed in; by default the owner."""
    return bearer(await site.sign_in(email))


async def new_key(site: Site, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A new named key: the answer."""
    body = {"name": "Till", "scopes": ["read", "send", "sessions"], **fields}
    answer = await site.client.post(f"{BASE}/keys", headers=headers or await signed_in(site), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sessions_with(site: Site, api_key: str, **headers: str) -> httpx.Response:
    """A small request with this key."""
    return await site.client.get(f"{BASE}/sessions", headers={"X-API-Key": api_key, **headers})
