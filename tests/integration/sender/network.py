"""Stands in for the owners of sessions: answers `call.deliver` as a test wants, and notes every hand-over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from nats.aio.msg import Msg

from libs.contracts.calls import Deliver, DeliverAnswer, Delivered, NotDelivered
from libs.runtime.bus import Bus, encode

Rule = Callable[[Deliver], Awaitable[DeliverAnswer | None]]
"""What the owner answers; None leaves the request without an answer."""


def delivered(epoch: int = 1) -> Delivered:
    return Delivered(at=datetime.now(UTC), epoch=epoch)


def refused(code: str, *, retryable: bool, left: bool | None = False, retry_in_s: float | None = None) -> NotDelivered:
    return NotDelivered(code=code, detail=code, retryable=retryable, left=left, retry_in_s=retry_in_s, epoch=1)


async def _take(request: Deliver) -> DeliverAnswer:
    return delivered()


class Network:
    """All owners of one network. `asked` holds the requests in the order in which they came."""

    def __init__(self, bus: Bus, *, network: str = "simulator", rule: Rule = _take) -> None:
        self._bus, self._network, self.rule = bus, network, rule
        self.asked: list[Deliver] = []
        self._subscription: Any = None

    async def open(self) -> None:
        """Begin to answer."""
        self._subscription = await self._bus.nats.subscribe(f"call.deliver.{self._network}.*", cb=self._on_request)
        await self._bus.nats.flush()

    async def close(self) -> None:
        """Nobody answers any more."""
        await self._subscription.unsubscribe()

    def ids(self) -> list[str]:
        """Message ids in the order of their hand-overs."""
        return [request.message_id for request in self.asked]

    async def _on_request(self, message: Msg) -> None:
        request = msgspec.json.decode(message.data, type=Deliver)
        self.asked.append(request)
        answer = await self.rule(request)
        if answer is not None:
            await message.respond(encode(answer))
