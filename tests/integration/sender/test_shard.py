"""One shard in this process, on a real NATS and MongoDB: what is hard to see from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import SendCommand
from libs.contracts.events import ReceiptReceived, SessionChanged
from libs.contracts.ids import shard_of
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.mongo import to_document
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.sender import rows
from services.sender.app import office_of
from services.sender.handlers import HANDLERS, Owner
from services.sender.office import Office
from services.sender.settings import Settings
from services.sender.shard import Shard
from services.sender.store import Change, ensure_indexes
from tests.integration.sender.conftest import SESSION, SHARDS, Stage, send_message
from tests.integration.sender.network import delivered, refused
from tests.integration.sender.test_waiting import receipt, retry, session_fact
from tests.processes import PATIENCE_S, eventually

SHARD = shard_of(SESSION, SHARDS)
TIMING = Timing(suspended_after_s=600)


class Process(msgspec.Struct):
    """What `office_of` takes from a runtime."""

    bus: Any
    database: Any
    crash: CrashPoints


@pytest.fixture
async def office(stage: Stage) -> AsyncIterator[Office]:
    await ensure_indexes(stage.database)
    await stage.network.open()
    settings = Settings(
        nats_url="", mongodb_url="", secret_keys="", shards=SHARDS, retry_first_s=0.1, stop_patience_s=PATIENCE_S
    )
    runtime: Any = Process(bus=stage.bus, database=stage.database, crash=CrashPoints(""))
    made = office_of(runtime, settings)
    for part in made.parts:
        part.start()
    yield made
    for part in made.parts:
        await part.stop()


def lease(epoch: int = 5) -> Lease:
    return Lease(SHARD, epoch, confirmed_at=asyncio.get_running_loop().time(), timing=TIMING)


@pytest.fixture
async def shard(office: Office) -> AsyncIterator[Shard]:
    made = Shard(office, lease())
    await made.start()
    yield made
    await made.stop()


def delivery(message: Any, seq: int) -> Delivery[Any]:
    return Delivery(message, seq, {}, 1)


async def test_a_row_that_a_stale_owner_inserted_late_is_sent_all_the_same(stage: Stage, shard: Shard) -> None:
    command = send_message("m1")
    late = rows.new_row(command, order=1, shard=SHARD, epoch=4, now=datetime.now(UTC))
    await stage.database["outbox"].insert_one(to_document(late))
    await shard.accept([delivery(command, 1)])
    row = await stage.until("m1", "sent")
    assert row["epoch"] == 5
    await stage.until_told("m1", ["queued", "sent"])


async def test_a_finished_message_whose_command_comes_again_is_not_sent_again(stage: Stage, office: Office) -> None:
    command = send_message("m1")
    first = Shard(office, lease())
    await first.start()
    await first.accept([delivery(command, 1)])
    await stage.until("m1", "sent")
    await first.stop()
    second = Shard(office, lease(6))
    await second.start()
    await second.accept([delivery(command, 1)])
    await second.accept([delivery(send_message("m2"), 2)])
    await stage.until("m2", "sent")
    await second.stop()
    assert stage.network.ids() == ["m1", "m2"]


async def test_a_retry_that_comes_before_the_end_is_confirmed_is_carried_out(
    stage: Stage, shard: Shard, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_is_heard_late(office, monkeypatch)
    stage.network.rule = refuse
    await shard.accept([delivery(send_message("m1"), 1)])
    await stage.until("m1", "failed")
    await shard.retry([delivery(retry("m1"), 50)])
    await stage.until_told("m1", ["queued", "failed", "queued", "failed"])


async def test_a_receipt_that_comes_before_the_end_is_confirmed_raises_the_message(
    stage: Stage, shard: Shard, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_is_heard_late(office, monkeypatch)
    stage.network.rule = refuse
    await shard.accept([delivery(send_message("m1"), 1)])
    await stage.until("m1", "failed")
    await shard.receipts([delivery(receipt("m1"), 50)])
    assert (await stage.row("m1"))["status"] == "sent"
    await stage.until_told("m1", ["queued", "failed", "sent"])


def stored_is_heard_late(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the outbox knows of a change some time before the shard hears that it is stored."""
    submit = office.changes.submit

    async def heard_late(stored: asyncio.Future[None]) -> None:
        await stored
        await asyncio.sleep(0.3)

    def late(change: Change) -> asyncio.Future[None]:
        return asyncio.ensure_future(heard_late(submit(change)))

    monkeypatch.setattr(office.changes, "submit", late)


async def refuse(request: Deliver) -> DeliverAnswer:
    return refused("REFUSED", retryable=False)


async def test_a_retry_that_is_delivered_twice_is_carried_out_once(stage: Stage, shard: Shard) -> None:
    stage.network.rule = refuse
    await shard.accept([delivery(send_message("m1"), 1)])
    await stage.until("m1", "failed")
    for _ in range(2):
        await shard.retry([delivery(retry("m1"), 50)])
        await stage.until_told("m1", ["queued", "failed", "queued", "failed"])
    assert stage.network.ids() == ["m1", "m1"]
    await shard.retry([delivery(retry("m1"), 51)])
    await stage.until_told("m1", ["queued", "failed"] * 3)


async def test_a_stopped_shard_has_stored_and_told_everything_it_knew(stage: Stage, office: Office) -> None:
    stopping = Shard(office, lease())
    await stopping.start()
    await stopping.accept([delivery(send_message("m1"), 1)])
    await eventually(lambda: _asked(stage), every_s=0.0005)
    await stopping.stop()
    row = await stage.row("m1")
    assert (row["status"], row["untold"]) == ("sent", [])
    assert await stage.told("m1") == ["queued", "sent"]


async def _asked(stage: Stage) -> bool:
    return bool(stage.network.asked)


async def test_news_of_a_former_owner_wake_nobody(stage: Stage, shard: Shard) -> None:
    async def not_connected_once(request: Deliver) -> DeliverAnswer:
        return refused("NOT_CONNECTED", retryable=True) if len(stage.network.asked) == 1 else delivered()

    stage.network.rule = not_connected_once
    await shard.session_changed([delivery(session_fact("reconnecting", epoch=8, connection=3), 1)])
    await shard.accept([delivery(send_message("m1"), 1)])
    await eventually(lambda: _waits(stage))
    for stale in (session_fact("connected", epoch=7, connection=9), session_fact("connected", epoch=8, connection=2)):
        await shard.session_changed([delivery(stale, 2)])
    await asyncio.sleep(0.05)
    assert len(stage.network.asked) == 1
    await shard.session_changed([delivery(session_fact("connected", epoch=8, connection=3), 3)])
    await stage.until("m1", "sent")


async def _waits(stage: Stage) -> bool:
    return (await stage.row("m1")).get("waitingFor") == "session"


async def test_a_receipt_of_a_sent_message_changes_and_tells_nothing(stage: Stage, shard: Shard) -> None:
    await shard.accept([delivery(send_message("m1"), 1)])
    row = await stage.until("m1", "sent")
    await stage.until_told("m1", ["queued", "sent"])
    await shard.receipts([delivery(receipt("m1"), 1)] * 2)
    assert (await stage.row("m1"))["finishedAt"] == row["finishedAt"]
    assert await stage.told("m1") == ["queued", "sent"]


async def test_a_suspended_owner_hands_nothing_over(stage: Stage, office: Office) -> None:
    held = Lease(SHARD, 5, confirmed_at=asyncio.get_running_loop().time(), timing=Timing(suspended_after_s=0.3))
    suspended = Shard(office, held)
    await suspended.start()
    await asyncio.sleep(0.3)
    accepting = asyncio.create_task(suspended.accept([delivery(send_message("m1"), 1)]))
    await asyncio.sleep(0.1)
    assert await stage.row("m1") == {}
    assert stage.network.asked == []
    held.lose()
    with pytest.raises(Exception, match="no longer ours"):
        await accepting
    await suspended.stop()


async def test_every_message_that_sender_reads_has_one_handler(office: Office) -> None:
    owner = Owner(Shard(office, lease()), SHARD)
    assert len(owner.feeds) == 2
    assert set(HANDLERS) == {*get_args(SendCommand), SessionChanged, ReceiptReceived}
