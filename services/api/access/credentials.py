"""Finds the credential of a request: what it says, not whom it stands for."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from services.api.access.cookies import credential_in_cookie
from services.api.context import Edge

Connection = ASGIConnection[Any, Any, Any, Any]


def bearer_of(connection: Connection) -> str:
    """What stands behind `Bearer`, or nothing."""
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def given_key_of(connection: Connection) -> str:
    """The `X-API-Key`; an empty one counts as none."""
    return connection.headers.get("x-api-key", "").strip()


def credential_of(edge: Edge, connection: Connection) -> str:
    """What stands behind `Bearer`; without any credential in a header, the token of the dashboard's cookie."""
    given = bearer_of(connection)
    return given if given or given_key_of(connection) else credential_in_cookie(edge.tokens, connection)
