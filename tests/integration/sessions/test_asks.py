"""What the edge asks of a session's owner, over NATS: answered, or refused with a code and a sentence."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest

from libs.contracts import calls
from libs.contracts.events import MessageReceived, SessionChanged
from libs.contracts.ids import new_session_id, session_call_subject, shard_of
from services.sessions.asks import ASK_WITHIN_S
from tests.integration.sessions.world import NUMBER, SHARDS, World
from tests.processes import PATIENCE_S, eventually

ANI, BUDI = "6281300000002", "6281400000003"
PICTURE = b"\x89PNG made up"


def jid(number: str) -> str:
    return f"{number}@s.whatsapp.net"


async def test_who_is_not_here_or_not_connected_is_not_connected_at_once(world: World) -> None:
    stopped = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(stopped)
        await eventually(world.status_is(stopped, "created"))
        for session in (stopped, new_session_id()):
            question = calls.ListGroups(session_id=session)
            await world.ask(session, question)  # its shard has an owner now
            began = time.monotonic()
            answer = await world.ask(session, question)
            assert isinstance(answer, calls.AskFailed)
            assert answer.code == "NOT_CONNECTED"
            assert time.monotonic() - began < ASK_WITHIN_S / 2, "it waited for a connection"


async def test_a_session_that_is_coming_back_is_waited_for(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="drop")
        for _ in range(20):
            answer = await world.ask(session, calls.ListGroups(session_id=session))
            assert answer == calls.GroupsFound(groups=[])
        assert "reconnecting" in await world.told(session)


async def test_one_that_does_not_come_back_is_not_connected(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="drop", **{"for": 600_000})
        await eventually(world.status_is(session, "reconnecting"))
        answer = await world.ask(session, calls.ListGroups(session_id=session))
        assert answer.code == "NOT_CONNECTED"


async def test_a_question_that_nobody_understands_is_answered_too(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.ask(session, calls.ListGroups(session_id=session))
        subject = session_call_subject("scripted", shard_of(session, SHARDS))
        reply = await world.bus.nats.request(subject, b'{"kind": "Marry"}', timeout=PATIENCE_S)
        assert json.loads(reply.data)["code"] == "NOT_POSSIBLE"


async def test_a_number_that_was_found_is_not_asked_for_again(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        for number in (ANI, BUDI):
            await world.control("POST", "/phones", number=number)
        await world.control("PATCH", f"/phones/{BUDI}", onWhatsApp=False)
        question = calls.CheckNumbers(session_id=session, phones=[ANI, BUDI])

        first = await world.ask(session, question)
        await world.control("PATCH", f"/phones/{ANI}", onWhatsApp=False)
        again = await world.ask(session, question)

        assert first == again == calls.NumbersChecked(jids={ANI: jid(ANI), BUDI: None})


async def test_too_many_numbers_at_once_are_refused(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        answer = await world.ask(session, calls.CheckNumbers(session_id=session, phones=[ANI] * 101))
        assert answer.code == "NOT_POSSIBLE"


async def test_groups_are_made_listed_and_changed(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        made = await world.ask(session, calls.CreateGroup(session_id=session, subject="team", participants=[jid(ANI)]))
        group = made.groups[0]
        changed = await world.ask(
            session,
            calls.ChangeParticipants(
                session_id=session, group=group.jid, action="add", participants=[jid(ANI), jid(BUDI)]
            ),
        )
        listed = await world.ask(session, calls.ListGroups(session_id=session))

        assert (group.subject, [(each.jid, each.role) for each in group.members]) == (
            "team",
            [(jid(NUMBER), "owner"), (jid(ANI), "member")],
        )
        assert changed.codes == {jid(ANI): 409, jid(BUDI): None}
        assert [len(each.members) for each in listed.groups] == [3]


async def test_a_chat_sees_that_we_type(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/phones", number=ANI)
        shown = calls.ShowPresence(session_id=session, chat=jid(ANI), presence="composing")
        assert await world.ask(session, shown) == calls.AskDone()
        typed = (await world.control("GET", f"/phones/{ANI}/presence")).json()["shown"]
        assert [(each["from"], each["state"]) for each in typed] == [(NUMBER, "composing")]


async def test_an_incoming_medium_is_fetched_once_and_may_be_asked_for_twice(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.write(ANI, type="image", media=base64.b64encode(PICTURE).decode(), mimetype="image/png")
        fact = await world.one_fact(MessageReceived)
        question = calls.FetchMedia(
            session_id=session,
            customer_id="cus_1",
            media_id="in_1",
            mimetype="image/png",
            ref=fact.media_ref or b"",
            most_bytes=1000,
        )

        answers = [await world.ask(session, question) for _ in range(2)]

        assert fact.media_bytes == len(PICTURE)
        assert {type(each) for each in answers} == {calls.MediaFetched}
        assert answers[0].bytes == len(PICTURE)
        stored = await world.database["media.files"].find_one({"_id": "in_1"}) or {}
        metadata = stored["metadata"]
        assert (metadata["customerId"], metadata["mimetype"], metadata["sha256"]) == (
            "cus_1",
            "image/png",
            answers[0].sha256,
        )
        assert metadata["keepUntil"] > datetime.now(UTC)


@pytest.mark.parametrize(
    ("ref", "most_bytes", "code"),
    [pytest.param(None, 3, "TOO_LARGE", id="too large"), pytest.param(b"old", 1000, "GONE", id="gone")],
)
async def test_a_medium_that_cannot_be_fetched_says_why(
    world: World, ref: bytes | None, most_bytes: int, code: str
) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.write(ANI, type="image", media=base64.b64encode(PICTURE).decode())
        fact = await world.one_fact(MessageReceived)
        question = calls.FetchMedia(
            session_id=session,
            customer_id="cus_1",
            media_id="in_1",
            mimetype="image/png",
            ref=ref or fact.media_ref or b"",
            most_bytes=most_bytes,
        )
        assert (await world.ask(session, question)).code == code


# --- Links ------------------------------------------------------------------------------------------------------------


async def test_a_pairing_code_is_shown_and_links(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(session, running=True, starts=1)
        await world.control("POST", "/phones", number=NUMBER)

        answer = await _issued(world, session)

        told = await world.one_fact(SessionChanged, lambda fact: fact.update == "pair_code")
        state = await world.state(session)
        assert told.pair_code == state["pairCode"] == answer.code
        assert (state["status"], state["qr"]) == ("qr_ready", None)
        typed = await world.control("POST", f"/phones/{NUMBER}/scan", pairCode=answer.code)
        assert typed.status_code == 200, typed.text
        await eventually(world.status_is(session, "connected"))


async def _issued(world: World, session: str) -> calls.PairCodeIssued:
    answer = await world.ask(session, calls.RequestPairCode(session_id=session, phone=NUMBER))
    assert isinstance(answer, calls.PairCodeIssued), answer
    return answer


async def test_a_second_pairing_code_takes_the_place_of_the_first(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(session, running=True, starts=1)
        first, second = await _issued(world, session), await _issued(world, session)
        assert first.code != second.code
        assert (await world.state(session))["pairCode"] == second.code


async def test_a_session_that_is_just_being_made_has_its_pairing_code_though_the_poke_got_lost(world: World) -> None:
    session = new_session_id()
    async with world.sessions(reconcile_every_s="2") as process:
        await process.ready()
        await world.ask(session, calls.ListGroups(session_id=session))
        await world.wish(session, poke=False, running=True, starts=1)
        assert (await _issued(world, session)).code


async def test_neither_a_stopped_nor_a_linked_session_has_a_pairing_code(world: World) -> None:
    stopped, linked = new_session_id(), new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(stopped, name="stopped")
        await eventually(world.status_is(stopped, "created"))
        await world.link(linked)
        for session in (stopped, linked):
            answer = await world.ask(session, calls.RequestPairCode(session_id=session, phone=NUMBER))
            assert answer.code == "NOT_POSSIBLE", answer


async def test_a_passkey_is_asked_for_answered_compared_and_then_links(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(session, running=True, starts=1)
        await eventually(world.status_is(session, "qr_ready"))
        await world.control("POST", "/phones", number=NUMBER)
        await world.control("POST", "/faults", kind="passkey", count=1)
        early = await world.ask(session, calls.AnswerPasskey(session_id=session, response="{}"))
        assert early.code == "NOT_POSSIBLE"

        scan = world.scanning(session)
        challenge = await world.one_fact(SessionChanged, lambda fact: fact.update == "passkey")
        options = json.loads(challenge.passkey or "")
        wrong = await world.ask(session, calls.AnswerPasskey(session_id=session, response="{}"))
        assertion = await world.control("POST", f"/phones/{NUMBER}/passkey", challenge=options["challenge"])
        taken = await world.ask(session, calls.AnswerPasskey(session_id=session, response=assertion.text))
        await world.one_fact(SessionChanged, lambda fact: fact.reason == "compare_code")
        shown = (await world.control("GET", f"/phones/{NUMBER}/passkey")).json()["code"]

        assert (wrong.code, taken) == ("REFUSED", calls.AskDone())
        state = await world.state(session)
        assert (state["status"], state["passkey"]) == ("passkey_required", shown)
        assert await world.ask(session, calls.ConfirmPasskey(session_id=session)) == calls.AskDone()
        await eventually(world.status_is(session, "connected"))
        assert (await scan).status_code == 200
