"""Who asks, for which customer, and what they may do."""

from __future__ import annotations

import msgspec

from libs.contracts.errors import ApiError
from services.api.accounts.records import Role
from services.api.errors import Refusal


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, for which customer, and what they may do. Only `gate.py` makes one. `role` is None for an API key."""

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
    login_id: str | None = None
    """The sign-in behind it; None for an API key."""
    key_hash: str | None = None
    """The SHA-256 of the API key behind it: an id outlives the secret that is replaced."""

    def require(self, scope: str) -> None:
        """Raises Refusal FORBIDDEN without this scope: `read send sessions webhooks admin`."""
        if scope not in self.scopes:
            raise Refusal(ApiError.FORBIDDEN, reason=f"it needs the scope {scope}")

    def require_account(self) -> None:
        """Raises Refusal FORBIDDEN unless the whole account is open: scope `admin`, and no list of sessions."""
        self.require("admin")
        self.require_all_sessions()

    def require_all_sessions(self) -> None:
        """Raises Refusal FORBIDDEN for a key of some sessions: what is the account's is not theirs."""
        if self.session_ids is not None:
            raise Refusal(ApiError.FORBIDDEN, reason="this key is for some sessions only")

    def require_owner(self) -> None:
        """Raises Refusal FORBIDDEN unless an owner, or an administrator of the platform, is signed in."""
        if self.role not in (Role.OWNER, Role.ADMIN):
            raise Refusal(ApiError.FORBIDDEN, reason="an owner of the account must be signed in")

    @property
    def may_link(self) -> bool:
        """Whether the caller may link a device, and so may see the codes with which that is done."""
        return "sessions" in self.scopes

    def has_rights_of(self, other: Caller) -> bool:
        """Whether both may do and see the same."""
        mine = (self.customer_id, self.role, self.scopes, self.session_ids)
        return mine == (other.customer_id, other.role, other.scopes, other.session_ids)

    def may_use(self, session_id: str) -> bool:
        """Whether this session is open to the caller."""
        return self.session_ids is None or session_id in self.session_ids
