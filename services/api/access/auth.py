"""What routes ask of the gate: who calls, as the guard found it, and sessions by id or name."""

from __future__ import annotations

from typing import Any

from litestar import Request

from libs.contracts.errors import ApiError
from libs.contracts.records import SessionRecord
from services.api.access.callers import Caller
from services.api.access.gate import SignedIn
from services.api.accounts.records import User
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.sessions import store_sessions

# --- Who calls, as the guard found it --------------------------------------------------------------------------------


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """Litestar's dependency `caller`."""
    caller: Caller = request.state["caller"]
    return caller


async def provide_operator(request: Request[Any, Any, Any]) -> User:
    """Litestar's dependency `operator`."""
    operator: User = request.state["operator"]
    return operator


async def provide_me(request: Request[Any, Any, Any]) -> SignedIn:
    """Litestar's dependency `me`: who is signed in, about itself."""
    found: SignedIn = request.state["signed_in"]
    return found


# --- Sessions by id or name ------------------------------------------------------------------------------------------


async def session_of(edge: Edge, customer_id: str, id_or_name: str) -> SessionRecord:
    """The customer's live session with this id, else with this name. Raises Refusal SESSION_NOT_FOUND."""
    record = await edge.memory.believe(
        f"session/{customer_id}/{id_or_name}",
        lambda found: f"session/{found.id}",
        lambda: store_sessions.live_session(edge.database, customer_id, id_or_name),
    )
    if record is None:
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return record


async def session_for(edge: Edge, caller: Caller, id_or_name: str) -> SessionRecord:
    """`session_of`, for a caller: a session that the key may not use is not found."""
    record = await session_of(edge, caller.customer_id, id_or_name)
    if not caller.may_use(record.id):
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return record
