"""Remembers which of the platform's users an edge has let in lately, for the time that MongoDB cannot be asked."""

from __future__ import annotations

import time
from collections import OrderedDict

from services.api.accounts.records import User

REMEMBERED_S = 900.0
MOST_REMEMBERED = 100


class Watchers:
    """The platform's users whom this edge has let in within a quarter of an hour, by their sign-in.

    Only for looking at the state while MongoDB cannot be asked whether a sign-in still holds.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, User]] = OrderedDict()

    def remember(self, login_id: str, user: User) -> None:
        """This sign-in was found to hold."""
        self._seen[login_id] = (time.monotonic(), user)
        self._seen.move_to_end(login_id)
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def recall(self, login_id: str) -> User | None:
        """Whose sign-in this lately was."""
        seen_at, user = self._seen.get(login_id, (0.0, None))
        return user if user is not None and time.monotonic() - seen_at < REMEMBERED_S else None

    def forget(self, login_id: str) -> None:
        """It holds no more."""
        self._seen.pop(login_id, None)
