"""Everything that one customer of a running stack owns: one real thing of each kind, and where each is named."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import httpx
import msgspec

from tests.e2e.handsets import WITHIN_S, Network, linked
from tests.e2e.tenants import PASSWORD, Tenant, client, make_tenant, pay
from tests.e2e.wire import BASE, Json
from tests.processes import eventually
from tests.receiver import Receiver
from tests.stack import RunningStack

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


class Belongings(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's things.

    `paths`: what stands in paths, by the name of the parameter; two of what one of two requests would end. `queries`
    the same for query parameters, `fields` for the fields of JSON bodies. `marks`: by what an answer tells that it
    holds something of it.
    """

    tenant: Tenant
    paths: dict[str, list[str]]
    queries: dict[str, str]
    fields: dict[str, Any]
    marks: frozenset[str]


async def belongings(stack: RunningStack, network: Network, endpoint: Receiver) -> Belongings:
    """A new customer who has used everything; `endpoint` takes what its webhook is sent."""
    tenant, word = await make_tenant(stack), f"rahasia{secrets.token_hex(4)}"
    async with tenant.client() as http:
        name = f"Toko {word}"
        session, number = await linked(http, network, name)
        contact = await network.person(f"Bu {word}")
        webhook = await _webhook(http, session, word, endpoint)
        media = await _media(http)
        message = await _sent(http, session, contact, word)
        incoming = await _written(http, network, contact, number, word)
        keys = [await _key(http, session, name) for name in (word, f"{word} 2")]
        things: dict[str, list[str]] = {
            "session_ref": [session, name],
            "message_id": [message, incoming],
            "media_id": [media],
            "chat_id": [await _chat(http, session)],
            "group": [await _group(http, session, contact, word)],
            "template_id": [await _template(http, name) for name in (word, f"{word} 2")],
            "webhook_id": [webhook],
            "delivery_id": [await _delivery(http, webhook)],
            "key_ref": keys,
            "key_id": keys,
            "user_id": [await _user(http, word)],
            "login_id": [await _login(stack, tenant, http)],
            "transaction_id": [await pay(stack, tenant, "pending")],
            "subscription_id": [f"sub_{tenant.customer_id}"],
            "customer_id": [tenant.customer_id],
        }
    ids = {value for values in things.values() for value in values}
    return Belongings(
        tenant=tenant,
        paths=things,
        queries={
            "session": session,
            "chat": contact,
            "q": word,
            "message": message,
            "user": things["user_id"][0],
            "target": session,
            "customer": tenant.customer_id,
        },
        fields={
            "mediaId": media,
            "messageId": message,
            "replyTo": message,
            "templateId": things["template_id"][0],
            "sessions": [session],
        },
        marks=frozenset(ids | {word, number, contact, tenant.email, tenant.key}),
    )


async def _made(call: Any) -> Json:
    answer: httpx.Response = await call
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return dict(answer.json())


async def _media(http: httpx.AsyncClient) -> str:
    files = {"file": ("titik.png", PIXEL, "image/png")}
    return str((await _made(http.post(f"{BASE}/media", files=files)))["mediaId"])


async def _sent(http: httpx.AsyncClient, session: str, contact: str, word: str) -> str:
    """A message that was delivered, so that nothing of it moves any more."""
    body = {"type": "text", "to": contact, "text": f"Halo {word}"}
    message = str((await _made(http.post(f"{BASE}/sessions/{session}/messages", json=body)))["messageId"])

    async def delivered() -> bool:
        return (await http.get(f"{BASE}/messages/{message}")).json()["data"]["status"] == "delivered"

    await eventually(delivered, within_s=WITHIN_S)
    return message


async def _written(http: httpx.AsyncClient, network: Network, contact: str, number: str, word: str) -> str:
    """A message that has come in."""
    await network.phones.write(contact, number, f"Hai {word}")

    async def came() -> str | None:
        rows = (await http.get(f"{BASE}/messages", params={"direction": "in"})).json()["messages"]
        return rows[0]["messageId"] if rows else None

    return str(await eventually(came, within_s=WITHIN_S))


async def _chat(http: httpx.AsyncClient, session: str) -> str:
    async def unread() -> str | None:
        params = {"session": session, "unread": "true"}
        rows = (await http.get(f"{BASE}/chats", params=params)).json()["chats"]
        return rows[0]["chatId"] if rows else None

    return str(await eventually(unread, within_s=WITHIN_S))


async def _group(http: httpx.AsyncClient, session: str, contact: str, word: str) -> str:
    body = {"subject": word, "participants": [contact]}
    return str((await _made(http.post(f"{BASE}/sessions/{session}/groups", json=body)))["data"]["jid"])


async def _template(http: httpx.AsyncClient, name: str) -> str:
    body = {"name": name, "content": f"{name} {{{{name}}}}"}
    return str((await _made(http.post(f"{BASE}/templates", json=body)))["data"]["id"])


async def _webhook(http: httpx.AsyncClient, session: str, word: str, endpoint: Receiver) -> str:
    """A webhook for what comes in."""
    body = {"url": endpoint.url(f"/{word}"), "events": ["message.received"], "sessions": [session], "description": word}
    return str((await _made(http.post(f"{BASE}/webhooks", json=body)))["data"]["id"])


async def _delivery(http: httpx.AsyncClient, webhook: str) -> str:
    """The delivery of what has come in, once it has arrived, so that nothing of it moves any more."""

    async def delivered() -> str | None:
        rows = (await http.get(f"{BASE}/webhooks/{webhook}/deliveries")).json()["data"]
        return rows[0]["id"] if rows and rows[0]["status"] == "delivered" else None

    return str(await eventually(delivered, within_s=WITHIN_S))


async def _key(http: httpx.AsyncClient, session: str, name: str) -> str:
    body = {"name": name, "sessions": [session]}
    return str((await _made(http.post(f"{BASE}/keys", json=body)))["data"]["id"])


async def _user(http: httpx.AsyncClient, word: str) -> str:
    body = {"name": word, "email": f"{word}@example.com", "password": "correct horse battery"}
    return str((await _made(http.post("/api/customer/users", json=body)))["data"]["id"])


async def _login(stack: RunningStack, tenant: Tenant, http: httpx.AsyncClient) -> str:
    """Another sign-in of the owner, beside the one that is used here."""
    async with client(stack.url) as nobody:
        await _made(nobody.post("/api/auth/signin", json={"identifier": tenant.email, "password": PASSWORD}))
    logins = (await _made(http.get("/api/auth/logins")))["data"]
    return str(next(login["id"] for login in logins if not login["isCurrent"]))
