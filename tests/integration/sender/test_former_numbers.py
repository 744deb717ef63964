"""Another number links while messages wait: on a real NATS and MongoDB, with an owner that knows its number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import DiscardQueue, ReleaseQueue, RetryMessage
from libs.contracts.errors import SendError
from libs.contracts.events import MessageProgressed
from libs.contracts.numbers import with_number
from libs.contracts.records import LinkedNumber
from tests.integration.sender.conftest import SESSION, Stage
from tests.integration.sender.network import delivered, refused
from tests.integration.sender.test_waiting import session_fact
from tests.processes import eventually

A, B = "6281111111111", "6282222222222"
OWN: dict[str, Any] = {"customer_id": "cus_1", "session_id": SESSION}


class Owner:
    """The owner of the session: hands over what its number may send, and knows no other."""

    def __init__(self, stage: Stage, number: str) -> None:
        self._stage, self.number, self.online = stage, number, True
        self._numbers: list[LinkedNumber] = []
        stage.network.rule = self._answer

    async def _answer(self, call: Deliver) -> DeliverAnswer:
        if not self.online:
            return refused(SendError.NOT_CONNECTED, retryable=True)
        if call.number not in (None, self.number):
            return refused(SendError.OTHER_NUMBER, retryable=True)
        return delivered()

    async def link(self, number: str, connection: int) -> None:
        self.number, self.online = number, True
        self._numbers = with_number(self._numbers, number, datetime.now(UTC))
        numbers = msgspec.to_builtins(self._numbers, builtin_types=(datetime,))
        state = {"status": "connected", "numbers": numbers, "phone": number}
        await self._stage.database["session_states"].update_one({"_id": SESSION}, {"$set": state}, upsert=True)
        await self._stage.tell(session_fact("connected", connection=connection))


async def until_undecided(stage: Stage, number: int) -> None:
    async def ask() -> bool:
        held = await stage.database["outbox"].count_documents({"waitingFor": "former_number"})
        depth = await stage.database["queue_depths"].find_one({"_id": SESSION}) or {}
        return held == number and depth.get("undecided", 0) == number

    await eventually(ask)


async def sent_from(stage: Stage, message_id: str) -> str | None:
    async def ask() -> MessageProgressed | None:
        facts = [fact for fact in await stage.facts() if isinstance(fact, MessageProgressed)]
        return next((each for each in facts if (each.message_id, each.status) == (message_id, "sent")), None)

    told = await eventually(ask)
    assert told is not None
    return told.number


async def relinked(stage: Stage) -> tuple[str, str, str]:
    """A was linked and went; two messages and a scheduled one were queued under it; B is linked. Their ids."""
    owner = Owner(stage, A)
    await owner.link(A, 1)
    first = await stage.send()
    await stage.until(first, "sent")
    assert await sent_from(stage, first) == A
    owner.online = False
    queued = await stage.send_many(2)
    later = await stage.send(not_before=datetime.now(UTC) + timedelta(hours=1))
    await stage.until(later, "queued")
    await owner.link(B, 2)
    await until_undecided(stage, 3)
    return queued[0], queued[1], later


async def test_what_was_queued_under_a_former_number_leaves_when_it_is_released(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        one, two, later = await relinked(stage)
        new = await stage.send()
        await stage.until(new, "sent")
        assert await sent_from(stage, new) == B
        await stage.command(ReleaseQueue(**OWN, number=A))
        await stage.command(ReleaseQueue(**OWN, number=B))
        await stage.until(two, "sent")
        await until_undecided(stage, 0)
        assert (await stage.row(later))["waitingFor"] == "schedule"
        assert [await sent_from(stage, each) for each in (one, two)] == [B, B]
        assert stage.network.ids().index(one) < stage.network.ids().index(two)


async def test_it_survives_its_owner_and_is_cancelled_when_it_is_discarded(stage: Stage) -> None:
    await stage.network.open()
    async with stage.sender() as sender:
        await sender.ready()
        one, two, later = await relinked(stage)
        sender.kill()
        await sender.ended()
    asked = len(stage.network.asked)
    async with stage.sender("two") as sender:
        await sender.ready()
        new = await stage.send()
        await stage.until(new, "sent")
        await stage.command(DiscardQueue(**OWN, number=B))
        await stage.until_all("cancelled", 3)
        await until_undecided(stage, 0)
        assert stage.network.ids()[asked:] == [new]
        await stage.command(RetryMessage(**OWN, message_id=one))
        await stage.until(one, "sent")
        assert await sent_from(stage, one) == B
        assert {(await stage.row(each))["status"] for each in (two, later)} == {"cancelled"}


async def test_a_message_accepted_under_a_former_number_and_heard_of_later_waits_too(stage: Stage) -> None:
    """Sender was away while the link changed."""
    owner = Owner(stage, A)
    await stage.network.open()
    await owner.link(A, 1)
    late = await stage.send()
    await owner.link(B, 2)
    new = await stage.send()
    async with stage.sender() as sender:
        await sender.ready()
        await stage.until(new, "sent")
        await until_undecided(stage, 1)
        assert (await stage.row(late))["status"] == "queued"
        assert stage.network.ids() == [new]
