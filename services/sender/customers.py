"""What sender believes of a customer for up to 5 s: whether messages may leave, what they cost, and when to warn.

One read for each customer and 5 s, whatever is sent: customers whose messages cost nothing pay for nothing more.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg
from pymongo import DESCENDING

from libs.contracts.credits import price_of
from libs.contracts.ids import CACHE_DROPPED
from libs.contracts.records import Allowance, Subscription
from libs.contracts.subscriptions import Term, standing
from libs.runtime import logs
from libs.runtime.bus import Bus, BusDown
from libs.runtime.mongo import Database, Document, from_document
from libs.runtime.tasks import end

BELIEVED_S = 5.0
MOST_CUSTOMERS = 20_000
MOST_SUBSCRIPTIONS = 50
"""Of one customer, the newest that are looked at: those before them are long over."""
RETRY_S = 0.5


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a customer."""

    is_known: bool
    """Whether api keeps a customer of this id. Who is not known there is held back by nothing."""
    subscriptions: list[Subscription] = []
    threshold: int | None = None
    """The customer's own threshold for `credits.low`."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What that comes to at one time."""

    may_send: bool
    allowance: Allowance | None
    """The terms that count, or that did last; None without any."""
    until: datetime | None
    """When it is something else, unless api changes something before."""

    def price_of(self, message_type: str) -> int:
        """Credits that a message of this type costs; 0 for whom nothing is metered."""
        return 0 if self.allowance is None else price_of(self.allowance, message_type)


def standing_of(customer: Customer, at: datetime) -> Standing:
    """What a customer may do. Terms that are over still tell the price of what waits for the next ones."""
    term: Term = standing(customer.subscriptions, at)
    allowance = None if term.subscription is None else term.subscription.allowance
    return Standing(may_send=term.active or not customer.is_known, allowance=allowance, until=term.until)


class _Belief(msgspec.Struct, frozen=True):
    customer: Customer
    standing: Standing
    ends_at: float


class Customers:
    """The beliefs of one process. Raises PyMongoError while MongoDB is away."""

    def __init__(self, database: Database, bus: Bus, *, threshold: int, believed_s: float = BELIEVED_S) -> None:
        self._customers, self._bus = database["customers"], bus
        self._threshold, self._believed_s = threshold, believed_s
        self._beliefs: dict[str, _Belief] = {}
        self._reading: dict[str, asyncio.Future[_Belief]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear what api changes."""
        self._task = asyncio.create_task(self._listen(), name="customers' changes")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            await end(self._task)

    async def standing_of(self, customer_id: str) -> Standing:
        """What the customer may do now."""
        return (await self._believed(customer_id)).standing

    async def threshold(self, customer_id: str) -> int:
        """The balance below which the customer is warned."""
        own = (await self._believed(customer_id)).customer.threshold
        return self._threshold if own is None else own

    def forget(self, customer_id: str) -> None:
        """Something about the customer has changed; a read that is under way may have missed it."""
        self._beliefs.pop(customer_id, None)
        self._reading.pop(customer_id, None)

    async def _believed(self, customer_id: str) -> _Belief:
        belief = self._beliefs.get(customer_id)
        if belief is not None and belief.ends_at > time.monotonic() and not _is_over(belief.standing):
            return belief
        reading = self._reading.get(customer_id)
        if reading is None:
            reading = self._reading[customer_id] = asyncio.ensure_future(self._read(customer_id))
            reading.add_done_callback(lambda done: self._note(customer_id, done))
        return await asyncio.shield(reading)

    async def _read(self, customer_id: str) -> _Belief:
        began = time.monotonic()
        found = [document async for document in await self._customers.aggregate(_account(customer_id))]
        customer = _customer_of(found[0]) if found else Customer(is_known=False)
        return _Belief(customer, standing_of(customer, datetime.now(UTC)), began + self._believed_s)

    def _note(self, customer_id: str, done: asyncio.Future[_Belief]) -> None:
        has_failed = done.cancelled() or done.exception() is not None
        if self._reading.get(customer_id) is not done:
            return  # what was read may be out of date: see `forget`
        del self._reading[customer_id]
        if has_failed:
            return
        if len(self._beliefs) >= MOST_CUSTOMERS:
            self._beliefs.clear()  # simpler than an order of use, and rarer than the 5 s that a belief lives anyway
        self._beliefs[customer_id] = done.result()

    async def _listen(self) -> None:
        while True:
            try:
                await self._bus.nats.subscribe(CACHE_DROPPED, cb=self._heard)
                return
            except (nats.errors.Error, BusDown):
                await asyncio.sleep(RETRY_S)

    async def _heard(self, message: Msg) -> None:
        """The payload is `customer/<id>`, or names something that is no customer."""
        subject, _, customer_id = message.data.decode(errors="replace").partition("/")
        if subject == "customer":
            self.forget(customer_id)


def _is_over(standing: Standing) -> bool:
    return standing.until is not None and standing.until <= datetime.now(UTC)


def _account(customer_id: str) -> list[dict[str, Any]]:
    return [
        {"$match": {"_id": customer_id}},
        {"$project": {"creditsThreshold": 1}},
        {
            "$lookup": {
                "from": "subscriptions",
                "localField": "_id",
                "foreignField": "customerId",
                "pipeline": [{"$sort": {"startedAt": DESCENDING}}, {"$limit": MOST_SUBSCRIPTIONS}],
                "as": "subscriptions",
            }
        },
    ]


def _customer_of(document: Document) -> Customer:
    readable = [row for each in document["subscriptions"] if (row := _readable(each)) is not None]
    return Customer(is_known=True, subscriptions=readable, threshold=document.get("creditsThreshold"))


def _readable(document: Document) -> Subscription | None:
    """The subscription, unless another release has written what this one cannot read: its customer's others count."""
    try:
        return from_document(Subscription, document)
    except msgspec.ValidationError as error:
        logs.get().error("a subscription is left alone", subscription=document["_id"], error=str(error)[:200])
        return None
