"""A sender that is killed at its worst moments, and the one that goes on after it."""

from __future__ import annotations

import asyncio
import time

import pytest

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.ids import whatsapp_id
from tests.integration.sender.conftest import Stage
from tests.integration.sender.network import delivered
from tests.processes import eventually

WHOLE, ALSO_UNKNOWN = ["queued", "sent"], ["queued", "sending", "sent"]
POINTS = {
    "sender.after_write": [WHOLE],
    "sender.after_publish": [WHOLE, ALSO_UNKNOWN],  # the first hand-over may already be under way
    "sender.before_hand_over": [ALSO_UNKNOWN],
    "sender.between_outbox_and_reply": [ALSO_UNKNOWN],
}


@pytest.mark.parametrize(("point", "told"), POINTS.items(), ids=POINTS.keys())
async def test_a_message_survives_the_kill_with_its_ids_and_all_its_facts(
    stage: Stage, point: str, told: list[list[str]]
) -> None:
    await stage.network.open()
    async with stage.sender("doomed", crash_at=point) as doomed:
        await doomed.ready()
        messages = await stage.send_many(5)
        assert await doomed.ended() == -9
    async with stage.sender("heir"):
        await stage.until_all("sent", 5)
        for message in messages:
            await eventually(lambda message=message: _ends_with_sent(stage, message))
    assert {(request.message_id, request.wa_id) for request in stage.network.asked} == {
        (message, whatsapp_id(message)) for message in messages
    }
    assert await stage.told(messages[0]) in told
    assert await stage.database["outbox"].count_documents({}) == 5


async def _ends_with_sent(stage: Stage, message: str) -> bool:
    statuses = await stage.told(message)
    return statuses[:1] == ["queued"] and statuses[-1:] == ["sent"]


async def test_messages_keep_their_order_over_the_kill(stage: Stage) -> None:
    async def slowly(request: Deliver) -> DeliverAnswer:
        if len(stage.network.asked) == 10:
            doomed.kill()
        return delivered()

    stage.network.rule = slowly
    await stage.network.open()
    messages = await stage.send_many(40)
    async with stage.sender("doomed") as doomed:
        await doomed.ended()
    async with stage.sender("heir"):
        await stage.until_all("sent", 40)
    assert list(dict.fromkeys(stage.network.ids())) == messages
    assert len(stage.network.asked) <= 42, "only what was in flight is handed over again"


async def test_a_planned_restart_hands_nothing_over_twice(stage: Stage) -> None:
    async def slower_and_slower(request: Deliver) -> DeliverAnswer:
        if len(stage.network.asked) > 20 and first.running:
            await asyncio.sleep(0.1)
        return delivered()

    stage.network.rule = slower_and_slower
    await stage.network.open()
    messages = await stage.send_many(200)
    async with stage.sender("first", stop_patience_s="5") as first:
        await eventually(lambda: _asked(stage, 20))
        assert await first.drain() == 0
    already = len(stage.network.asked)
    assert already < 200
    async with stage.sender("second"):
        await stage.until_all("sent", 200)
    assert stage.network.ids() == messages


async def _asked(stage: Stage, number: int) -> bool:
    return len(stage.network.asked) >= number


async def test_a_stale_owner_is_refused_by_the_rows_of_the_new_one(stage: Stage) -> None:
    """Frozen in the middle of a hand-over, and thawed when another owns the shard and has failed the message."""

    async def freeze(request: Deliver) -> DeliverAnswer | None:
        if len(stage.network.asked) == 1:
            first.freeze()
            return None
        return delivered(epoch=2)

    stage.network.rule = freeze
    await stage.network.open()
    async with stage.sender("first", answer_timeout_s="1") as first:
        await first.ready()
        message = await stage.send()
        await eventually(lambda: _asked(stage, 1))
        async with stage.sender("second"):
            row = await stage.until(message, "sent")
            epoch = row["epoch"]
            first.thaw()
            later = await stage.send()
            await stage.until(later, "sent")
            await first.ready()
        row = await stage.row(message)
    assert row["status"] == "sent"
    assert row["epoch"] == epoch
    assert {request.epoch for request in stage.network.asked if request.message_id == message} == {epoch - 1, epoch}
    assert len(stage.network.asked) == 3


async def test_a_row_of_a_higher_epoch_is_not_touched(stage: Stage) -> None:
    async def raise_epoch(request: Deliver) -> DeliverAnswer:
        if len(stage.network.asked) == 1:
            await stage.database["outbox"].update_one({"_id": request.message_id}, {"$set": {"epoch": 99}})
        return delivered()

    stage.network.rule = raise_epoch
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message, behind = await stage.send_many(2)
        await stage.until_told(behind, ["queued", "sent"])  # stored and told after what is refused here
        row = await stage.row(message)
        assert (row["status"], row["epoch"]) == ("sending", 99)
        assert await stage.told(message) == ["queued"]


async def test_a_killed_sender_is_followed_by_another_within_seconds(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender("first") as first, stage.sender("second") as second:
        await first.ready()
        await second.ready()
        await stage.until(await stage.send(), "sent")
        first.kill()
        killed = time.monotonic()
        messages = [await stage.send(session_id=f"{number:016x}") for number in range(6)]
        for message in messages:
            await stage.until(message, "sent")
        assert time.monotonic() - killed < 30  # 5 s; 10 more if the machine stood still, and the heir lost contact too
