"""WhatsApp takes a message and does not say so: the recipient sees it once, and nobody is told a lie."""

from __future__ import annotations

import pytest

from tests.faults.conftest import IMPATIENT
from tests.faults.line import Line
from tests.processes import eventually

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAITS = IMPATIENT
CONFLICT = 409
FINAL = 400


async def _send_into_silence(line: Line, *, times: int = 0, then_refused: bool = False, **more: object) -> str:
    """Send to somebody whose phone is off, while WhatsApp withholds its acks: the outcome is unknown.

    `then_refused`: each further attempt is. That is arranged while the first one still waits for its ack: once its
    outcome is told, the second has half a second.
    """
    await line.network.behave(line.contact, online=False)
    await line.network.breaks("withholdAck", phone=line.number, count=times)
    message = await line.send(**more)
    await eventually(lambda: line.network.has_met("withholdAck"))
    if then_refused:
        await line.network.breaks("nack", phone=line.number, code=FINAL)
    await line.until_message(message, status="sending")
    return message


async def _assert_arrives_once(line: Line, message: str, *, copies: int | None = None) -> None:
    await line.network.behave(line.contact, online=True)
    await line.until_message(message, status="delivered")
    await line.assert_arrived_once(message, copies=copies)


async def test_a_receipt_stands_in_for_an_ack_that_never_comes(line: Line) -> None:
    await line.network.breaks("withholdAck", phone=line.number, count=1)
    message = await line.send()
    await line.until_message(message, status="delivered", attempts=1)
    await line.assert_arrived_once(message, copies=1)


async def test_an_unknown_outcome_is_repeated_under_the_same_id(line: Line) -> None:
    message = await _send_into_silence(line, times=1)
    row = await line.until_message(message, status="sent")
    assert row["attempts"] == 2
    await _assert_arrives_once(line, message, copies=2)


async def test_a_message_of_unknown_outcome_does_not_expire(line: Line) -> None:
    message = await _send_into_silence(line, ttl=10)
    await eventually(lambda: line.network.has_met("withholdAck", times=3))  # the third begins after 10 s
    assert (await line.message(message))["status"] == "sending"
    await line.network.mended()
    await line.until_message(message, status="sent")
    await _assert_arrives_once(line, message)


async def test_a_message_of_unknown_outcome_is_not_cancelled(line: Line) -> None:
    message = await _send_into_silence(line)
    answer = await line.ask("DELETE", f"/messages/{message}")
    assert (answer.status_code, answer.json()["error"]) == (CONFLICT, "MESSAGE_NOT_CANCELLABLE")
    await line.network.mended()
    await line.until_message(message, status="sent")
    await _assert_arrives_once(line, message)


async def test_a_refusal_after_an_unknown_outcome_waits_for_a_receipt(line: Line) -> None:
    message = await _send_into_silence(line, times=1, then_refused=True)
    row = await line.until_message(message, waitingFor="receipt")
    assert (row["status"], row["error"]) == ("sending", None)
    assert row["resumeAt"] is not None
    await _assert_arrives_once(line, message, copies=1)


async def test_a_message_that_failed_in_the_end_is_raised_by_a_late_receipt(line: Line) -> None:
    message = await _send_into_silence(line, times=1, then_refused=True)
    row = await line.until_message(message, status="failed")
    assert row["error"]["code"] == "REFUSED"
    await _assert_arrives_once(line, message, copies=1)


async def test_a_retry_after_an_unknown_outcome_keeps_the_id(line: Line) -> None:
    message = await _send_into_silence(line, times=1, then_refused=True)
    failed = await line.until_message(message, status="failed")
    await line.network.mended()
    answer = await line.ask("POST", f"/messages/{message}/retry")
    assert answer.is_success, answer.text
    sent = await line.until_message(message, status="sent")
    assert sent["waId"] == failed["waId"]
    await _assert_arrives_once(line, message, copies=2)


async def test_a_recipient_without_acks_keeps_the_others_waiting_for_one_attempt_alone(line: Line) -> None:
    other = line.another_contact
    await line.network.add(other, "somebody else")
    await line.network.behave(line.contact, online=False)
    await line.network.breaks("withholdAck", phone=line.number, to=line.contact)
    first, behind = await line.send("first"), await line.send("behind")
    await eventually(lambda: line.network.has_met("withholdAck"))
    others = [await line.send(f"number {number}", to=other) for number in range(3)]
    for message in others:
        await line.until_message(message, status="delivered")
    assert await line.network.hits("withholdAck") <= 2  # one attempt held them up, and one more may have been due
    assert [(await line.message(message))["status"] for message in (first, behind)] == ["sending", "queued"]
    await line.network.mended()
    await _assert_arrives_once(line, first)
    await _assert_arrives_once(line, behind)
    assert [row["text"] for row in await line.network.shown(line.contact)] == ["first", "behind"]
