"""Dead letters: listed with their reason and history, put back on their way, dropped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.js import JetStreamContext

from tests.integration.api.edges import Site, refused
from tests.integration.api.operators import Operator

COMMAND = b'{"kind":"ReconcileSession","customerId":"cus_1","sessionId":"a1b2"}'
SUBJECT = "cmd.session.scripted.07.a1b2"


async def bury(site: Site, *, service: str = "sender", number: int = 1, **headers: str) -> int:
    """Leave a letter as a service does; its sequence."""
    given = {
        "Request-Id": f"r{number}",
        "Dead-Subject": SUBJECT,
        "Dead-Stream": "COMMANDS",
        "Dead-Sequence": str(number),
        "Dead-Error": "ValueError('no')",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return (await site.edge.bus.jetstream.publish(f"dead.{service}", COMMAND, headers=given)).seq


@pytest.fixture
def jetstream(site: Site) -> JetStreamContext:
    return site.edge.bus.jetstream


async def test_letters_are_listed_with_their_reason(site: Site, operator: Operator) -> None:
    await bury(site)
    await bury(site, service="sessions.whatsapp", number=2)
    body = (await operator.call("GET", "/dead-letters")).json()
    assert [(row["service"], row["streamSequence"]) for row in body["data"]] == [
        ("sender", 1),
        ("sessions/whatsapp", 2),
    ]
    assert body["data"][0] | {"at": ""} == {
        "id": 1,
        "at": "",
        "service": "sender",
        "subject": SUBJECT,
        "stream": "COMMANDS",
        "streamSequence": 1,
        "error": "ValueError('no')",
        "history": [],
        "bytes": len(COMMAND),
        "requestId": "r1",
    }
    (of_sessions,) = await operator.ask("GET", "/dead-letters?service=sessions/whatsapp")
    assert of_sessions["service"] == "sessions/whatsapp"
    assert await operator.ask("GET", "/dead-letters?service=status") == []


async def test_a_long_list_is_read_page_by_page(site: Site, operator: Operator) -> None:
    for number in range(5):
        await bury(site, number=number)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        body = (await operator.call("GET", f"/dead-letters?limit=2&after={after}")).json()
        seen += [row["id"] for row in body["data"]]
        after = body["next"]
        assert body["total"] == 5
    assert seen == [1, 2, 3, 4, 5]


async def test_what_a_letter_says_is_read_by_name_and_noted(site: Site, operator: Operator, rows: Any) -> None:
    letter_id = await bury(site)
    assert (await operator.ask("GET", f"/dead-letters/{letter_id}"))["payload"] == COMMAND.decode()
    assert await rows.audit.count_documents({"action": "dead_letter.read", "target": str(letter_id)}) == 1


async def test_a_redriven_message_lies_in_its_stream_again_and_the_letter_is_gone(
    site: Site, operator: Operator, jetstream: JetStreamContext
) -> None:
    letter_id = await bury(site)
    done = await operator.ask("POST", f"/dead-letters/{letter_id}/redrive")
    assert done == {"redriven": 1, "kept": 0, "left": 0}
    stored = await jetstream.get_msg("COMMANDS", seq=1)
    assert (stored.subject, stored.data) == (SUBJECT, COMMAND)
    headers = stored.headers or {}
    assert headers["Request-Id"] == "r1"
    assert headers["Nats-Msg-Id"].startswith("redrive-")
    assert "Dead-Error" not in headers
    refused(await operator.call("POST", f"/dead-letters/{letter_id}/redrive"), 404, "NOT_FOUND")


async def test_a_message_that_dies_again_tells_its_earlier_deaths(
    site: Site, operator: Operator, jetstream: JetStreamContext
) -> None:
    first = await bury(site, Dead_Error="ValueError('first')")
    await operator.ask("POST", f"/dead-letters/{first}/redrive")
    again = (await jetstream.get_msg("COMMANDS", seq=1)).headers or {}
    own = {name.replace("-", "_"): value for name, value in again.items() if not name.startswith("Nats-")}
    await bury(site, **{**own, "Dead_Error": "ValueError('second')"})
    (letter,) = await operator.ask("GET", "/dead-letters")
    assert letter["error"] == "ValueError('second')"
    assert [(each["sequence"], each["error"]) for each in letter["history"]] == [(first, "ValueError('first')")]


async def test_a_letter_stays_when_its_message_was_already_stored(
    site: Site, operator: Operator, jetstream: JetStreamContext
) -> None:
    """As it is when an edge died between the publish and the removal, a moment ago."""
    letter_id = await bury(site)
    removed, drop = [], site.edge.bus.jetstream.delete_msg

    async def dies(stream: str, sequence: int) -> bool:
        removed.append(sequence)
        raise ConnectionError("the edge dies here")

    site.edge.bus.jetstream.delete_msg = dies  # type: ignore[method-assign]
    try:
        assert (await operator.call("POST", f"/dead-letters/{letter_id}/redrive")).status_code == 500
    finally:
        site.edge.bus.jetstream.delete_msg = drop  # type: ignore[method-assign]
    assert removed == [letter_id]
    refused(await operator.call("POST", f"/dead-letters/{letter_id}/redrive"), 409, "NOT_POSSIBLE")
    assert len(await operator.ask("GET", "/dead-letters")) == 1
    assert (await jetstream.stream_info("COMMANDS")).state.messages == 1


async def test_two_who_redrive_at_once_publish_once(
    site: Site, operator: Operator, jetstream: JetStreamContext
) -> None:
    letter_id = await bury(site)
    calls = (operator.call("POST", f"/dead-letters/{letter_id}/redrive") for _ in range(6))
    answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 404, 409}
    assert (await jetstream.stream_info("COMMANDS")).state.messages == 1


async def test_all_letters_of_a_service_are_redriven_but_frames_are_kept(
    site: Site, operator: Operator, jetstream: JetStreamContext
) -> None:
    for number in range(3):
        await bury(site, number=number)
    await bury(site, service="status", Dead_Stream="UPDATES", Dead_Subject="updates.07.cus_1.a1b2.message.sent")
    await bury(site, service="status", number=9)
    assert await operator.ask("POST", "/dead-letters/redrive", json={"service": "sender"}) == {
        "redriven": 3,
        "kept": 0,
        "left": 2,
    }
    answer = await operator.call("POST", "/dead-letters/redrive", headers={"Accept-Language": "id"})
    assert answer.json()["data"] == {"redriven": 1, "kept": 1, "left": 1}
    assert answer.json()["message"] == (
        "1 pesan sedang dalam perjalanan lagi; 1 tetap di sini, yang pertama karena "
        "pesan dari UPDATES tidak diterbitkan dua kali"
    )
    assert (await jetstream.stream_info("COMMANDS")).state.messages == 4
    assert (await jetstream.stream_info("UPDATES")).state.messages == 0


async def test_a_letter_is_dropped_for_good(site: Site, operator: Operator, rows: Any) -> None:
    letter_id = await bury(site)
    assert (await operator.call("DELETE", f"/dead-letters/{letter_id}")).status_code == 200
    assert await operator.ask("GET", "/dead-letters") == []
    refused(await operator.call("DELETE", f"/dead-letters/{letter_id}"), 404, "NOT_FOUND")
    assert await rows.audit.count_documents({"action": "dead_letter.dropped"}) == 1


@pytest.mark.parametrize("letter_id", ["0", "-1", "99999999999999999999", "x"])
async def test_a_letter_that_cannot_be_is_not_found(operator: Operator, letter_id: str) -> None:
    answer = await operator.call("GET", f"/dead-letters/{letter_id}")
    assert answer.status_code in (400, 404), answer.text
