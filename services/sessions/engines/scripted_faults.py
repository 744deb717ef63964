"""What goes wrong on the scripted network on demand: the same faults as the simulator's, by the same rules."""

from __future__ import annotations

import time
from typing import Any

import msgspec

AT_ONCE = frozenset({"drop", "close", "streamError", "restart", "timelock"})
"""Act on the connections that are open; with `for`, `drop`, `close` and `restart` refuse new ones that long."""
RULES = frozenset(
    {
        "loginFailure",
        "blackhole",
        "withholdAck",
        "nack",
        "delay",
        "duplicate",
        "passkey",
        "garble",
        "closeAtOnce",
    }
)
"""Wait for what they concern."""
REFUSING = frozenset({"drop", "close", "restart", "blackhole"})
CODED = frozenset({"loginFailure", "nack"})
KINDS = AT_ONCE | RULES


class Fault(
    msgspec.Struct,
    kw_only=True,
    rename={"for_ms": "for", "ban_code": "banCode", "expire_s": "expireS", "every_ms": "everyMs"},
):
    """Something that goes wrong: for one number or all, `count` times or for `for_ms`, else until it is taken back."""

    kind: str
    id: int = 0
    phone: str | None = None
    to: str | None = None
    """`nack`, `withholdAck`: only messages to this number, or group."""
    code: int = 0
    conflict: str = ""
    """`streamError`: `replaced` or `device_removed`."""
    ban_code: int = 101
    """`loginFailure` 402."""
    expire_s: int | None = None
    """`loginFailure` 402: seconds until its end; None: no end is told. `timelock`: the same; 0: it has ended."""
    ms: int = 0
    """`delay`; `restart`: how long it is away; `blackhole`: the pause between two pings."""
    count: int = 0
    for_ms: int = 0
    every_ms: int = 0
    """With `for`: strikes again and again."""
    hit: int = 0
    since: float = msgspec.field(default_factory=time.monotonic)

    @property
    def alive(self) -> bool:
        """Whether it still goes on."""
        over = self.for_ms and time.monotonic() - self.since >= self.for_ms / 1000
        return not over and (not self.count or self.hit < self.count)

    def concerns(self, number: str | None, to: str | None) -> bool:
        """Whether it is meant for this number, and for a message to `to`."""
        return self.phone in (None, number) and self.to in (None, to)

    def view(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {"id": self.id, "kind": self.kind, "phone": self.phone, "count": self.count, "hit": self.hit}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._last = 0

    def add(self, fault: Fault) -> None:
        """Keep a rule; one that acts at once is kept only while it refuses what comes later."""
        self._last += 1
        fault.id = self._last
        if fault.kind in RULES or fault.for_ms:
            self._rules.append(fault)

    def use(self, kind: str, number: str | None, to: str | None = None) -> Fault | None:
        """The first living fault of this kind for this number; counted."""
        fault = self.met(kind, number, to)
        if fault is not None:
            fault.hit += 1
        return fault

    def met(self, kind: str, number: str | None, to: str | None = None) -> Fault | None:
        """The same without counting."""
        fits = (fault for fault in self._rules if fault.kind == kind and fault.alive and fault.concerns(number, to))
        return next(fits, None)

    def refuses(self, number: str | None) -> bool:
        """Whether no new connection comes up now; a storm lets them, and strikes again."""
        return any(
            fault.kind in REFUSING and not fault.every_ms and fault.alive and fault.concerns(number, None)
            for fault in self._rules
        )

    def clear(self) -> None:
        """All is well again."""
        self._rules.clear()

    def list(self) -> list[dict[str, Any]]:
        """Those alive, as the control API shows them."""
        return [fault.view() for fault in self._rules if fault.alive]
