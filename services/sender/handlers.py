"""What sender reads and who handles it; the table is at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any

from libs.contracts.commands import (
    ActOnMessage,
    CancelMessage,
    DiscardQueue,
    GrantCredits,
    ReleaseQueue,
    RetryMessage,
    SendCommand,
    SendMessage,
)
from libs.contracts.events import ReceiptReceived, SessionChanged
from libs.contracts.ids import COMMANDS, EVENTS, shard_token
from libs.runtime.feeds import Delivery, Feed
from services.sender.shard import Shard

HeardFact = SessionChanged | ReceiptReceived


class Owner:
    """The owner of a shard as the runtime knows it: its feeds, and the shard behind them."""

    def __init__(self, shard: Shard, number: int) -> None:
        self._shard = shard
        token = shard_token(number)
        commands = [f"cmd.send.{token}.>"]
        facts = [f"fact.session.{token}.>", f"fact.receipt.{token}.>"]
        self.feeds: Sequence[Feed[Any]] = (
            Feed[SendCommand](stream=COMMANDS, subjects=commands, types=SendCommand, handle=self.handle),
            Feed[HeardFact](stream=EVENTS, subjects=facts, types=HeardFact, handle=self.handle),
        )

    async def start(self) -> None:
        """Take the shard's rows over."""
        await self._shard.start()

    async def stop(self) -> None:
        """End the shard's work."""
        await self._shard.stop()

    async def handle(self, batch: list[Delivery[Any]]) -> None:
        """Hand runs of one kind to their handler, in order."""
        for kind, run in groupby(batch, key=_kind_of):
            await HANDLERS[kind](self._shard, list(run))


def _kind_of(delivery: Delivery[Any]) -> type[Any]:
    message: object = delivery.message
    return type(message)


HANDLERS: dict[type[Any], Callable[[Shard, list[Delivery[Any]]], Awaitable[None]]] = {
    SendMessage: Shard.accept,
    CancelMessage: Shard.cancel,
    RetryMessage: Shard.retry,
    ActOnMessage: Shard.act,
    ReleaseQueue: Shard.release,
    DiscardQueue: Shard.discard,
    GrantCredits: Shard.grant,
    SessionChanged: Shard.session_changed,
    ReceiptReceived: Shard.receipts,
}
