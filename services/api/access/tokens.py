"""Sign-in tokens: JWT HS256, signed with a key derived from the deployment's key ring."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

import jwt

from libs.runtime.crypto import KeyRing

ALGORITHM = "HS256"
PURPOSE = "jwt"
BESIDE = "csrf"


class TokenRefused(Exception):
    """The token is not one of ours, or over."""


class Tokens:
    """Makes and reads sign-in tokens; what an older key of the ring signed is still read."""

    def __init__(self, ring: KeyRing) -> None:
        self._keys = ring.derive_all(PURPOSE)
        self._beside = ring.derive_all(BESIDE)

    def issue(self, *, login_id: str, user_id: str, role: str, issued_at: datetime, expires_at: datetime) -> str:
        """A token for this login."""
        claims = {"jti": login_id, "sub": user_id, "role": role, "iat": issued_at, "exp": expires_at}
        return jwt.encode(claims, self._keys[0], algorithm=ALGORITHM)

    def login_id_of(self, token: str) -> str:
        """The id of the login behind a token. Raises TokenRefused."""
        for key in self._keys:
            try:
                claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["exp", "jti", "sub"]})
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError as error:
                raise TokenRefused from error
            return str(claims["jti"])
        raise TokenRefused

    def words_beside(self, token: str) -> list[str]:
        """What a page says in `X-CSRF-Token` beside this token in its cookie: the present word, then older ones."""
        return [hmac.new(key, token.encode(), hashlib.sha256).hexdigest() for key in self._beside]
