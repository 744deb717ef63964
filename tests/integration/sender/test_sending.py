"""A message's way through sender on a real NATS and MongoDB: row, hand-over, answer, facts."""

from __future__ import annotations

from libs.contracts.ids import new_message_id, whatsapp_id
from tests.integration.sender.conftest import Stage, send_message


async def test_a_message_is_queued_handed_over_and_sent(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        message = await stage.send()
        row = await stage.until(message, "sent")
        await stage.until_told(message, ["queued", "sent"])
    assert [request.wa_id for request in stage.network.asked] == [whatsapp_id(message)]
    assert row["content"] is None
    assert row["finishedAt"] is not None


async def test_messages_of_a_session_leave_in_the_order_of_their_commands(stage: Stage) -> None:
    await stage.network.open()
    messages = await stage.send_many(60)
    async with stage.sender():
        await stage.until_all("sent", 60)
    assert stage.network.ids() == messages


async def test_a_command_that_comes_twice_makes_one_row_and_one_hand_over(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        command = send_message(new_message_id())
        for _ in range(3):
            await stage.command(command)
        await stage.until(command.message_id, "sent")
        await stage.command(command)
        after = await stage.send()
        await stage.until(after, "sent")
        await stage.until_told(command.message_id, ["queued", "sent"])
    assert stage.network.ids() == [command.message_id, after]
