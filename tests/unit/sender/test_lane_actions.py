"""Actions on messages, and contacts that wait alone, in the lane."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from libs.contracts.content import Edit, Reaction, Read, Revoke
from libs.contracts.errors import SendError
from libs.contracts.records import OutboxRow
from services.sender import rows
from tests.processes import eventually
from tests.unit.sender.desk import Desk, due_row, lane_with, refusal, script_of

ONE, OTHER = "6281111@s.whatsapp.net", "6282222@s.whatsapp.net"


def edit_of(message_id: str, *, order: int, action_id: str = "edit") -> OutboxRow:
    return due_row(action_id, order=order, about=message_id, content=Edit(wa_id="3EB0AA", text="better"))


def told_last(row: OutboxRow) -> dict[str, Any]:
    return row.untold[-1]


async def test_an_edit_leaves_behind_its_message_and_is_told_as_what_it_did() -> None:
    desk = Desk(script_of())
    lane_with(desk, due_row("m1", order=1), edit_of("m1", order=2))
    done = await desk.until("edit", rows.SENT)
    assert desk.asked == ["m1", "edit"]
    fact = told_last(done)
    assert (fact["kind"], fact["waId"], fact["text"], fact["fromMe"]) == ("MessageEdited", "3EB0AA", "better", True)
    assert done.content is None


async def test_an_edit_waits_while_its_message_is_tried_again() -> None:
    desk = Desk(script_of(refusal("TEMPORARY"), refusal("TEMPORARY"), refusal("TEMPORARY")))
    lane_with(desk, due_row("m1", order=1), due_row("m2", order=3), edit_of("m1", order=2))
    await desk.until("edit", rows.SENT)
    assert desk.asked.index("edit") > max(place for place, asked in enumerate(desk.asked) if asked == "m1")


async def test_an_edit_of_a_message_that_never_left_fails_and_says_so() -> None:
    desk = Desk(script_of())
    desk.statuses["m1"] = rows.FAILED
    lane_with(desk, edit_of("m1", order=2))
    ended = await desk.until("edit", rows.FAILED)
    assert desk.asked == []
    fact = told_last(ended)
    assert (fact["kind"], fact["messageId"], fact["action"], fact["code"]) == (
        "ActionFailed",
        "m1",
        "edit",
        SendError.NEVER_SENT,
    )


async def test_an_edit_that_waited_too_long_is_not_handed_over_and_says_so() -> None:
    desk = Desk(script_of())
    lane_with(desk, replace(edit_of("m1", order=2), expires_at=desk.now() - timedelta(seconds=1)))
    ended = await desk.until("edit", rows.EXPIRED)
    assert desk.asked == []
    fact = told_last(ended)
    assert (fact["kind"], fact["messageId"], fact["action"], fact["code"], fact["detail"]) == (
        "ActionFailed",
        "m1",
        "edit",
        SendError.EXPIRED,
        rows.TOO_LATE,
    )
    assert ended.content is None


async def test_a_reaction_is_told_as_a_message_and_as_what_it_did() -> None:
    desk = Desk(script_of())
    lane_with(desk, due_row("m1", order=1, content=Reaction(wa_id="3EB0AA", sender=ONE, emoji="👍")))
    sent, reacted = (await desk.until("m1", rows.SENT)).untold
    assert (sent["kind"], sent["status"]) == ("MessageProgressed", "sent")
    assert (reacted["kind"], reacted["waId"], reacted["emoji"]) == ("MessageReacted", "3EB0AA", "👍")
    assert (reacted["fromMe"], reacted["sender"], reacted["at"]) == (True, "", sent["at"])
    assert sent["id"] != reacted["id"]


async def test_a_reaction_that_whatsapp_refuses_is_told_as_failed_alone() -> None:
    desk = Desk(script_of(refusal("REFUSED", retryable=False)))
    lane_with(desk, due_row("m1", order=1, content=Reaction(wa_id="3EB0AA", sender=ONE, emoji="👍")))
    (failed,) = (await desk.until("m1", rows.FAILED)).untold
    assert (failed["kind"], failed["status"]) == ("MessageProgressed", "failed")


async def test_a_deletion_that_whatsapp_refuses_is_told_as_failed() -> None:
    desk = Desk(script_of(refusal("REFUSED", retryable=False)))
    row = due_row("gone", order=1, about="m1", content=Revoke(wa_id="3EB0AA", sender="6283@s.whatsapp.net"))
    lane_with(desk, row)
    fact = told_last(await desk.until("gone", rows.FAILED))
    assert (fact["kind"], fact["action"], fact["code"]) == ("ActionFailed", "revoke", "REFUSED")


async def test_that_messages_were_read_is_told_to_nobody() -> None:
    desk = Desk(script_of(refusal("OUTCOME_UNKNOWN", left=None)))
    lane_with(desk, due_row("read", order=1, about="m1", content=Read(wa_ids=["A"], sender=ONE)))
    done = await desk.until("read", rows.SENT)
    assert desk.asked == ["read", "read"]
    assert done.untold == []


async def test_a_contact_that_whatsapp_holds_back_waits_in_order_and_the_others_go_on() -> None:
    desk = Desk(script_of(refusal("CONTACT_RESTRICTED", retry_in_s=3600)))
    lane = lane_with(
        desk,
        due_row("a1", order=1, to=ONE),
        due_row("b1", order=2, to=OTHER),
        due_row("a2", order=3, to=ONE),
        due_row("b2", order=4, to=OTHER),
    )
    await desk.until("b2", rows.SENT)

    async def second_waits() -> bool:
        return "a2" in desk.stored and desk.stored["a2"].waiting_for == rows.FOR_RESTRICTION

    await eventually(second_waits, within_s=5)
    assert desk.asked == ["a1", "b1", "b2"]
    held = desk.stored["a1"]
    assert held.status == rows.QUEUED
    assert held.resume_at is not None
    assert held.resume_at - desk.now() > timedelta(minutes=59)
    lane.connected(2)
    await desk.until("a2", rows.SENT)
    assert desk.asked[3:] == ["a1", "a2"]
    assert not desk.stored["a1"].waiting_for
