"""Paced sessions, young links, scheduled messages and actions, on a real NATS and MongoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.contracts.commands import ActOnMessage
from libs.contracts.content import Context, Edit, Quote, Revoke
from libs.contracts.events import ActionFailed, MessageEdited, MessageHeld, SessionStatus
from libs.contracts.ids import new_message_id, whatsapp_id
from tests.integration.sender.conftest import SESSION, Stage
from tests.integration.sender.network import refused
from tests.integration.sender.test_waiting import answering, session_fact
from tests.processes import eventually

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


async def session_is(stage: Stage, *, pacing: dict[str, Any] | None = None, **state: Any) -> None:
    """What api and sessions have stored about the session."""
    await stage.database["sessions"].insert_one({"_id": SESSION, "live": True, "pacing": pacing})
    await stage.database["session_states"].insert_one({"_id": SESSION, "status": "connected", **state})


def act(message_id: str, action: Edit | Revoke) -> ActOnMessage:
    return ActOnMessage(
        customer_id="cus_1",
        session_id=SESSION,
        action_id=new_message_id(),
        message_id=message_id,
        engine="simulator",
        to="6281234567890@s.whatsapp.net",
        action=action,
        accepted_at=now(),
    )


async def held(stage: Stage, message_id: str, reason: str) -> MessageHeld:
    """What was told of the message's waiting for this, awaited: it may be over by now."""

    async def look() -> MessageHeld | None:
        facts = [fact for fact in await stage.facts() if isinstance(fact, MessageHeld)]
        return next((each for each in facts if (each.message_id, each.waiting_for) == (message_id, reason)), None)

    found = await eventually(look)
    assert found is not None
    return found


async def test_a_sessions_own_pace_is_kept_and_said(stage: Stage) -> None:
    await session_is(stage, pacing={"perMinute": 60, "burst": 2, "jitter": 0.0, "newContacts": False})
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        first = await stage.send()
        await stage.until(first, "sent")
        later = await stage.send_many(8)
        told = await held(stage, later[7], "pacing")
        assert told.resume_at is not None
        assert told.resume_at > told.at
        fifth = await stage.until(later[3], "sent")
        began = (await stage.row(first))["acceptedAt"]
        assert fifth["finishedAt"] - began > timedelta(seconds=2.9), "after two at once, one each second"
        await stage.until_told(later[3], ["queued", "sent"])


async def test_a_young_link_lets_strangers_wait_and_tells_until_when(stage: Stage) -> None:
    own = {"perMinute": 0, "burst": 1, "jitter": 0.0, "newContacts": True}
    await session_is(stage, pacing=own, linkedAt=now() - HOUR)
    reached = [{"_id": f"{SESSION}/{n}", "sessionId": SESSION, "at": now() - HOUR} for n in range(20)]
    await stage.database["first_contacts"].insert_many(reached)
    await stage.database["messages"].insert_one(
        {"_id": "x", "sessionId": SESSION, "chat": "6285550001", "direction": "in", "messageId": "in-1"}
    )
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        stranger = await stage.send(to="6285559999@s.whatsapp.net")
        friend = await stage.send(to="6285550001@s.whatsapp.net")
        await stage.until(friend, "sent")
        await eventually(lambda: _waits_for(stage, stranger, "new_contacts"))
        assert (await stage.row(stranger))["resumeAt"] > now() + 22 * HOUR
    assert stage.network.ids() == [friend]


async def test_a_restricted_number_writes_to_strangers_when_it_is_over(stage: Stage) -> None:
    await session_is(stage, resumeAt=now() + HOUR)
    await stage.database["session_states"].update_one({"_id": SESSION}, {"$set": {"status": "restricted"}})
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        stranger = await stage.send()
        await eventually(lambda: _waits_for(stage, stranger, "restriction"))
        await stage.database["session_states"].update_one(
            {"_id": SESSION}, {"$set": {"status": SessionStatus.CONNECTED, "resumeAt": None}}
        )
        await stage.tell(session_fact("connected", connection=2))
        await stage.until(stranger, "sent")


async def test_a_scheduled_message_waits_for_its_time_over_a_restart(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender("first") as first:
        await first.ready()
        due = now() + timedelta(seconds=6)
        message = await stage.send(not_before=due)
        told = await held(stage, message, "schedule")
    async with stage.sender("second"):
        await stage.until(message, "sent")
    assert now() >= due
    assert told.resume_at is not None
    assert abs(told.resume_at - due) < timedelta(milliseconds=2)


async def test_an_edit_is_handed_over_behind_its_message_and_told_once(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        quote = Context(quote=Quote(wa_id="3EB0QUOTED", text="before"), mentions=["6281@s.whatsapp.net"])
        message = await stage.send(context=quote)
        edit = act(message, Edit(wa_id=whatsapp_id(message), text="better"))
        await stage.command(edit)
        await stage.command(edit)
        after = await stage.send()
        await stage.until_told(after, ["queued", "sent"])
        assert stage.network.ids() == [message, edit.action_id, after]
        assert stage.network.asked[0].context == quote
        assert stage.network.asked[1].wa_id == whatsapp_id(edit.action_id)
        edits = await _edits(stage)
        assert [(edit.wa_id, edit.text, edit.from_me) for edit in edits] == [(whatsapp_id(message), "better", True)]
        await stage.until_told(edit.action_id, [])


async def test_an_edit_of_a_message_that_failed_is_told_as_failed(stage: Stage) -> None:
    stage.network.rule = answering(refused("REFUSED", retryable=False))
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message = await stage.send()
        await stage.until(message, "failed")
        edit = act(message, Edit(wa_id=whatsapp_id(message), text="better"))
        await stage.command(edit)
        await stage.until(edit.action_id, "failed")

        async def told() -> bool:
            return any(isinstance(fact, ActionFailed) and fact.message_id == message for fact in await stage.facts())

        await eventually(told)


async def _edits(stage: Stage) -> list[MessageEdited]:
    return [fact for fact in await stage.facts("received") if isinstance(fact, MessageEdited)]


async def _waits_for(stage: Stage, message_id: str, reason: str) -> bool:
    return (await stage.row(message_id)).get("waitingFor") == reason
