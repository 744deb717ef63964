"""Any commands, to two replicas that book for one customer and die anywhere: the books add up, at every moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.contracts.commands import CancelMessage, GrantCredits, RetryMessage
from libs.contracts.events import ReceiptReceived
from libs.contracts.ids import new_message_id, shard_of, whatsapp_id
from libs.runtime.bus import Bus
from libs.runtime.feeds import Delivery
from libs.runtime.mongo import connect, database
from libs.runtime.tasks import end
from libs.runtime.topology import apply
from services.sender import ledger
from services.sender.store import ensure_indexes
from tests.integration.sender.books import books_of, customer_row, subscription_row
from tests.integration.sender.conftest import SHARDS, send_message
from tests.integration.sender.lives import Fates, Life, task_factory
from tests.integration.sender.network import Network

SESSIONS = [next(name for n in itertools.count() if shard_of(name := f"{n:016x}", SHARDS) == s) for s in range(SHARDS)]
PRICE = 2
pytestmark = [  # who dies while it connects leaves a socket behind, and nobody who would close it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

customers, epochs = itertools.count(), itertools.count(1)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica is given: batches of steps, and the crash points at which its lives end, one after another."""

    batches: list[list[tuple[str, int]]]
    deaths: list[int]


STEPS = st.one_of(
    st.tuples(st.just("send"), st.just(0)),
    st.tuples(st.just("grant"), st.integers(-2, 6)),
    st.tuples(st.sampled_from(["retry", "cancel", "receipt"]), st.integers(0, 5)),
)
PLANS = st.builds(
    Plan,
    batches=st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=3),
    deaths=st.lists(st.integers(1, 25), max_size=4),
)
FATES = st.lists(st.sampled_from(["sent", "refused", "unknown"]), max_size=8)


class Replica:
    """One shard's replica over all its lives."""

    def __init__(self, number: int, plan: Plan, customer: str, urls: dict[str, str], fates: Fates) -> None:
        self._number, self._plan, self._customer, self._urls, self._fates = number, plan, customer, urls, fates
        self.messages: list[str] = []
        self.granted = 0
        self._seqs = itertools.count(1)

    async def run(self) -> None:
        """Every batch is handled to its end in one life or another."""
        batches = [[self._delivery(step) for step in batch] for batch in self._plan.batches]
        deaths: list[int | None] = [*self._plan.deaths, None]
        for after in deaths:
            life = Life(self._number, next(epochs), after, **self._urls)
            batches = batches[await life.handle(*batches) :]
            if not life.died:
                return

    def _delivery(self, step: tuple[str, int]) -> Delivery[Any]:
        return Delivery(self._message(*step), next(self._seqs), {}, 1)

    def _message(self, kind: str, number: int) -> Any:
        of_customer = {"customer_id": self._customer, "session_id": SESSIONS[self._number]}
        if kind == "grant":
            self.granted += number
            return self._grant(number)
        if kind == "send" or not self.messages:
            self.messages.append(new_message_id())
            return send_message(self.messages[-1], **of_customer)
        chosen = self.messages[number % len(self.messages)]
        match kind:
            case "retry":
                return RetryMessage(message_id=chosen, **of_customer)
            case "cancel":
                return CancelMessage(message_id=chosen, **of_customer)
            case _:
                self._fates.proved.add(chosen)
                return receipt_of(chosen, **of_customer)

    def _grant(self, amount: int) -> GrantCredits:
        return GrantCredits(
            customer_id=self._customer,
            session_id=self._customer,
            grant_id=f"{self._number}-{next(self._seqs)}",
            reason="correction" if amount < 0 else "topup",
            amount=amount,
            by="usr_1",
            at=datetime.now(UTC),
        )


def receipt_of(message_id: str, **fields: Any) -> ReceiptReceived:
    wa_ids = [whatsapp_id(message_id)]
    now = datetime.now(UTC)
    return ReceiptReceived(
        id=f"r-{message_id}-{now.timestamp()}",
        at=now,
        wa_ids=wa_ids,
        receipt="delivered",
        chat="1",
        sender="1",
        **fields,
    )


def lives(max_examples: int) -> Any:
    """A property of any two replicas' lives, tried with so many of them."""
    unchecked = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # the machine's speed is no claim
    bounds = settings(max_examples=max_examples, deadline=None, suppress_health_check=unchecked)
    return lambda test: bounds(given(plans=st.tuples(PLANS, PLANS), fates=FATES, start=st.integers(0, 12))(test))


@lives(20)
def test_any_lives_leave_books_that_add_up(
    nats_url: str, mongodb_url: str, plans: tuple[Plan, Plan], fates: list[str], start: int
) -> None:
    asyncio.run(lived(plans, fates, start, nats_url=nats_url, mongodb_url=mongodb_url))


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@lives(150)
def test_hundreds_of_lives_leave_books_that_add_up(
    nats_url: str, mongodb_url: str, plans: tuple[Plan, Plan], fates: list[str], start: int
) -> None:
    asyncio.run(lived(plans, fates, start, nats_url=nats_url, mongodb_url=mongodb_url))


async def lived(plans: Sequence[Plan], fates: list[str], start: int, **urls: str) -> None:
    """Run both replicas through their lives, auditing all the while; then compare the books with what was sent."""
    asyncio.get_running_loop().set_task_factory(task_factory)
    bus, client = Bus(urls["nats_url"], name="test"), connect(urls["mongodb_url"], app="test")
    await bus.connect()
    await apply(bus.jetstream)
    stored, customer = database(client), f"cus_{next(customers)}"
    await ensure_indexes(stored)
    await ledger.ensure_indexes(stored)
    await stored["customers"].insert_one(customer_row(customer))
    await stored["subscriptions"].insert_one(subscription_row(customer))
    rule = Fates(fates)
    network = Network(bus, rule=rule)
    await network.open()
    first = Plan(batches=[[("grant", start)], *plans[0].batches], deaths=plans[0].deaths)
    replicas = [Replica(n, plan, customer, urls, rule) for n, plan in enumerate([first, plans[1]])]
    auditing = asyncio.create_task(audited(stored, customer))
    try:
        await asyncio.gather(*(replica.run() for replica in replicas))
        await end(auditing)
        assert auditing.cancelled(), auditing.exception()
        await check(stored, customer, replicas, rule)
    finally:
        auditing.cancel()
        await bus.close()
        await client.close()


async def audited(stored: Any, customer: str) -> None:
    """At every moment, whoever is at work or has died."""
    while True:
        (await books_of(stored, customer)).check()
        await asyncio.sleep(0.005)


async def check(stored: Any, customer: str, replicas: Sequence[Replica], fates: Fates) -> None:
    books = await books_of(stored, customer)
    books.check()
    rows = {row["_id"]: row async for row in stored["outbox"].find({"customerId": customer})}
    assert set(rows) == {message for replica in replicas for message in replica.messages}
    sent = {message for message, row in rows.items() if row["status"] == "sent"}
    assert sent <= fates.sent | fates.proved
    assert fates.sent <= sent, "what left is paid for"
    unpaid = {message for message in sent if not rows[message]["credits"]}
    assert unpaid <= fates.proved, "only a receipt raises what the balance did not cover"
    assert {message: books.of_message(message) for message in rows} == {
        message: PRICE if message in sent - unpaid else 0 for message in rows
    }
    assert books.held == 0
    granted = sum(replica.granted for replica in replicas)
    assert books.balance == granted - PRICE * len(sent - unpaid)


@pytest.fixture(autouse=True, scope="module")
def quiet(quiet_logs: None) -> None:
    """Only errors are printed."""
