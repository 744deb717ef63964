"""The main job over HTTP and WebSocket, and everything that a listener of the live stream counts on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import httpx
import pytest

from infra.local.customer import Stream
from infra.local.demo import CAPTION, DOCUMENT, picture
from tests.e2e.ears import events, heard, listening, refusal_of, told_by
from tests.e2e.handsets import WITHIN_S, Network, Office, scanned
from tests.e2e.tenants import Tenant, client
from tests.e2e.wire import BASE, MESSAGE_KEYS, Json, png_in, told
from tests.faults.audience import sequence_of
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

SESSION_DATA = {
    *("status", "reason", "cause", "stage", "phone", "qr", "qrRaw", "expiresAt", "pairCode", "resumeAt", "passkey"),
}
SENT = ("messageId", "status", "timestamp", "message", "data")
RISES = ["queued", "sending", "sent", "delivered", "read"]


def text_to(number: str, text: str = "halo") -> Json:
    """A text message."""
    return {"type": "text", "to": number, "text": text}


async def send(http: httpx.AsyncClient, session: str, body: Json) -> str:
    """The accepted message's id."""
    answer = await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    return told(answer, *SENT, status=202)["messageId"]


async def ticket_of(http: httpx.AsyncClient) -> str:
    """A ticket for one stream."""
    body = told(await http.post(f"{BASE}/stream/ticket"), "data", "ticket", "expiresIn")
    assert body["data"] == {"ticket": body["ticket"], "expiresIn": body["expiresIn"]}
    return body["ticket"]


def statuses(stream: Stream, message: str) -> list[str]:
    """What was told of a message, in order."""
    return [frame["data"]["status"] for frame in told_by(stream) if frame["data"].get("messageId") == message]


def assert_rising(frames: list[Json]) -> None:
    """Each frame once, each cursor above the one before."""
    cursors = [sequence_of(frame["cursor"]) for frame in frames]
    assert cursors == sorted(set(cursors))
    assert len({frame["id"] for frame in frames}) == len(frames)


# --- The main job ----------------------------------------------------------------------------------------------------


async def test_the_main_job_from_the_code_to_the_answer(
    simulated_stack: RunningStack, tenant: Tenant, network: Network
) -> None:
    contact = await network.person()
    async with tenant.client() as http, listening(tenant.url, tenant.key) as stream:
        answer = await http.post(f"{BASE}/sessions", json={"name": "Main job"})
        session = told(answer, "session", "data", "message")["session"]["id"]
        number = await scanned(http, network, session)
        await _tells_of_the_link(stream, session, number)

        sent = await _send_all(http, session, contact)
        for message in sent.values():
            await heard(stream, "message.delivered", messageId=message)
        await _shows_exactly_what_was_sent(http, network, contact, sent)
        await network.phones.read(contact, number)
        for message in sent.values():
            await heard(stream, "message.read", messageId=message)
            # The receipt may come before the engine's answer: then `sending` is not told any more.
            assert [status for status in statuses(stream, message) if status != "sending"] == [
                status for status in RISES if status != "sending"
            ]

        await network.phones.write(contact, number, "Terima kasih \N{PERSON WITH FOLDED HANDS}")
        received = (await heard(stream, "message.received", text="Terima kasih \N{PERSON WITH FOLDED HANDS}"))["data"]
        assert (received["direction"], received["from"], received["chat"]) == ("in", contact, contact)
        await _history_agrees(http, stream, contact, [*sent.values(), received["messageId"]])
        assert_rising(told_by(stream))
        code = (await heard(stream, "session.qr"))["data"]["qrRaw"].partition("#")[2]
    _is_in_no_log(simulated_stack, tenant.key, tenant.token, number, contact, "Selamat pagi!", "Terima kasih", code)


def _is_in_no_log(stack: RunningStack, *secrets: str) -> None:
    logging = [path for path in (stack.data / "logs").iterdir() if path.stem != "simulator"]
    assert {path.stem for path in logging} >= {"api-1", "sender-1", "status-1", "sessions-simulator-1"}
    for path in logging:
        log = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in log], path.name


async def _tells_of_the_link(stream: Stream, session: str, number: str) -> None:
    code = await heard(stream, "session.qr")
    assert set(code["data"]) == SESSION_DATA
    png_in(code["data"]["qr"])
    assert code["data"]["qrRaw"].startswith("https://wa.me/settings/linked_devices#")
    connected = await heard(stream, "session.connected")
    assert (connected["sessionId"], connected["data"]["phone"]) == (session, number)
    assert connected["data"] | {"status": "connected", "phone": number} == connected["data"]
    assert connected["data"]["qr"] is connected["data"]["qrRaw"] is None
    types = [frame["type"] for frame in told_by(stream)]
    assert types.index("session.created") < types.index("session.qr") < types.index("session.connected")


async def _send_all(http: httpx.AsyncClient, session: str, contact: str) -> dict[str, str]:
    upload = await http.post(f"{BASE}/media", files={"file": ("sky.png", picture(), "image/png")})
    image = {"type": "image", "mediaId": upload.json()["mediaId"], "caption": CAPTION}
    data = f"data:text/plain;base64,{base64.b64encode(DOCUMENT).decode()}"
    document = {"type": "document", "data": data, "fileName": "merpati.txt"}
    return {
        "text": await send(http, session, text_to(contact, "Selamat pagi!")),
        "image": await send(http, session, {"to": contact, **image}),
        "document": await send(http, session, {"to": contact, **document}),
    }


async def _shows_exactly_what_was_sent(
    http: httpx.AsyncClient, network: Network, contact: str, sent: dict[str, str]
) -> None:
    rows = {row["type"]: row for row in await network.arrived(contact, 3)}
    assert rows["text"]["text"] == "Selamat pagi!"
    assert (rows["image"]["caption"], rows["image"]["sha256"]) == (CAPTION, hashlib.sha256(picture()).hexdigest())
    assert rows["document"]["fileName"] == "merpati.txt"
    assert rows["document"]["sha256"] == hashlib.sha256(DOCUMENT).hexdigest()
    for kind, message in sent.items():
        data = told(await http.get(f"{BASE}/messages/{message}"), "data")["data"]
        assert (rows[kind]["id"], rows[kind]["copies"]) == (data["waId"], 1)


async def _history_agrees(http: httpx.AsyncClient, stream: Stream, contact: str, messages: list[str]) -> None:
    """What the frames said is what GET says, time for time."""
    listed = told(await http.get(f"{BASE}/messages", params={"chat": contact}), "messages", "data", "pagination")
    assert [message["messageId"] for message in listed["messages"]] == messages[::-1]
    for message in messages:
        data = told(await http.get(f"{BASE}/messages/{message}"), "data")["data"]
        frames = [frame for frame in told_by(stream) if frame["data"].get("messageId") == message]
        assert [(frame["data"]["status"], frame["occurredAt"]) for frame in frames] == [
            (entry["status"], entry["at"]) for entry in data["history"]
        ]
        assert set(frames[-1]["data"]) == MESSAGE_KEYS
        assert frames[-1]["data"] == {key: value for key, value in data.items() if key != "history"}


# --- Who may listen --------------------------------------------------------------------------------------------------


async def test_a_key_a_token_and_a_ticket_open_the_stream(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    number, url, ticket = await network.person(), office.tenant.url, await ticket_of(http)
    async with (
        listening(url, office.tenant.key) as by_key,
        listening(url, office.tenant.token) as by_token,
        listening(url, None, ticket=ticket) as by_ticket,
    ):
        message = await send(http, office.session, text_to(number))
        frames = [await heard(each, "message.delivered", messageId=message) for each in (by_key, by_token, by_ticket)]
        assert frames[0] == frames[1] == frames[2]


async def test_a_ticket_opens_one_stream_only(office: Office, http: httpx.AsyncClient) -> None:
    ticket = await ticket_of(http)
    async with listening(office.tenant.url, None, ticket=ticket):
        refused = await refusal_of(office.tenant.url, None, ticket=ticket)
    assert (refused["status"], refused["error"]) == (401, "INVALID_TOKEN")
    assert (await http.get(f"{BASE}/stream/sse", params={"ticket": ticket})).status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param(None, "UNAUTHORIZED", id="nothing"),
        pytest.param("gf_wrong", "INVALID_API_KEY", id="a wrong key"),
        pytest.param("nonsense", "INVALID_TOKEN", id="a wrong token"),
    ],
)
async def test_without_a_right_the_handshake_is_refused_in_the_usual_envelope(
    office: Office, token: str | None, code: str
) -> None:
    refused = await refusal_of(office.tenant.url, token)
    assert set(refused) == {"success", "error", "message", "requestId", "status"}
    assert (refused["status"], refused["error"]) == (401, code)


async def test_nobody_hears_another_customer(
    office: Office, http: httpx.AsyncClient, tenant: Tenant, network: Network
) -> None:
    refused = await refusal_of(tenant.url, tenant.key, session=office.session)
    assert (refused["status"], refused["error"]) == (404, "SESSION_NOT_FOUND")
    async with listening(tenant.url, tenant.key) as other, listening(office.tenant.url, office.tenant.key) as own:
        message = await send(http, office.session, text_to(await network.person()))
        await heard(own, "message.delivered", messageId=message)
        async with tenant.client() as http_of_other:
            await http_of_other.post(f"{BASE}/sessions", json={"name": "Marks the end"})
        await heard(other, "session.created")
        assert [frame["type"] for frame in told_by(other)] == ["session.created"]


async def test_a_cursor_leads_nobody_to_the_frames_of_another_customer(
    office: Office, http: httpx.AsyncClient, tenant: Tenant, network: Network
) -> None:
    """All customers share one log, so a cursor of one is a place for the other too."""
    number = await network.person()
    async with listening(office.tenant.url, office.tenant.key) as own, tenant.client() as http_of_other:
        first = await send(http, office.session, text_to(number))
        start = (await heard(own, "message.delivered", messageId=first))["cursor"]
        second = await send(http, office.session, text_to(number))
        await heard(own, "message.delivered", messageId=second)
        await http_of_other.post(f"{BASE}/sessions", json={"name": "Marks the end"})
        async with listening(tenant.url, tenant.key, since=start) as other:
            await heard(other, "session.created")
        by_events = await events(http_of_other, lambda frame: frame["type"] == "session.created", after=start)
    assert [frame["type"] for frame in by_events] == ["session.created"]
    assert told_by(other) == by_events


# --- Filters ---------------------------------------------------------------------------------------------------------


async def test_a_listener_hears_the_sessions_and_the_kinds_that_it_asked_for(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    url, key, number = office.tenant.url, office.tenant.key, await network.person()
    other = (await http.post(f"{BASE}/sessions", json={"name": "Filtered out"})).json()["session"]["id"]
    async with (
        listening(url, key) as everything,
        listening(url, key, session=office.session_name, events="message.*") as of_messages,
        listening(url, key, events="message.sent,session.*") as of_kinds,
        listening(url, key, session=f"{other},{office.session}", events="message.queued") as of_both,
    ):
        there = await send(http, other, text_to(number, "waits"))
        await heard(everything, "message.queued", messageId=there)
        here = await send(http, office.session, text_to(number, "leaves"))
        told(await http.delete(f"{BASE}/sessions/{other}"), "data", "message")
        for stream, type_ in ((everything, "session.deleted"), (of_kinds, "session.deleted")):
            await eventually(lambda s=stream, t=type_: _holds(s, t, other), within_s=WITHIN_S)
        for stream in (everything, of_messages):
            await heard(stream, "message.delivered", messageId=here)
        await heard(of_kinds, "message.sent", messageId=here)
        await heard(of_both, "message.queued", messageId=here)
    assert {frame["sessionId"] for frame in told_by(of_messages)} == {office.session}
    assert {frame["type"].partition(".")[0] for frame in told_by(of_messages)} == {"message"}
    kinds = {frame["type"] for frame in told_by(of_kinds)}
    assert kinds <= {"message.sent"} | {kind for kind in kinds if kind.startswith("session.")}
    assert [frame["data"]["messageId"] for frame in told_by(of_both)] == [there, here]


async def _holds(stream: Stream, type_: str, session: str) -> bool:
    return any(frame["type"] == type_ and frame["sessionId"] == session for frame in told_by(stream))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"events": "message.*, *;"}, "VALIDATION_FAILED", id="events"),
        pytest.param({"since": "yesterday"}, "VALIDATION_FAILED", id="since"),
        pytest.param({"session": "unknown"}, "SESSION_NOT_FOUND", id="session"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(office: Office, query: dict[str, str], code: str) -> None:
    assert (await refusal_of(office.tenant.url, office.tenant.key, **query))["error"] == code


# --- Coming back -----------------------------------------------------------------------------------------------------


async def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    url, key, number = office.tenant.url, office.tenant.key, await network.person()
    async with listening(url, key) as always:
        parts: list[list[Json]] = []
        cursor: dict[str, str] = {}
        for turn in range(3):
            async with listening(url, key, **cursor) as now_and_then:
                message = await send(http, office.session, text_to(number, f"heard {turn}"))
                await heard(now_and_then, "message.sent", messageId=message)
            parts.append(told_by(now_and_then))
            cursor = {"since": parts[-1][-1]["cursor"]}
            missed = [await send(http, office.session, text_to(number, f"missed {turn}.{n}")) for n in range(5)]
            await asyncio.gather(*(heard(always, "message.delivered", messageId=each) for each in missed))
        async with listening(url, key, **cursor) as last:
            await heard(last, "message.delivered", messageId=missed[-1])
        parts.append(told_by(last))
        joined = [frame for part in parts for frame in part]
        await eventually(lambda: _has_come_to(always, joined[-1]))
    assert_rising(joined)
    assert not [frame for frame in joined if frame["type"] == "gap"]
    assert joined == [frame for frame in told_by(always) if frame["id"] in {each["id"] for each in joined}]
    first, end = (sequence_of(joined[place]["cursor"]) for place in (0, -1))
    assert joined == [frame for frame in told_by(always) if first <= sequence_of(frame["cursor"]) <= end]


async def _has_come_to(stream: Stream, frame: Json) -> bool:
    """Two sockets of one edge hear the same frame one after the other."""
    return frame["id"] in {each["id"] for each in told_by(stream)}


async def test_a_cursor_that_leads_nowhere_is_answered_by_a_gap_and_then_live(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    url, key, number = office.tenant.url, office.tenant.key, await network.person()
    message = await send(http, office.session, text_to(number))
    async with listening(url, key, since="abc123-7") as stream:
        gap = await heard(stream, "gap", reason="other_log")
        assert gap["data"]["since"] == "abc123-7"
        message = await send(http, office.session, text_to(number))
        await heard(stream, "message.delivered", messageId=message)
        assert told_by(stream)[0] == gap


# --- As server-sent events -------------------------------------------------------------------------------------------


async def test_the_same_stream_comes_as_server_sent_events_and_resumes(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    number = await network.person()
    async with listening(office.tenant.url, office.tenant.key, events="message.*") as stream:
        first = await send(http, office.session, text_to(number, "first"))
        start = (await heard(stream, "message.delivered", messageId=first))["cursor"]
        second = await send(http, office.session, text_to(number, "second"))
        await heard(stream, "message.delivered", messageId=second)
        third = await send(http, office.session, text_to(number, "third"))
        await heard(stream, "message.delivered", messageId=third)
    after = [frame for frame in told_by(stream) if sequence_of(frame["cursor"]) > sequence_of(start)]
    one = await events(http, _delivered(second), after=start, events="message.*")
    two = await events(http, _delivered(third), after=one[-1]["cursor"], events="message.*")
    assert one + two == after[: len(one + two)]
    assert (one + two)[-1]["data"]["messageId"] == third


def _delivered(message: str) -> Any:
    return lambda frame: frame["type"] == "message.delivered" and frame["data"]["messageId"] == message


async def test_a_browser_reads_the_events_with_a_ticket(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    ticket, number = await ticket_of(http), await network.person()
    async with client(office.tenant.url) as browser:
        reading = asyncio.create_task(
            events(browser, lambda frame: frame["type"] == "message.delivered", ticket=ticket)
        )
        async with listening(office.tenant.url, office.tenant.key) as stream:
            while not reading.done():
                message = await send(http, office.session, text_to(number))
                await heard(stream, "message.delivered", messageId=message)
        assert (await reading)[-1]["type"] == "message.delivered"
        assert (await browser.get(f"{BASE}/stream/sse")).status_code == httpx.codes.UNAUTHORIZED
