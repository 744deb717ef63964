"""One-time tickets: each opens one stream for whom it was made, for as long as the credential behind it holds."""

from __future__ import annotations

import secrets
from datetime import timedelta

from services.api.access import store_keys
from services.api.access.callers import Caller
from services.api.access.gate import caller_behind
from services.api.access.keys import key_hash
from services.api.accounts.records import Ticket
from services.api.context import Edge
from services.api.times import now


async def issue_ticket(edge: Edge, caller: Caller) -> tuple[str, int]:
    """A one-time ticket that opens this caller's stream, and its life in seconds."""
    ticket, life_s, at = secrets.token_urlsafe(32), edge.settings.ticket_s, now()
    row = Ticket(
        id=key_hash(ticket),
        created_at=at,
        expires_at=at + timedelta(seconds=life_s),
        customer_id=caller.customer_id,
        user_id=caller.user_id,
        key_id=caller.key_id,
        role=caller.role,
        scopes=caller.scopes,
        session_ids=caller.session_ids,
        login_id=caller.login_id,
        key_hash=caller.key_hash,
    )
    await store_keys.keep_ticket(edge.database, row)
    return ticket, life_s


async def caller_of_ticket(edge: Edge, ticket: str) -> Caller | None:
    """Who got this ticket, with the rights of now; None when it is unknown, used or over, or the key or sign-in behind
    it has ended. It is used up by this call. Raises as `gate.caller_of_key`.

    A ticket of the version before names no credential and opens nothing: it lives a minute, and another is asked for.
    """
    row = await store_keys.use_ticket(edge.database, key_hash(ticket), now())
    if row is None:
        return None
    return await caller_behind(edge, key_hash=row.key_hash, login_id=row.login_id, customer_id=row.customer_id)
