"""What a message waits for, and what ends its wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import CancelMessage, RetryMessage
from libs.contracts.events import MessageHeld, ReceiptReceived, SessionChanged, SessionStatus
from libs.contracts.ids import whatsapp_id
from tests.integration.sender.conftest import SESSION, Stage
from tests.integration.sender.network import delivered, refused
from tests.processes import eventually


def session_fact(update: str, *, epoch: int = 1, connection: int = 1) -> SessionChanged:
    status = SessionStatus(update) if update in set(SessionStatus) else SessionStatus.STOPPED
    return SessionChanged(
        id=f"{update}-{epoch}-{connection}",
        customer_id="cus_1",
        session_id=SESSION,
        at=datetime.now(UTC),
        update=update,
        status=status,
        epoch=epoch,
        connection=connection,
    )


def receipt(message_id: str) -> ReceiptReceived:
    return ReceiptReceived(
        id=f"receipt-{message_id}",
        customer_id="cus_1",
        session_id=SESSION,
        at=datetime.now(UTC),
        wa_ids=[whatsapp_id(message_id)],
        receipt="delivered",
        chat="6281234567890",
        sender="6281234567890",
    )


def cancel(message_id: str) -> CancelMessage:
    return CancelMessage(customer_id="cus_1", session_id=SESSION, message_id=message_id)


def retry(message_id: str) -> RetryMessage:
    return RetryMessage(customer_id="cus_1", session_id=SESSION, message_id=message_id)


def answering(*answers: DeliverAnswer | None) -> Any:
    """These answers one after another, None being silence; afterwards everything is delivered."""
    left = list(answers)

    async def rule(request: Deliver) -> DeliverAnswer | None:
        return left.pop(0) if left else delivered()

    return rule


async def silent(request: Deliver) -> DeliverAnswer | None:
    return None


async def test_a_message_waits_while_nobody_owns_its_session_and_can_be_cancelled(stage: Stage) -> None:
    async with stage.sender() as sender:
        await sender.ready()
        cancelled, kept = await stage.send_many(2)
        await eventually(lambda: _attempted(stage, cancelled))
        await stage.command(cancel(cancelled))
        await stage.until(cancelled, "cancelled")
        await stage.network.open()
        await stage.until(kept, "sent")
        await stage.until_told(cancelled, ["queued", "cancelled"])
    assert stage.network.ids() == [kept]


async def _attempted(stage: Stage, message: str) -> bool:
    return (await stage.row(message)).get("attempts", 0) > 0


async def test_a_message_without_an_answer_is_handed_over_again_with_the_same_ids(stage: Stage) -> None:
    stage.network.rule = answering(None)
    await stage.network.open()
    async with stage.sender(answer_timeout_s="0.5") as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until(message, "sent")
        await stage.until_told(message, ["queued", "sending", "sent"])
    assert len(stage.network.asked) >= 2
    assert {(request.message_id, request.wa_id) for request in stage.network.asked} == {(message, whatsapp_id(message))}


async def test_a_message_whose_outcome_is_unknown_is_not_cancelled(stage: Stage) -> None:
    stage.network.rule = silent
    await stage.network.open()
    async with stage.sender(answer_timeout_s="0.3", retry_first_s="0.5") as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until_told(message, ["queued", "sending"])
        await stage.command(cancel(message))
        behind = await stage.send()
        await stage.until_told(behind, ["queued"])  # so the cancellation before it is handled
        stage.network.rule = answering()
        await stage.until_told(message, ["queued", "sending", "sent"])


async def test_an_unconnected_session_is_waited_for_visibly(stage: Stage) -> None:
    stage.network.rule = answering(refused("NOT_CONNECTED", retryable=True))
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        first, second = await stage.send_many(2)
        await eventually(lambda: _waits_for(stage, second, "session"))
        assert (await stage.row(first))["status"] == "queued"
        await stage.tell(session_fact("connected", epoch=2))
        await stage.until_told(second, ["queued", "sent"])
    assert stage.network.ids() == [first, first, second]
    held = [fact for fact in await stage.facts() if isinstance(fact, MessageHeld)]
    for message in (first, second):
        assert [fact.waiting_for for fact in held if fact.message_id == message] == ["session", None]


async def _waits_for(stage: Stage, message: str, reason: str) -> bool:
    return (await stage.row(message)).get("waitingFor") == reason


async def test_a_restriction_is_waited_for_with_its_end_also_over_a_restart(stage: Stage) -> None:
    """Its end comes nearer while nobody is at work, so that it is always the second that waits for it."""
    stage.network.rule = answering(refused("RESTRICTED", retryable=True, retry_in_s=3600))
    await stage.network.open()
    async with stage.sender("first") as first:
        await first.ready()
        message = await stage.send()
        await eventually(lambda: _waits_for(stage, message, "restriction"))
        await first.drain()
    assert (await stage.row(message))["resumeAt"] > datetime.now(UTC) + timedelta(minutes=50)
    resume_at = datetime.now(UTC) + timedelta(seconds=4)
    await stage.database["outbox"].update_one({"_id": message}, {"$set": {"resumeAt": resume_at}})
    async with stage.sender("second"):
        row = await stage.until(message, "sent")
        await stage.until_told(message, ["queued", "sent"])
    assert row["finishedAt"] >= resume_at - timedelta(milliseconds=1)
    held = [fact for fact in await stage.facts() if isinstance(fact, MessageHeld)]
    assert [fact.waiting_for for fact in held] == ["restriction"]


async def test_a_receipt_proves_that_an_unanswered_message_was_sent(stage: Stage) -> None:
    stage.network.rule = answering(None)
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message, following = await stage.send_many(2)
        await eventually(lambda: _asked(stage, 1))
        await stage.tell(receipt(message))
        await stage.until(following, "sent")
        await stage.until_told(message, ["queued", "sent"])
    assert stage.network.ids() == [message, following]


async def _asked(stage: Stage, number: int) -> bool:
    return len(stage.network.asked) >= number


async def test_a_receipt_raises_a_message_that_had_failed(stage: Stage) -> None:
    stage.network.rule = answering(refused("REFUSED", retryable=False))
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until(message, "failed")
        await stage.tell(receipt(message))
        row = await stage.until(message, "sent")
        await stage.until_told(message, ["queued", "failed", "sent"])
    assert row["code"] is None


async def test_a_failed_message_is_retried_once_with_the_same_ids(stage: Stage) -> None:
    stage.network.rule = answering(refused("REFUSED", retryable=False))
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until(message, "failed")
        await stage.command(retry(message))
        await stage.until(message, "sent")
        await stage.command(retry(message))
        after = await stage.send()
        await stage.until(after, "sent")
        await stage.until_told(message, ["queued", "failed", "queued", "sent"])
    assert stage.network.ids() == [message, message, after]
    assert {request.wa_id for request in stage.network.asked if request.message_id == message} == {whatsapp_id(message)}


async def test_a_cancelled_message_is_retried_after_a_restart_of_sender(stage: Stage) -> None:
    async with stage.sender("first") as first:
        await first.ready()
        message = await stage.send()
        await eventually(lambda: _attempted(stage, message))
        await stage.command(cancel(message))
        await stage.until(message, "cancelled")
        await first.drain()
    await stage.network.open()
    await stage.command(retry(message))
    async with stage.sender("second"):
        await stage.until(message, "sent")
        await stage.until_told(message, ["queued", "cancelled", "queued", "sent"])


async def test_a_message_expires_only_if_it_was_never_handed_over(stage: Stage) -> None:
    async with stage.sender(answer_timeout_s="0.3") as sender:
        await sender.ready()
        message = await stage.send(expires_at=datetime.now(UTC) + timedelta(seconds=1))
        await stage.until(message, "expired")
        await stage.until_told(message, ["queued", "expired"])
        await stage.tell(receipt(message))
        await stage.until(message, "sent")

        stage.network.rule = silent
        await stage.network.open()
        end = datetime.now(UTC) + timedelta(seconds=8)
        tried = await stage.send(expires_at=end)
        await eventually(lambda: _asked(stage, 1))
        behind = await stage.send(expires_at=end + timedelta(milliseconds=10))
        await stage.until(behind, "expired")
        assert (await stage.row(tried))["status"] == "sending"
        assert set(stage.network.ids()) == {tried}


async def test_a_scheduled_message_leaves_at_its_time_also_over_a_restart(stage: Stage) -> None:
    await stage.network.open()
    not_before = datetime.now(UTC) + timedelta(seconds=5)
    async with stage.sender("first") as first:
        await first.ready()
        scheduled = await stage.send(not_before=not_before)
        now = await stage.send()
        await stage.until(now, "sent")
        await first.drain()
    async with stage.sender("second"):
        row = await stage.until(scheduled, "sent")
    assert row["finishedAt"] >= not_before - timedelta(milliseconds=1)
    assert sorted(stage.network.ids()) == sorted([now, scheduled])


async def test_deleting_a_session_cancels_what_was_never_handed_over(stage: Stage) -> None:
    stage.network.rule = answering(refused("NOT_CONNECTED", retryable=True))
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        messages = await stage.send_many(3)
        for message in messages:
            await eventually(lambda message=message: _waits_for(stage, message, "session"))
        await stage.tell(session_fact("deleted", epoch=2))
        for message in messages:
            row = await stage.until(message, "cancelled")
            assert row["code"] == "SESSION_DELETED"
            await stage.until_told(message, ["queued", "cancelled"])


async def test_queue_depths_follow_the_queue(stage: Stage) -> None:
    async with stage.sender() as sender:
        await sender.ready()
        messages = await stage.send_many(4)
        depth = await eventually(lambda: stage.database["queue_depths"].find_one({"_id": SESSION, "open": 4}))
        assert depth is not None
        assert depth["oldestQueuedAt"] == (await stage.row(messages[0]))["acceptedAt"]
        await stage.network.open()
        await stage.until_all("sent", 4)
        await eventually(lambda: stage.database["queue_depths"].find_one({"_id": SESSION, "open": 0}))


async def test_told_facts_leave_their_rows(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until(message, "sent")

        async def nothing_untold() -> bool:
            return (await stage.row(message))["untold"] == []

        await eventually(nothing_untold)


async def test_a_text_too_long_for_memory_arrives_whole(stage: Stage) -> None:
    await stage.network.open()
    text = "x" * 60_000
    async with stage.sender() as sender:
        await sender.ready()
        await stage.until(await stage.send(text=text), "sent")
    assert [request.content.text for request in stage.network.asked] == [text]  # type: ignore[union-attr]
