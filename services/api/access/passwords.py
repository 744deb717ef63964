"""Passwords: argon2id, checked in threads, a few at a time."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from libs.contracts.errors import ApiError
from services.api.errors import Refusal

LONGEST_PASSWORD = 256


class Passwords:
    """Hashes and checks passwords off the event loop. Beyond `queue` waiting checks: Refusal RATE_LIMITED."""

    def __init__(self, *, at_once: int, queue: int, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(at_once)
        self._queue, self._waiting = queue, 0
        self._decoy: str | None = None

    async def hashed(self, password: str) -> str:
        """The password as it is stored."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. With nothing stored, a decoy is checked, so that both take the same time."""
        if self._waiting >= self._queue:
            raise Refusal(ApiError.RATE_LIMITED, headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(self._check, stored, password)
        finally:
            self._waiting -= 1

    def _check(self, stored: str | None, password: str) -> bool:
        if stored is None and self._decoy is None:
            self._decoy = self._hasher.hash("decoy")
        try:
            self._hasher.verify(stored or self._decoy or "", password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None
