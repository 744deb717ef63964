"""The sessions service with the Go worker on the simulated network: the turns that the real protocol brings about."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local import golang
from libs.contracts import calls
from libs.contracts.calls import NotDelivered
from libs.contracts.events import MessageReceived, SessionChanged
from libs.contracts.ids import new_session_id
from services.sessions.lifecycle import END_MARGIN
from tests.engines.rig import Simulated, built
from tests.integration.sessions.world import NUMBER, World
from tests.processes import eventually

pytestmark = pytest.mark.needs_go
ANI = "6281300000002"


@pytest.fixture
async def simulated(world: World, tmp_path: Path) -> AsyncIterator[World]:
    """The world with the simulator in place of the scripted network."""
    network = Simulated(tmp_path)
    listening = await network.start()
    world.network, world.control_url = "simulator", listening.control
    world.settings = {
        "engine_binary": str(built(golang.ENGINE)),
        "runtime_dir": str(tmp_path / "run"),
        "wa_endpoint": listening.endpoint,
        "wa_root_key": listening.root_key,
    }
    yield world
    network.kill()


async def test_a_pairing_code_links(simulated: World) -> None:
    session = new_session_id()
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.wish(session, running=True, starts=1)
        await simulated.control("POST", "/phones", number=NUMBER, name="Ani")
        answer = await simulated.ask(session, calls.RequestPairCode(session_id=session, phone=NUMBER))
        assert isinstance(answer, calls.PairCodeIssued), answer
        typed = await simulated.control("POST", f"/phones/{NUMBER}/scan", pairCode=answer.code)
        assert typed.status_code == 200, typed.text
        await eventually(simulated.status_is(session, "connected"))


async def test_a_scan_that_wants_a_passkey_links_once_it_has_answered(simulated: World) -> None:
    session = new_session_id()
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.wish(session, running=True, starts=1)
        await eventually(simulated.status_is(session, "qr_ready"))
        await simulated.control("POST", "/phones", number=NUMBER, name="Ani")
        await simulated.control("POST", "/phones", number=ANI, name="Budi")
        await simulated.control("POST", "/faults", kind="passkey", count=1)
        scan = simulated.scanning(session)
        challenge = await simulated.one_fact(SessionChanged, lambda fact: fact.update == "passkey")

        assert await _answered(simulated, session, challenge, ANI) == "REFUSED"
        await simulated.one_fact(SessionChanged, lambda fact: fact.reason == "refused")
        assert await _answered(simulated, session, challenge, NUMBER) == "AskDone"

        # a scanned code proves that both are in one hand: WhatsApp wants no comparison then
        await eventually(simulated.status_is(session, "connected"))
        assert (await scan).status_code == 200


async def _answered(simulated: World, session: str, challenge: SessionChanged, number: str) -> str:
    """What became of the answer that this person's passkey gives."""
    options = json.loads(challenge.passkey or "")
    assertion = await simulated.control("POST", f"/phones/{number}/passkey", challenge=options["challenge"])
    answer = await simulated.ask(session, calls.AnswerPasskey(session_id=session, response=assertion.text))
    return answer.code if isinstance(answer, calls.AskFailed) else type(answer).__name__


async def test_a_timelock_holds_new_contacts_back_until_its_end(simulated: World) -> None:
    session = new_session_id()
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.link(session)
        await simulated.control("POST", "/phones", number="6281999")
        await simulated.control("POST", "/faults", kind="timelock", expireS=600)
        told = await simulated.one_fact(SessionChanged, lambda fact: fact.update == "restricted")
        assert told.resume_at is not None
        held = await simulated.deliver(session, "41")
        assert isinstance(held, NotDelivered)
        assert held.code == "CONTACT_RESTRICTED"
        assert 0 < (held.retry_in_s or 0) <= 600 + END_MARGIN.total_seconds()
        await simulated.control("POST", "/faults", kind="timelock", expireS=3)
        assert await simulated.delivered(session, "41")


async def test_numbers_groups_and_media_are_asked_for(simulated: World) -> None:
    session = new_session_id()
    picture = b"\x89PNG made up"
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.link(session)
        await simulated.write(ANI, type="image", media=base64.b64encode(picture).decode(), mimetype="image/png")
        fact = await simulated.one_fact(MessageReceived)
        checked = await simulated.ask(session, calls.CheckNumbers(session_id=session, phones=[ANI, "6281777777777"]))
        made = await simulated.ask(
            session, calls.CreateGroup(session_id=session, subject="team", participants=[f"{ANI}@s.whatsapp.net"])
        )
        fetched = await simulated.ask(
            session,
            calls.FetchMedia(
                session_id=session,
                customer_id="cus_1",
                media_id="in_1",
                mimetype="image/png",
                ref=fact.media_ref or b"",
                most_bytes=1000,
            ),
        )

        assert checked == calls.NumbersChecked(jids={ANI: f"{ANI}@s.whatsapp.net", "6281777777777": None})
        assert [(group.subject, len(group.members)) for group in made.groups] == [("team", 2)]
        assert isinstance(fetched, calls.MediaFetched), fetched
        assert fetched.bytes == len(picture)
        stored = await simulated.database["media.files"].find_one({"_id": "in_1"}) or {}
        assert stored["metadata"]["sha256"] == fetched.sha256
        assert stored["metadata"]["keepUntil"] > datetime.now(UTC)


async def test_a_group_whose_making_was_interrupted_is_not_made_again(simulated: World) -> None:
    session = new_session_id()
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.link(session)
        await simulated.control("POST", "/phones", number=ANI, name="Ani")
        await simulated.control("POST", "/faults", kind="delay", phone=NUMBER, ms=60_000)
        wish = calls.CreateGroup(session_id=session, subject="team", participants=[f"{ANI}@s.whatsapp.net"])
        making = asyncio.create_task(simulated.ask(session, wish))
        await eventually(lambda: _groups(simulated))
        await eventually(simulated.has_met_a_fault)
        await simulated.control("DELETE", "/faults")  # what waits already, waits on
        await simulated.control("POST", "/faults", kind="drop", phone=NUMBER)

        answer = await making
        assert (type(answer), answer.code) == (calls.AskFailed, "INTERRUPTED")
        found = await simulated.ask(session, calls.ListGroups(session_id=session))
        assert [group.subject for group in found.groups] == ["team"]
        assert len(await _groups(simulated)) == 1


async def test_a_question_that_was_interrupted_is_asked_again(simulated: World) -> None:
    session = new_session_id()
    async with simulated.sessions() as process:
        await process.ready()
        await simulated.link(session)
        await simulated.control("POST", "/faults", kind="delay", phone=NUMBER, ms=60_000)
        asking = asyncio.create_task(simulated.ask(session, calls.ListGroups(session_id=session)))
        await eventually(simulated.has_met_a_fault)
        await simulated.control("DELETE", "/faults")  # what waits already, waits on
        await simulated.control("POST", "/faults", kind="drop", phone=NUMBER)
        assert await asking == calls.GroupsFound(groups=[])


async def _groups(world: World) -> list[Any]:
    return (await world.control("GET", "/groups")).json()["groups"]
