"""Limits what can be guessed at: failed sign-ins of one user, and sign-ins and sign-ups from one address."""

from __future__ import annotations

import asyncio
import hashlib
import math
from datetime import datetime

import msgspec

from libs.contracts.errors import ApiError
from services.api.access import store_attempts
from services.api.access.store_attempts import Tries
from services.api.accounts.audit import note
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.requests import client_address
from services.api.times import iso, now
from services.api.web.addresses import block_of


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How often something may be tried within the window."""

    subject: str
    most: int


class Attempt:
    """One try that is counted already: parallel ones cannot outrun the count. One that succeeds is taken back."""

    def __init__(self, edge: Edge, subjects: list[str]) -> None:
        self._edge, self._subjects = edge, subjects

    async def take_back(self) -> None:
        """Nothing was tried: the check could not be made."""
        await asyncio.gather(*(store_attempts.take_back_try(self._edge.database, each) for each in self._subjects))

    async def succeed(self) -> None:
        """The user has proven to be who it is: its failures here are forgotten, those of others are not."""
        here, *others = self._subjects
        await store_attempts.forget_tries(self._edge.database, here)
        await asyncio.gather(*(store_attempts.take_back_try(self._edge.database, each) for each in others))


async def begin_sign_in(edge: Edge, identifier: str, user_id: str | None) -> Attempt:
    """Count a sign-in before its password is looked at. Raises Refusal TOO_MANY_ATTEMPTS.

    All names of a user count together; a name that nobody has counts as one that somebody has. What is refused for its
    address does not count for the user, so that no single address can keep the user out of all the others.
    """
    settings = edge.settings
    who = f"user/{user_id}" if user_id else _of_name(identifier)
    place = block_of(client_address())
    here = Limit(subject=f"{who}/{place}", most=settings.sign_in_tries)
    address = Limit(subject=f"address/{place}", most=settings.sign_in_tries_per_address)
    anywhere = Limit(subject=who, most=settings.sign_in_tries_per_user)
    await _count(edge, [here, address])
    await _count(edge, [anywhere])
    return Attempt(edge, [limit.subject for limit in (here, address, anywhere)])


async def begin_sign_up(edge: Edge) -> Attempt:
    """Count a sign-up. Raises Refusal TOO_MANY_ATTEMPTS."""
    limit = Limit(subject=f"signup/{block_of(client_address())}", most=edge.settings.signups_per_address)
    await _count(edge, [limit])
    return Attempt(edge, [limit.subject])


def _of_name(identifier: str) -> str:
    """People type passwords where names belong: only a hash is kept."""
    return f"name/{hashlib.sha256(identifier.strip().lower().encode()).hexdigest()}"


async def _count(edge: Edge, limits: list[Limit]) -> None:
    at = now()
    counted = await asyncio.gather(
        *(
            store_attempts.count_try(edge.database, limit.subject, at, window_s=edge.settings.sign_in_window_s)
            for limit in limits
        )
    )
    over = [(limit, tries) for limit, tries in zip(limits, counted, strict=True) if tries.count > limit.most]
    for limit, tries in over:
        if tries.count == limit.most + 1:
            await note(edge, None, "sign_in.locked", limit.subject, {"until": iso(tries.ends_at)})
    if over:
        raise too_many(max((tries for _, tries in over), key=lambda tries: tries.ends_at), at)


def too_many(tries: Tries, at: datetime) -> Refusal:
    """The refusal, which tells when the window ends."""
    wait_s = max(1, math.ceil((tries.ends_at - at).total_seconds()))
    return Refusal(
        ApiError.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(wait_s)}, minutes=max(1, math.ceil(wait_s / 60))
    )
