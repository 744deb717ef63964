"""Credits on a real MongoDB: what one replica, or several at once, book for a customer, and what is told of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import GrantCredits
from libs.contracts.events import CustomerNotified
from libs.contracts.ids import CACHE_DROPPED
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.mongo import connect, database
from services.sender import ledger
from services.sender.app import office_of
from services.sender.credits import Posting
from services.sender.customers import BELIEVED_S, Customers
from services.sender.ledger import Booking, Ledger
from services.sender.notices import Notices
from services.sender.office import Office
from services.sender.settings import Settings
from services.sender.shard import Shard
from services.sender.store import ensure_indexes
from tests.integration.sender.books import books_of, customer_row, subscription_row
from tests.integration.sender.conftest import SHARDS, Stage, send_message
from tests.integration.sender.network import refused
from tests.integration.sender.test_shard import Process, lease
from tests.integration.sender.test_waiting import receipt, retry
from tests.processes import eventually

CUSTOMER = "cus_1"
THRESHOLD = 10


def reserve(message_id: str, price: int = 1) -> Posting:
    return Posting(
        id=f"{message_id}/0/reserve",
        customer_id=CUSTOMER,
        kind="reserve",
        amount=-price,
        hold=price,
        message_id=message_id,
    )


def topup(amount: int, grant_id: str = "g1") -> Posting:
    return Posting(
        id=f"{CUSTOMER}/{grant_id}/grant", customer_id=CUSTOMER, kind="topup", amount=amount, grant_id=grant_id
    )


def booking(*postings: Posting) -> Booking:
    return Booking(lease=lease(), postings=postings)


async def threshold(customer_id: str) -> int:
    return THRESHOLD


@pytest.fixture
async def books(stage: Stage) -> Ledger:
    await ensure_indexes(stage.database)
    await ledger.ensure_indexes(stage.database)
    return Ledger(stage.database, threshold=threshold, crash=CrashPoints(""))


# --- The ledger alone ------------------------------------------------------------------------------------------------


async def test_what_is_booked_already_changes_nothing(stage: Stage, books: Ledger) -> None:
    for _ in range(2):
        await books.book([booking(topup(5), reserve("m1", 2))])
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    assert (found.balance, found.held, len(found.entries)) == (3, 2, 2)


async def test_what_was_refused_stays_refused_whatever_comes_afterwards(stage: Stage, books: Ledger) -> None:
    """Else a stale owner could reserve for a message that has failed already."""
    refusal = frozenset({"m1/0/reserve"})
    assert await books.book([booking(reserve("m1"))]) == [refusal]
    await books.book([booking(topup(5))])
    assert await books.book([booking(reserve("m1"))]) == [refusal]
    assert (await books_of(stage.database, CUSTOMER)).balance == 5


async def test_each_booking_learns_of_its_own_refusals(books: Ledger) -> None:
    results = await books.book([booking(topup(3)), booking(reserve("m1", 2)), booking(reserve("m2", 2))])
    assert results == [frozenset(), frozenset(), frozenset({"m2/0/reserve"})]


async def test_replicas_that_book_at_once_lose_and_double_nothing(
    stage: Stage, mongodb_url: str, books: Ledger
) -> None:
    """Each message is booked by two of them: as when a shard moves while its former owner is still at it."""
    await books.book([booking(topup(150))])
    clients = [connect(mongodb_url, app=f"replica {n}") for n in range(4)]
    ledgers = [Ledger(database(each), threshold=threshold, crash=CrashPoints("")) for each in clients]

    async def work(number: int) -> None:
        for start in range(0, 100, 5):
            wanted = [reserve(f"m{(number // 2) * 100 + n}") for n in range(start, start + 5)]
            await ledgers[number].book([booking(*wanted)])

    await asyncio.gather(*(work(number) for number in range(4)))
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    kinds = [entry["kind"] for entry in found.entries]
    assert (kinds.count("reserve"), kinds.count("refused")) == (150, 50)
    assert (found.balance, found.held) == (0, 150)
    for client in clients:
        await client.close()


async def test_more_postings_than_one_transaction_takes_are_booked_in_order(stage: Stage, books: Ledger) -> None:
    await books.book([booking(topup(500), *(reserve(f"m{n:03d}") for n in range(450)))])
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    assert [entry["messageId"] for entry in found.entries[1:]] == [f"m{n:03d}" for n in range(450)]


async def test_what_a_dead_process_left_untold_is_told_by_another(stage: Stage, books: Ledger) -> None:
    await books.book([booking(topup(5))])
    await stage.database["ledger"].update_one(
        {"customerId": CUSTOMER}, {"$set": {"untold.0.at": datetime.now(UTC) - timedelta(seconds=10)}}
    )
    heir = Notices(Ledger(stage.database, threshold=threshold, crash=CrashPoints("")), stage.bus, SHARDS)
    heir.start()
    await until_notices(stage, ["credits.changed"])
    await eventually(lambda: nothing_is_untold(stage))
    await heir.stop()


async def until_notices(stage: Stage, updates: list[str]) -> list[CustomerNotified]:
    """The notices, once these and no others are told."""

    async def ask() -> list[CustomerNotified] | None:
        told = [fact for fact in await stage.facts("notice") if isinstance(fact, CustomerNotified)]
        return told if [fact.update for fact in told] == updates else None

    told = await eventually(ask)
    assert told is not None
    return told


async def nothing_is_untold(stage: Stage) -> bool:
    return await stage.database["ledger"].count_documents({"untold.0": {"$exists": True}}) == 0


async def test_what_is_untold_is_found_by_its_index(stage: Stage, books: Ledger) -> None:
    query = {"untold.0.at": {"$lte": datetime.now(UTC)}, "untold.0": {"$exists": True}}
    plan = await stage.database["ledger"].find(query).explain()
    assert "'indexName': 'untold'" in str(plan["queryPlanner"]["winningPlan"])


# --- A shard of a metered customer -----------------------------------------------------------------------------------


@pytest.fixture
async def office(stage: Stage) -> AsyncIterator[Office]:
    await ensure_indexes(stage.database)
    await ledger.ensure_indexes(stage.database)
    await stage.database["customers"].insert_one(customer_row(CUSTOMER, creditsThreshold=THRESHOLD))
    await stage.database["subscriptions"].insert_one(subscription_row(CUSTOMER))
    await stage.network.open()
    settings = Settings(nats_url="", mongodb_url="", secret_keys="", shards=SHARDS, retry_first_s=0.1)
    runtime: Any = Process(bus=stage.bus, database=stage.database, crash=CrashPoints(""))
    made = office_of(runtime, settings)
    for part in made.parts:
        part.start()
    yield made
    for part in made.parts:
        await part.stop()


@pytest.fixture
async def shard(office: Office) -> AsyncIterator[Shard]:
    made = Shard(office, lease())
    await made.start()
    yield made
    await made.stop()


def delivery(message: Any, seq: int) -> Delivery[Any]:
    return Delivery(message, seq, {}, 1)


def grant(amount: int, grant_id: str = "g1", reason: str = "topup") -> Delivery[Any]:
    command = GrantCredits(
        customer_id=CUSTOMER,
        session_id=CUSTOMER,
        grant_id=grant_id,
        reason=reason,
        amount=amount,
        by="usr_1",
        at=datetime.now(UTC),
    )
    return delivery(command, 900)


async def test_a_message_is_reserved_then_charged_and_the_books_add_up(stage: Stage, shard: Shard) -> None:
    await shard.grant([grant(20)] * 2)
    await shard.accept([delivery(send_message(f"m{n}"), n) for n in range(1, 4)])
    await stage.until_all("sent", 3)
    await stage.until_told("m1", ["queued", "sent"])
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    assert found.steps("m1") == ["reserve", "charge"], "before its end is told, it is booked"
    await eventually(lambda: holds_nothing(stage))
    assert (await books_of(stage.database, CUSTOMER)).balance == 20 - 3 * 2


async def holds_nothing(stage: Stage) -> bool:
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    return found.held == 0


class Slow:
    """Bookings of which the charges wait until `open` is set."""

    def __init__(self, bookings: Any) -> None:
        self._bookings, self.open, self.asked = bookings, asyncio.Event(), asyncio.Event()

    def submit(self, wanted: Booking) -> asyncio.Future[frozenset[str]]:
        if wanted.postings[0].kind != "charge":
            return self._bookings.submit(wanted)
        self.asked.set()
        return asyncio.ensure_future(self._later(wanted))

    async def _later(self, wanted: Booking) -> frozenset[str]:
        await self.open.wait()
        return await self._bookings.submit(wanted)


async def test_an_end_is_told_only_after_it_is_booked(stage: Stage, office: Office) -> None:
    """What is told is forgotten by the row: nobody would know any more that a booking is missing."""
    slow = Slow(office.bookings)
    patient: Any = slow
    shard = Shard(msgspec.structs.replace(office, bookings=patient), lease())
    await shard.start()
    await shard.grant([grant(20)])
    await shard.accept([delivery(send_message("m1"), 1)])
    async with asyncio.timeout(10):
        await slow.asked.wait()
    await asyncio.sleep(0.2)
    assert await stage.told("m1") == ["queued"]
    assert (await stage.row("m1"))["untold"]
    slow.open.set()
    await stage.until_told("m1", ["queued", "sent"])
    await shard.stop()


async def test_a_refused_message_gets_its_credits_back_and_a_receipt_takes_them_again(
    stage: Stage, shard: Shard
) -> None:
    async def refuse(request: Deliver) -> DeliverAnswer:
        return refused("REFUSED", retryable=False)

    stage.network.rule = refuse
    await shard.grant([grant(20)])
    await shard.accept([delivery(send_message("m1"), 1)])
    await stage.until_told("m1", ["queued", "failed"])
    found = await books_of(stage.database, CUSTOMER)
    assert (found.steps("m1"), found.balance) == (["reserve", "refund"], 20)
    for _ in range(2):
        await shard.receipts([delivery(receipt("m1"), 2)])
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    assert (found.steps("m1"), found.balance) == (["reserve", "refund", "rebook"], 18)


async def test_what_the_balance_does_not_cover_fails_and_can_be_retried_after_a_top_up(
    stage: Stage, shard: Shard
) -> None:
    await shard.grant([grant(3)])
    await shard.accept([delivery(send_message("m1"), 1), delivery(send_message("m2"), 2)])
    await stage.until("m1", "sent")
    row = await stage.until("m2", "failed")
    assert (row["code"], row["credits"], row["handedOver"]) == ("CREDITS_EXHAUSTED", 0, False)
    await stage.until_told("m2", ["queued", "failed"])
    await shard.grant([grant(5, "g2")])
    await shard.retry([delivery(retry("m2"), 3)])
    await stage.until_told("m2", ["queued", "failed", "queued", "sent"])
    found = await books_of(stage.database, CUSTOMER)
    found.check()
    assert found.steps("m2") == ["refused", "reserve", "charge"]
    assert found.balance == 4
    assert stage.network.ids() == ["m1", "m2"]


async def test_a_customer_is_warned_once_until_credits_are_added(stage: Stage, shard: Shard) -> None:
    await shard.grant([grant(12)])
    await shard.accept([delivery(send_message(f"m{n}"), n) for n in range(1, 5)])
    await shard.grant([grant(10, "g2")])
    await shard.accept([delivery(send_message(f"m{n}"), n) for n in range(5, 9)])
    told = await until_notices(stage, ["credits.changed", "credits.low", "credits.changed", "credits.low"])
    assert [fact.data["balance"] for fact in told] == [12, 8, 14, 8]
    assert {(fact.session_id, fact.data["threshold"]) for fact in told} == {(CUSTOMER, THRESHOLD)}
    await eventually(lambda: nothing_is_untold(stage))


# --- A customer whose subscription is over ---------------------------------------------------------------------------


async def test_messages_wait_for_a_subscription_and_leave_once_there_is_one(stage: Stage, office: Office) -> None:
    """What is believed of a customer would last for an hour here: only the word that it has changed ends the wait."""
    over = datetime.now(UTC) - timedelta(hours=1)
    await stage.database["subscriptions"].update_many({}, {"$set": {"endsAt": over, "allowance.isMetered": False}})
    customers = Customers(stage.database, stage.bus, threshold=THRESHOLD, believed_s=3600)
    customers.start()
    shard = Shard(msgspec.structs.replace(office, customers=customers), lease())
    await shard.start()
    await shard.accept([delivery(send_message("m1"), 1)])
    await eventually(lambda: waits_for(stage, "m1", "subscription"))
    assert stage.network.asked == []
    await stage.database["subscriptions"].insert_one(
        subscription_row(CUSTOMER, _id="sub_2", allowance={"maxSessions": 1})
    )
    await stage.bus.broadcast(CACHE_DROPPED, f"customer/{CUSTOMER}".encode())
    await stage.until("m1", "sent")
    assert (await stage.row("m1")).get("waitingFor") is None
    await shard.stop()
    await customers.stop()


async def waits_for(stage: Stage, message_id: str, what: str) -> bool:
    return (await stage.row(message_id)).get("waitingFor") == what


# --- A customer whose messages cost nothing --------------------------------------------------------------------------


class Heard(CommandListener):
    """Which commands were sent to which collection."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str]] = []

    def started(self, event: Any) -> None:
        self.commands.append((event.command_name, str(event.command.get(event.command_name))))

    def succeeded(self, event: Any) -> None:
        return

    def failed(self, event: Any) -> None:
        return


async def test_who_is_not_metered_pays_one_read_for_all_messages_of_five_seconds(
    stage: Stage, mongodb_url: str
) -> None:
    await ensure_indexes(stage.database)
    await stage.database["customers"].insert_one(customer_row(CUSTOMER))
    await stage.database["subscriptions"].insert_one(subscription_row(CUSTOMER, allowance={"maxSessions": 5}))
    await stage.network.open()
    heard = Heard()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True, event_listeners=[heard])
    runtime: Any = Process(bus=stage.bus, database=client.get_default_database(), crash=CrashPoints(""))
    office = office_of(runtime, Settings(nats_url="", mongodb_url="", secret_keys="", shards=SHARDS))
    parts = [part for part in office.parts if part is not office.notices]  # which look for all customers' news
    for part in parts:
        part.start()
    shard = Shard(office, lease())
    await shard.start()
    began = time.monotonic()
    for number in range(1, 31):
        await shard.accept([delivery(send_message(f"m{number}"), number)])
    await stage.until_all("sent", 30)
    took_s = time.monotonic() - began
    of_credits = [command for command in heard.commands if command[1] in ("ledger", "customers", "subscriptions")]
    await shard.stop()
    for part in parts:
        await part.stop()
    await client.close()
    assert set(of_credits) == {("aggregate", "customers")}
    assert len(of_credits) <= 1 + took_s // BELIEVED_S
