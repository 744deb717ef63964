"""What WhatsApp does to a session, one fault at a time: the right state, the right waiting, and no double send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.conftest import IMPATIENT
from tests.faults.line import Line
from tests.processes import eventually

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAITS = IMPATIENT | {"MERPATI_DELIVER_DEADLINE_S": "15", "MERPATI_ANSWER_TIMEOUT_S": "30"}
"""Nothing here waits for an ack that does not come; one that is late must not be sent for again."""
FINAL, TRY_LATER, HELD_BACK = 400, 503, 463
CONFLICT = 409
ON_THE_SIMULATOR = pytest.mark.parametrize(
    "whatsapp_stack", [pytest.param("simulator", marks=pytest.mark.needs_go)], indirect=True
)
"""The scripted network is asked no questions that it could refuse."""
REPLACED_PAUSE_S, CONTACT_PAUSE_S, LOCKED_S, BANNED_S, MARGIN_S = 60, 300, 60, 10, 2


def _from_now(text: str) -> float:
    """Seconds until this time."""
    return (datetime.fromisoformat(text) - datetime.now(UTC)) / timedelta(seconds=1)


async def _delivered_once(line: Line, message: str, *, copies: int | None = None) -> None:
    await line.until_message(message, status="delivered")
    await line.assert_arrived_once(message, copies=copies)


# --- Messages --------------------------------------------------------------------------------------------------------


async def test_a_final_refusal_fails_at_once_and_a_retry_may_succeed(line: Line) -> None:
    await line.network.breaks("nack", phone=line.number, code=FINAL, count=1)
    message = await line.send()
    row = await line.until_message(message, status="failed")
    assert (row["error"]["code"], row["attempts"], row["waitingFor"]) == ("REFUSED", 1, None)
    await line.assert_nothing_arrived()
    assert (await line.ask("POST", f"/messages/{message}/retry")).is_success
    await _delivered_once(line, message, copies=1)


async def test_a_refusal_for_now_is_tried_again_and_the_others_wait_behind_it(line: Line) -> None:
    await line.network.breaks("nack", phone=line.number, code=TRY_LATER)
    first, second = await line.send("first"), await line.send("second")
    row = await line.until_message(first, waitingFor="retry")
    assert row["status"] == "queued"
    await line.network.mended()
    await _delivered_once(line, first, copies=1)
    await _delivered_once(line, second, copies=1)
    assert [row["text"] for row in await line.network.shown(line.contact)] == ["first", "second"]


async def test_what_arrives_twice_is_told_once(line: Line) -> None:
    await line.network.breaks("duplicate")
    await line.network.write(line.contact, line.number, "Apakah masih ada?")
    await _delivered_once(line, await line.send())
    await line.network.mended()
    await line.network.write(line.contact, line.number, "Halo?")

    async def heard() -> list[str]:
        """Once the second is there, so is all that came before it; within a second the list has no order."""
        listed = (await line.ask("GET", "/messages", params={"session": line.session, "direction": "in"})).json()
        texts = sorted(row["text"] for row in listed["messages"])
        return texts if "Halo?" in texts else []

    assert await eventually(heard) == ["Apakah masih ada?", "Halo?"]


async def test_a_contact_that_is_held_back_waits_alone(line: Line) -> None:
    other = line.another_contact
    await line.network.add(other, "somebody else")
    await line.network.breaks("nack", phone=line.number, code=HELD_BACK, to=line.contact)
    held, free = await line.send(), await line.send(to=other)
    await line.until_message(free, status="delivered")
    await line.assert_arrived_once(free, copies=1, at=other)
    row = await line.until_message(held, waitingFor="restriction")
    assert row["status"] == "queued"
    assert CONTACT_PAUSE_S - 60 < _from_now(row["resumeAt"]) <= CONTACT_PAUSE_S
    health = await line.health()
    assert (health["state"], health["restriction"]) == ("connected", None)
    await line.network.mended()
    await line.ask("POST", f"/sessions/{line.session}/restart")  # a new connection tries each contact again
    await _delivered_once(line, held, copies=1)


async def test_a_restricted_number_waits_with_who_is_new_until_the_end(line: Line) -> None:
    await _delivered_once(line, await line.send("We know each other"), copies=1)
    stranger = line.another_contact
    await line.network.add(stranger, "a stranger")
    await line.network.breaks("timelock", phone=line.number, expireS=LOCKED_S)
    health = await line.until_session("restricted")
    assert 0 < _from_now(health["resumeAt"]) <= LOCKED_S + MARGIN_S
    assert health["restriction"]["resumeAt"] == health["resumeAt"]
    new, known = await line.send(to=stranger), await line.send("Still there?")
    row = await line.until_message(new, waitingFor="restriction")
    assert row["status"] == "queued"
    apart = datetime.fromisoformat(row["resumeAt"]) - datetime.fromisoformat(health["resumeAt"])
    assert abs(apart) < timedelta(seconds=MARGIN_S)
    await line.until_message(known, status="delivered")
    assert (await line.health())["state"] == "restricted"
    await line.network.breaks("timelock", phone=line.number, expireS=3)  # the end is near, once all else is seen
    await line.until_session("connected")
    await line.until_message(new, status="delivered")
    await line.assert_arrived_once(new, copies=1, at=stranger)
    await line.assert_arrived_once(known, copies=1)


# --- Questions about recipients --------------------------------------------------------------------------------------

A_MOMENT_S = 1.0


async def _leaves_at_once(line: Line) -> None:
    """To the contact, who is known: the fault is another's."""
    asked_at = datetime.now(UTC)
    message = await line.send("to somebody known")
    row = await line.until_message(message, status="sent")
    sent_at = next(entry["at"] for entry in row["history"] if entry["status"] == "sent")
    assert (datetime.fromisoformat(sent_at) - asked_at).total_seconds() < A_MOMENT_S


@ON_THE_SIMULATOR
async def test_while_look_ups_are_limited_new_recipients_wait_and_known_ones_are_served(line: Line) -> None:
    strangers = [line.another_contact, f"{int(line.another_contact) + 90_000}"]
    for stranger in strangers:
        await line.network.add(stranger, "somebody new")
    await _delivered_once(line, await line.send(), copies=1)
    await line.network.breaks("query", phone=line.number, xmlns="usync", code=429)
    held = [await line.send(to=stranger) for stranger in strangers]
    await _leaves_at_once(line)
    for message in held:
        row = await line.until_message(message, waitingFor="lookup")
        assert row["status"] == "queued"
        assert 0 < _from_now(row["resumeAt"]) <= 15
    assert await line.network.hits("query") == 1

    async def told() -> bool:
        health = await line.health()
        return (health["state"], health["waitingFor"], len(health["waits"])) == ("connected", "lookup", 1)

    await eventually(told)
    assert (await line.health())["waits"][0]["messages"] == 2
    refused = await line.ask("POST", f"/sessions/{line.session}/check", json={"phones": [strangers[0]]})
    assert (refused.status_code, refused.json()["error"]) == (429, "LOOKUPS_LIMITED")
    assert 0 < int(refused.headers["retry-after"]) <= 15
    assert await line.network.hits("query") == 1
    await line.network.mended()
    for message, stranger in zip(held, strangers, strict=True):
        await line.until_message(message, status="delivered")
        await line.assert_arrived_once(message, copies=1, at=stranger)
    await eventually(lambda: _waits_for_nothing(line))


async def _waits_for_nothing(line: Line) -> bool:
    health = await line.health()
    return (health["waitingFor"], health["waits"]) == (None, [])


@ON_THE_SIMULATOR
@pytest.mark.parametrize("code", [403, 500])
async def test_a_refused_question_is_not_left_and_keeps_nobody_else_waiting(line: Line, code: int) -> None:
    stranger = line.another_contact
    await line.network.add(stranger, "somebody new")
    await _delivered_once(line, await line.send(), copies=1)
    await line.network.breaks("query", phone=line.number, xmlns="usync", code=code)
    first, second = await line.send("first", to=stranger), await line.send("second", to=stranger)
    await _leaves_at_once(line)
    row = await line.until_message(first, waitingFor="lookup")
    assert (row["status"], row["resumeAt"] is None) == ("queued", False)
    assert (await line.ask("DELETE", f"/messages/{first}")).is_success
    await line.until_message(first, status="cancelled")
    await line.network.mended()
    await line.until_message(second, status="delivered")
    assert [row["text"] for row in await line.network.shown(stranger)] == ["second"]


# --- Connections -----------------------------------------------------------------------------------------------------


async def test_streams_that_end_with_515_cost_nothing(line: Line) -> None:
    messages: list[str] = []
    for number in range(12):
        messages.append(await line.send(f"number {number}"))
        if number % 4 == 0:
            await line.until_online()
            assert await line.network.breaks("streamError", phone=line.number, code=515) == 1
    for message in messages:
        await line.until_message(message, status="delivered")
    assert [row["text"] for row in await line.network.shown(line.contact)] == [f"number {n}" for n in range(12)]
    await line.until_session("connected")


async def test_a_storm_of_503_loses_and_doubles_nothing(line: Line) -> None:
    await line.network.breaks("loginFailure", phone=line.number, code=503)
    await line.network.breaks("streamError", phone=line.number, code=503, everyMs=300, for_ms=60_000)
    messages = [await line.send(f"number {number}") for number in range(10)]
    await line.until_session("reconnecting")
    await line.until_message(messages[-1], waitingFor="session")
    await eventually(lambda: line.network.has_met("loginFailure", times=3))
    await line.network.mended()
    await line.until_session("connected", within_s=70)
    for message in messages:
        await line.until_message(message, status="delivered")
    shown = [row["text"] for row in await line.network.shown(line.contact)]
    assert shown == [f"number {number}" for number in range(10)]


async def test_an_unlinked_session_keeps_its_messages_for_the_next_link(line: Line) -> None:
    await line.network.breaks("loginFailure", phone=line.number, code=401)
    await line.network.breaks("drop", phone=line.number)
    await line.until_session("logged_out", reason="unlinked_401")
    message = await line.send()
    row = await line.until_message(message, waitingFor="session")
    assert row["status"] == "queued"
    await line.network.mended()
    await line.link()
    await _delivered_once(line, message, copies=1)


async def test_a_replaced_session_pauses_and_the_third_time_gives_up(line: Line) -> None:
    await line.network.breaks("streamError", phone=line.number, code=CONFLICT, conflict="replaced")
    health = await line.until_session("reconnecting", reason="replaced")
    assert REPLACED_PAUSE_S - 15 < _from_now(health["nextAttemptAt"]) <= REPLACED_PAUSE_S
    message = await line.send()
    assert (await line.until_message(message, waitingFor="session"))["status"] == "queued"
    for state in ("reconnecting", "failed"):
        await line.ask("POST", f"/sessions/{line.session}/restart")
        await line.until_session("connected")
        assert await line.network.breaks("streamError", phone=line.number, code=CONFLICT, conflict="replaced") == 1
        health = await line.until_session(state)
    assert health["reason"] == "replaced_elsewhere"
    await line.ask("POST", f"/sessions/{line.session}/start")
    await line.until_session("connected")
    await _delivered_once(line, message)


async def test_a_ban_is_waited_out(line: Line) -> None:
    await line.network.breaks("loginFailure", phone=line.number, code=402, banCode=101, expireS=BANNED_S)
    await line.network.breaks("drop", phone=line.number)
    health = await line.until_session("banned", reason="banned_101")
    assert 0 < _from_now(health["resumeAt"]) <= BANNED_S + MARGIN_S
    message = await line.send()
    assert (await line.until_message(message, waitingFor="session"))["status"] == "queued"
    await line.network.mended()  # whoever logs in too early is banned again
    await line.until_session("connected")
    await _delivered_once(line, message, copies=1)
