"""The sessions service as a process, on the scripted network: link, resume, hand-over, logout, delete, crash points."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.contracts.calls import NotDelivered
from libs.contracts.errors import SendError
from libs.contracts.events import MessageReceived, ReceiptReceived
from libs.contracts.ids import new_session_id
from tests.integration.sessions.world import NUMBER, World
from tests.processes import eventually


async def test_a_session_is_linked_sends_and_hears_receipts_and_answers(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        assert await world.delivered(session, "01")
        await world.control("POST", f"/phones/{NUMBER}/messages", to=NUMBER, type="text", text="hello back")

        async def heard() -> bool:
            facts = await world.facts()
            return any(isinstance(f, ReceiptReceived) and f.receipt == "delivered" for f in facts) and any(
                isinstance(f, MessageReceived) and f.text == "hello back" and f.chat == NUMBER for f in facts
            )

        await eventually(heard)
        assert await world.told(session) == ["created", "starting", "qr", "connecting", "connected"]


async def test_a_link_outlives_its_process_without_a_new_code(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        process.kill()
        await process.ended()
    async with world.sessions(replica="r2") as second:
        await second.ready()

        assert await world.delivered(session, "02")
        await world.until_told(session, "reconnecting", "connected")
        assert (await world.told(session)).count("qr") == 1


async def test_a_stopped_session_keeps_its_link_and_a_logged_out_one_does_not(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.wish(session, running=False)
        await world.until_told(session, "stopped")
        assert (await world.state(session))["status"] == "stopped"
        refused = await world.deliver(session, "03")
        assert isinstance(refused, NotDelivered)
        assert refused.code == SendError.NOT_CONNECTED
        await world.wish(session, running=True, starts=2)
        await eventually(world.status_is(session, "connected"))
        await world.wish(session, logouts=1)
        await eventually(world.status_is(session, "logged_out"))
        state = await world.state(session)
        assert (state["linked"], state["phone"]) == (False, None)
        await world.wish(session, starts=3)
        await eventually(world.status_is(session, "qr_ready"))


async def test_a_drop_heals_by_itself_and_an_unlink_by_the_phone_is_told(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="drop")
        await world.until_told(session, "reconnecting", "connected")
        await world.control("POST", f"/phones/{NUMBER}/unlink")
        await eventually(world.status_is(session, "logged_out"))
        assert (await world.state(session))["reason"] == "unlinked_401"


async def test_a_deleted_session_is_unlinked_and_its_keys_go(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        assert await world.database["scripted_devices"].count_documents({}) == 1
        await world.wish(session, live=False, running=False, deleted_at=datetime.now(UTC))

        async def cleaned() -> bool:
            return bool((await world.state(session)).get("cleaned"))

        await eventually(cleaned)
        assert await world.database["scripted_devices"].count_documents({}) == 0
        assert (await world.told(session))[-1] == "deleted"


async def test_a_caller_with_a_lower_epoch_is_refused(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        assert await world.delivered(session, "04", epoch=7)
        stale = await world.deliver(session, "05", epoch=6)
        assert isinstance(stale, NotDelivered)
        assert stale.code == SendError.STALE


@pytest.mark.parametrize("point", ["sessions.after_write", "sessions.after_publish"])
async def test_a_crash_between_write_and_publish_loses_no_fact(world: World, tmp_path: Path, point: str) -> None:
    session = new_session_id()
    armed = f"{point}@{tmp_path / 'crashed'}"
    async with world.sessions(crash_at=armed) as process:
        await process.ready()
        await world.wish(session, running=True, starts=1)
        assert await process.ended() == -9
    async with world.sessions(replica="r2") as second:
        await second.ready()

        async def shown() -> bool:
            return "qr" in await world.told(session)

        await eventually(shown)
    told = await world.told(session)
    assert told[0] == "created"
    assert told.count("created") == 1


async def test_another_number_links_and_what_belongs_to_the_former_one_does_not_leave_from_it(world: World) -> None:
    session, other = new_session_id(), "6289876543210"
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        assert await world.delivered(session, "01")
        assert (await world.deliver(session, "02", only_from=NUMBER)).number == NUMBER
        await world.wish(session, logouts=1)
        await eventually(world.status_is(session, "logged_out"))
        await world.wish(session, starts=2)
        await eventually(world.status_is(session, "qr_ready"))
        await world.control("POST", "/phones", number=other, name="Budi")
        code = (await world.state(session))["qr"]
        assert (await world.control("POST", f"/phones/{other}/scan", qr=code)).status_code == 200
        await eventually(world.status_is(session, "connected"))
        assert await world.delivered(session, "03")
        refused = await world.deliver(session, "04", only_from=NUMBER)
        assert isinstance(refused, NotDelivered)
        assert (refused.code, refused.left) == (SendError.OTHER_NUMBER, False)
        assert (await world.deliver(session, "05", only_from=other)).number == other
        assert [each["number"] for each in (await world.state(session))["numbers"]] == [NUMBER, other]
        await world.control("POST", "/phones", number="6281333", name="Cici")
        await world.control("POST", "/phones/6281333/messages", to=other, type="text", text="for the new one")
        assert (await world.one_fact(MessageReceived)).number == other
