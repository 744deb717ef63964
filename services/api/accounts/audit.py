"""The audit log's one entrance: who did what to what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from libs.contracts.ids import new_message_id
from services.api.access.callers import Caller
from services.api.accounts import store_audit
from services.api.accounts.records import AuditEntry, User
from services.api.context import Edge
from services.api.requests import client_address, request_id
from services.api.times import now

MOST_TARGET = 200


async def note(
    edge: Edge,
    caller: Caller | User | None,
    action: str,
    target: str | None = None,
    details: dict[str, Any] | None = None,
    *,
    customer_id: str | None = None,
) -> None:
    """Store that `caller` has done `action` to `target`, for the caller's customer, or the one that is given.

    `action` is a thing and what became of it, such as `key.created` or `credits.granted`; `target` the thing's id.
    `details` are shown to the customer: never a secret. Call it once the thing is done. None is nobody signed in.
    """
    at = now()
    entry = AuditEntry(
        id=new_message_id(),
        created_at=at,
        expires_at=at + timedelta(days=edge.settings.audit_days),
        action=action,
        customer_id=customer_id or (caller.customer_id if caller is not None else None),
        target=target[:MOST_TARGET] if target is not None else None,
        details=msgspec.to_builtins(details or {}),
        address=client_address() or None,
        request_id=request_id(),
        **_who(caller),
    )
    await store_audit.keep_entry(edge.database, entry)


def _who(caller: Caller | User | None) -> dict[str, Any]:
    match caller:
        case User():
            return {"user_id": caller.id, "role": caller.role}
        case Caller():
            return {"user_id": caller.user_id, "key_id": caller.key_id, "role": caller.role}
        case None:
            return {}
