"""Which numbers are on WhatsApp, as far as was asked lately: a bounded memory, pure, with the caller's clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

THERE_FOR_S = 86_400.0
"""A number that is on WhatsApp hardly ever leaves."""
ABSENT_FOR_S = 3_600.0
"""One that is not may join."""
MOST_NUMBERS = 20_000


class KnownNumbers:
    """What was answered, by number; the longest unused goes first. Times are monotonic seconds."""

    def __init__(self, most: int = MOST_NUMBERS) -> None:
        self._most = most
        self._answers: OrderedDict[str, tuple[str | None, float]] = OrderedDict()

    def known(self, phones: Sequence[str], now: float) -> dict[str, str | None]:
        """The answers that still hold, for those of `phones` that have one."""
        found = {phone: self._answers[phone] for phone in phones if phone in self._answers}
        holding = {phone: jid for phone, (jid, until) in found.items() if until > now}
        for phone in holding:
            self._answers.move_to_end(phone)
        return holding

    def learn(self, jids: Mapping[str, str | None], now: float) -> None:
        """Keep what WhatsApp answered."""
        for phone, jid in jids.items():
            self._answers[phone] = (jid, now + (ABSENT_FOR_S if jid is None else THERE_FOR_S))
            self._answers.move_to_end(phone)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)
