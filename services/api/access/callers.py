"""Who asks, for which customer, and what they may do."""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.errors import ApiError
from services.api.accounts.records import Role
from services.api.errors import Refusal


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, for which customer, and what they may do. `role` is None for an API key."""

    customer_id: str
    user_id: str | None = None
    key_id: str | None = None
    role: Role | None = None
    scopes: tuple[str, ...] = ()
    session_ids: tuple[str, ...] | None = None
    """The only sessions that may be used; None for all."""
    requests_per_minute: int = 0
    """The rate of the caller's key; 0: no limit."""
    messages_per_minute: int = 0

    def require(self, scope: str) -> None:
        """Raises Refusal FORBIDDEN without this scope: `read send sessions webhooks admin`."""
        if scope not in self.scopes:
            raise Refusal(ApiError.FORBIDDEN, reason=f"it needs the scope {scope}")

    def require_account(self) -> None:
        """Raises Refusal FORBIDDEN unless the whole account is open: scope `admin`, and no list of sessions."""
        self.require("admin")
        if self.session_ids is not None:
            raise Refusal(ApiError.FORBIDDEN, reason="this key is for some sessions only")

    def require_owner(self) -> None:
        """Raises Refusal FORBIDDEN unless an owner, or an administrator of the platform, is signed in."""
        if self.role not in (Role.OWNER, Role.ADMIN):
            raise Refusal(ApiError.FORBIDDEN, reason="an owner of the account must be signed in")

    def may_use(self, session_id: str) -> bool:
        """Whether this session is open to the caller."""
        return self.session_ids is None or session_id in self.session_ids


class KeyHolder(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key stands for."""

    customer_id: str
    key_id: str
    scopes: tuple[str, ...]
    session_ids: tuple[str, ...] | None
    expires_at: datetime | None
    requests_per_minute: int = 0
    messages_per_minute: int = 0

    def caller(self) -> Caller:
        """The holder as a caller."""
        return Caller(
            customer_id=self.customer_id,
            key_id=self.key_id,
            scopes=self.scopes,
            session_ids=self.session_ids,
            requests_per_minute=self.requests_per_minute,
            messages_per_minute=self.messages_per_minute,
        )
