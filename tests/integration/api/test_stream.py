"""The live stream over WebSocket and as server-sent events, fed by frames in a real UPDATES."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import nats
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from infra.bootstrap import Bootstrapped
from libs.runtime import topology
from services.api.live import hub
from services.api.live import listening as listening_module
from services.api.settings import Settings
from tests.integration.api.conftest import SiteMaker, running_site
from tests.integration.api.edges import BASE, BOUND_S, RING, Site, until
from tests.integration.api.frames import (
    Publisher,
    listening,
    next_frame,
    next_frames,
    position,
    publisher,
    socket_url,
)
from tests.servers import NatsServer

SESSION, OTHER_SESSION = "5e55000000000001", "5e55000000000002"


@pytest.fixture
async def status(site: Site, streams: str) -> AsyncIterator[Publisher]:
    """The service status, telling the customer's frames."""
    async with publisher(streams, site.account.customer_id) as opened:
        yield opened


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hubs that remember only the last few frames, so that a replay has to read the log."""
    monkeypatch.setattr(hub, "RECENT_FRAMES", 20)


# --- Live ------------------------------------------------------------------------------------------------------------


async def test_a_frame_reaches_a_listener_with_its_cursor(site: Site, status: Publisher) -> None:
    async with listening(site) as socket:
        sequence = await status.message(SESSION, "sent")
        frame = await next_frame(socket)
    assert frame["type"] == "message.sent"
    assert frame["sessionId"] == SESSION
    assert frame["cursor"].endswith(f"-{sequence}")
    assert set(frame) == {"id", "cursor", "type", "sessionId", "occurredAt", "data", "v"}
    assert frame["data"]["text"] == "hello"


async def test_frames_of_another_customer_are_not_seen(site: Site, status: Publisher, streams: str) -> None:
    async with listening(site) as socket, publisher(streams, "cus_other") as other:
        await other.message(SESSION, "sent")
        await status.message(SESSION, "read")
        assert (await next_frame(socket))["type"] == "message.read"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        pytest.param("?events=message.sent", ["message.sent", "message.sent"], id="one type"),
        pytest.param("?events=session.*", ["session.connected"], id="a pattern"),
        pytest.param("?events=session.*,message.read", ["session.connected", "message.read"], id="two patterns"),
        pytest.param("?events=*", ["message.sent", "session.connected", "message.read", "message.sent"], id="all"),
    ],
)
async def test_only_the_wanted_types_are_told(site: Site, status: Publisher, query: str, wanted: list[str]) -> None:
    async with listening(site, query) as socket:
        await status.message(SESSION, "sent")
        await status.session(SESSION, "connected")
        await status.message(SESSION, "read")
        await status.message(SESSION, "sent")
        frames = await next_frames(socket, len(wanted))
    assert [frame["type"] for frame in frames] == wanted


async def test_only_the_wanted_session_is_told_by_id_or_name(site: Site, status: Publisher) -> None:
    made = [await site.call("POST", "/sessions", json={"name": name}) for name in ("Sales", "Support", "Office")]
    sales, support, office = (one.json()["session"]["id"] for one in made)
    async with listening(site, f"?session=Sales,{office}") as socket:
        for session_id in (support, sales, support, office):
            await status.message(session_id, "sent")
        frames = await next_frames(socket, 2)
    assert [frame["sessionId"] for frame in frames] == [sales, office]


async def test_a_qr_frame_brings_the_picture(site: Site, status: Publisher) -> None:
    async with listening(site) as first, listening(site) as second:
        await status.session(SESSION, "qr", qr_raw="2@abc,def,ghi")
        frames = [await next_frame(first), await next_frame(second)]
    for frame in frames:
        assert frame["data"]["qrRaw"] == "2@abc,def,ghi"
        head, _, picture = frame["data"]["qr"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(picture).startswith(b"\x89PNG")


async def test_a_hundred_listeners_get_every_frame_in_order(site: Site, status: Publisher) -> None:
    async def hear(socket: ClientConnection) -> list[int]:
        return [position(frame) for frame in await next_frames(socket, 50)]

    async with _many(site, 100) as sockets:
        hearing = [asyncio.create_task(hear(socket)) for socket in sockets]
        published = [await status.message(SESSION, "sent") for _ in range(50)]
        assert all(heard == published for heard in await asyncio.gather(*hearing))


@asynccontextmanager
async def _many(site: Site, count: int) -> AsyncIterator[list[ClientConnection]]:
    opened = [listening(site) for _ in range(count)]
    sockets = [await one.__aenter__() for one in opened]
    try:
        yield sockets
    finally:
        for one in opened:
            await one.__aexit__(None, None, None)


async def test_a_ping_carries_the_current_cursor(
    site: Site, status: Publisher, streams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_module, "PING_EVERY_S", 0.2)
    async with listening(site) as socket, publisher(streams, "cus_other") as other:
        last = await other.message(SESSION, "sent")
        async with asyncio.timeout(BOUND_S):
            while True:
                ping = json.loads(await socket.recv())
                if position(ping) >= last:
                    break
    assert set(ping) == {"type", "cursor"}
    assert ping["type"] == "ping"
    assert position(ping) == last


async def test_a_client_without_a_cursor_is_given_one_before_anything_happens(site: Site, status: Publisher) -> None:
    last = await status.message(SESSION, "queued")
    await _until_followed(site, last)
    async with listening(site) as socket, asyncio.timeout(BOUND_S):
        first = json.loads(await socket.recv())
    assert first["type"] == "ping"
    assert position(first) >= last
    missed = await status.message(SESSION, "sent")
    async with listening(site, f"?since={first['cursor']}") as socket:
        assert position(await next_frame(socket)) == missed


# --- Replay ----------------------------------------------------------------------------------------------------------


async def test_what_was_missed_is_replayed_from_the_cursor(site: Site, status: Publisher) -> None:
    async with listening(site) as socket:
        await status.message(SESSION, "queued")
        seen = await next_frame(socket)
    missed = [await status.message(SESSION, "sent") for _ in range(5)]
    async with listening(site, f"?since={seen['cursor']}") as socket:
        replayed = await next_frames(socket, 5)
        live_one = await status.message(SESSION, "read")
        assert position(await next_frame(socket)) == live_one
    assert [position(frame) for frame in replayed] == missed


@pytest.mark.usefixtures("short_memory")
async def test_replay_meets_live_without_gap_or_repeat(open_site: SiteMaker, streams: str) -> None:
    async with open_site() as site, publisher(streams, site.account.customer_id) as status:
        async with listening(site) as socket:
            published = [await status.message(SESSION, "sent")]
            cursor = (await next_frame(socket))["cursor"]
        published += [await status.message(SESSION, "sent") for _ in range(300)]
        publishing = asyncio.create_task(_publish(status, 700))
        heard: list[int] = []
        while len(heard) < 1000:
            async with listening(site, f"?since={cursor}") as socket:
                for frame in await next_frames(socket, min(125, 1000 - len(heard))):
                    heard.append(position(frame))
                    cursor = frame["cursor"]
        published += await publishing
    assert heard == published[1:]


async def _publish(status: Publisher, count: int) -> list[int]:
    return [await status.message(SESSION, "sent") for _ in range(count)]


@pytest.mark.usefixtures("short_memory")
async def test_a_replay_among_many_frames_of_others_is_complete(open_site: SiteMaker, streams: str) -> None:
    async with open_site() as site, publisher(streams, site.account.customer_id) as status:
        async with listening(site) as socket:
            await status.message(SESSION, "queued")
            cursor = (await next_frame(socket))["cursor"]
        async with publisher(streams, "cus_other") as other:
            mine: list[int] = []
            for number in range(200):
                await other.message(SESSION, "sent")
                if number % 50 == 0:
                    mine.append(await status.message(SESSION, "sent"))
        async with listening(site, f"?since={cursor}") as socket:
            assert [position(frame) for frame in await next_frames(socket, 4)] == mine


async def test_another_edge_goes_on_from_the_cursor_of_the_first(
    open_site: SiteMaker, site: Site, status: Publisher
) -> None:
    async with listening(site) as socket:
        await status.message(SESSION, "sent")
        cursor = (await next_frame(socket))["cursor"]
    missed = await status.message(SESSION, "read")
    async with open_site() as second, listening(second, f"?since={cursor}") as socket:
        assert position(await next_frame(socket)) == missed


async def test_a_cursor_of_another_log_gets_one_gap(site: Site, status: Publisher) -> None:
    await _until_followed(site, await status.message(SESSION, "sent"))
    async with listening(site, "?since=1f2e3d-7") as socket:
        gap = await next_frame(socket)
        follows = await status.message(SESSION, "read")
        assert position(await next_frame(socket)) == follows
    assert gap["type"] == "gap"
    assert gap["data"] == {"since": "1f2e3d-7", "reason": "other_log"}
    assert set(gap) == {"id", "cursor", "type", "sessionId", "occurredAt", "data", "v"}


async def test_a_cursor_past_the_end_gets_one_gap(site: Site, status: Publisher) -> None:
    last = await status.message(SESSION, "sent")
    await _until_followed(site, last)
    async with listening(site, f"?since={site.edge.hub.log}-{last + 1000}") as socket:
        gap = await next_frame(socket)
        follows = await status.message(SESSION, "read")
        assert position(await next_frame(socket)) == follows
    assert gap["data"]["reason"] == "past_end"


@pytest.mark.usefixtures("short_memory")
async def test_a_cursor_that_is_too_old_gets_a_gap_and_then_what_is_left(open_site: SiteMaker, streams: str) -> None:
    async with open_site() as site, publisher(streams, site.account.customer_id) as status:
        published = [await status.message(SESSION, "sent") for _ in range(60)]
        await _until_followed(site, published[-1])
        await site.edge.bus.jetstream.purge_stream("UPDATES", seq=published[10])
        async with listening(site, f"?since={site.edge.hub.log}-{published[3]}") as socket:
            gap = await next_frame(socket)
            rest = await next_frames(socket, 50)
    assert gap["data"]["reason"] == "too_old"
    assert position(gap) == published[9]
    assert [position(frame) for frame in rest] == published[10:]


async def _until_followed(site: Site, last: int) -> None:
    """Wait until the edge has read so far: what is stored is not yet behind whoever connects."""

    async def has_read() -> bool:
        return site.edge.hub.position >= last

    await until(has_read)


# --- When something breaks -------------------------------------------------------------------------------------------


async def test_a_listener_that_does_not_read_is_closed_with_1013_and_its_cursor(site: Site, status: Publisher) -> None:
    async with listening(site, max_queue=1) as socket:
        await _until_listeners(site, 1)
        published: list[int] = []
        while site.edge.hub.listeners:
            published += await asyncio.gather(*(_big_frame(status) for _ in range(200)))
            assert len(published) < 10_000
        heard: list[int] = []
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(_hear_for_ever(socket, heard), BOUND_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    assert closed.value.rcvd.reason == f"too slow; cursor {site.edge.hub.log}-{heard[-1]}"
    assert len(heard) < len(published)
    assert heard == sorted(published)[: len(heard)]


async def _hear_for_ever(socket: ClientConnection, heard: list[int]) -> None:
    while True:
        heard.append(position(await next_frame(socket)))


async def _big_frame(status: Publisher) -> int:
    return await status.session(SESSION, "updated", reason="x" * 20_000)


async def test_the_stream_goes_on_after_nats_was_killed(
    nats_server: NatsServer, mongodb_url: str, bootstrapped: Bootstrapped
) -> None:
    client = await nats.connect(nats_server.url)
    await topology.apply(client.jetstream())
    await client.close()
    settings = Settings(nats_url=nats_server.url, mongodb_url=mongodb_url, secret_keys=RING, port=0)
    published: list[int] = []
    heard: list[int] = []
    async with running_site(settings, bootstrapped) as site, listening(site) as socket:
        for _ in range(3):
            async with publisher(nats_server.url, site.account.customer_id) as status:
                published += [await status.message(SESSION, "sent") for _ in range(10)]
            heard.append(position(await next_frame(socket)))
            nats_server.restart()
            async with publisher(nats_server.url, site.account.customer_id) as status:
                published += [await status.message(SESSION, "sent") for _ in range(10)]
        heard += [position(frame) for frame in await next_frames(socket, 57)]
    assert heard == published


async def test_a_log_that_was_made_anew_closes_its_listeners(site: Site, status: Publisher) -> None:
    jetstream = site.edge.bus.jetstream
    async with listening(site) as socket:
        await status.message(SESSION, "sent")
        cursor = (await next_frame(socket))["cursor"]
        config = (await jetstream.stream_info("UPDATES")).config
        await jetstream.delete_stream("UPDATES")
        await jetstream.add_stream(config)
        with pytest.raises(ConnectionClosed) as closed:
            await next_frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    async with listening(site, f"?since={cursor}") as socket:
        assert (await next_frame(socket))["data"]["reason"] == "other_log"
        await status.message(SESSION, "sent")
        assert (await next_frame(socket))["type"] == "message.sent"


async def test_a_stopping_edge_closes_with_1012(open_site: SiteMaker) -> None:
    async with open_site() as site:
        socket = await connect(
            socket_url(site), subprotocols=["bearer", site.account.api_key], proxy=None, compression=None
        )
    with pytest.raises(ConnectionClosed) as closed:
        await next_frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


# --- Who may listen --------------------------------------------------------------------------------------------------


async def test_a_ticket_opens_one_stream_once(site: Site, status: Publisher) -> None:
    ticket = (await site.call("POST", "/stream/ticket")).json()
    assert ticket["data"] == {"ticket": ticket["ticket"], "expiresIn": 60}
    url = socket_url(site, f"?ticket={ticket['ticket']}")
    async with connect(url, proxy=None) as socket:
        await status.message(SESSION, "sent")
        assert (await next_frame(socket))["type"] == "message.sent"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, proxy=None)
    _check_refused(refused.value, 401, "INVALID_TOKEN")


async def test_a_sign_in_token_opens_a_stream(site: Site, status: Publisher) -> None:
    protocols = ["bearer", await site.sign_in()]
    async with connect(socket_url(site), subprotocols=protocols, proxy=None) as socket:
        assert socket.subprotocol == "bearer"
        await status.message(SESSION, "sent")
        assert (await next_frame(socket))["type"] == "message.sent"


async def test_a_header_opens_a_stream(site: Site, status: Publisher) -> None:
    headers = {"Authorization": f"Bearer {site.account.api_key}"}
    async with connect(socket_url(site), additional_headers=headers, proxy=None) as socket:
        await status.message(SESSION, "sent")
        assert (await next_frame(socket))["type"] == "message.sent"


async def test_a_stream_ends_with_its_key(site: Site, status: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "PING_EVERY_S", 0.2)
    async with listening(site) as socket:
        await status.message(SESSION, "sent")
        assert (await next_frame(socket))["type"] == "message.sent"
        assert (await site.call("POST", "/apikey", json={})).status_code == 200
        with pytest.raises(ConnectionClosed) as closed:
            await next_frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    ("protocols", "query", "status_code", "code"),
    [
        pytest.param(None, "", 401, "UNAUTHORIZED", id="no credential"),
        pytest.param(["bearer", "gf_wrong"], "", 401, "INVALID_API_KEY", id="an unknown key"),
        pytest.param(["bearer", "no.such.token"], "", 401, "INVALID_TOKEN", id="an unknown token"),
        pytest.param(None, "?ticket=nope", 401, "INVALID_TOKEN", id="an unknown ticket"),
    ],
)
async def test_a_stream_without_a_right_is_refused_before_the_handshake(
    site: Site, protocols: Any, query: str, status_code: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(site, query), subprotocols=protocols, proxy=None)
    _check_refused(refused.value, status_code, code)


@pytest.mark.parametrize(
    ("query", "status_code", "code"),
    [
        pytest.param("?session=nobody", 404, "SESSION_NOT_FOUND", id="an unknown session"),
        pytest.param("?since=yesterday", 400, "VALIDATION_FAILED", id="no cursor"),
        pytest.param("?events=message.sent;drop", 400, "VALIDATION_FAILED", id="no pattern"),
    ],
)
async def test_a_wrong_question_is_refused_before_the_handshake(
    site: Site, query: str, status_code: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with listening(site, query):
            pass
    _check_refused(refused.value, status_code, code)


def _check_refused(error: InvalidStatus, status_code: int, code: str) -> None:
    assert error.response.status_code == status_code
    body = json.loads(error.response.body)
    assert body["success"] is False
    assert body["error"] == code
    assert body["message"]
    assert body["requestId"]


# --- Server-sent events ----------------------------------------------------------------------------------------------


async def test_server_sent_events_resume_by_their_last_id(site: Site, status: Publisher) -> None:
    async with _events(site) as events:
        await status.message(SESSION, "queued")
        first = await anext(events)
    missed = [await status.message(SESSION, "sent"), await status.message(SESSION, "read")]
    async with _events(site, first["cursor"]) as events:
        assert [position(await anext(events)) for _ in range(2)] == missed


@pytest.mark.parametrize("kind", ["websocket", "sse"])
async def test_a_listener_that_goes_away_is_forgotten(site: Site, status: Publisher, kind: str) -> None:
    opened = listening(site) if kind == "websocket" else _events(site)
    async with opened:
        await _until_listeners(site, 1)
    await status.message(SESSION, "sent")
    await _until_listeners(site, 0)


async def _until_listeners(site: Site, count: int) -> None:
    async with asyncio.timeout(BOUND_S):
        while site.edge.hub.listeners != count:  # noqa: ASYNC110 - the hub tells it by this property only
            await asyncio.sleep(0.01)


async def test_server_sent_events_end_when_the_edge_stops(open_site: SiteMaker) -> None:
    async with open_site() as site:
        headers = {"Authorization": f"Bearer {site.account.api_key}"}
        client = httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=BOUND_S)
        request = client.build_request("GET", f"{BASE}/stream/sse", headers=headers)
        answer = await client.send(request, stream=True)
    text = (await answer.aread()).decode()
    await client.aclose()
    assert "event: close" in text
    assert '"code":1012' in text


@asynccontextmanager
async def _events(site: Site, last_id: str = "") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {site.account.api_key}"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    async with (
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=BOUND_S) as client,
        client.stream("GET", f"{BASE}/stream/sse", headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == ": open"
        yield _parsed(lines)


async def _parsed(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    last_id = ""
    async for line in lines:
        if line.startswith("id: "):
            last_id = line[4:]
        if line.startswith("data: "):
            frame = json.loads(line[6:])
            assert frame["cursor"] == last_id
            if frame["type"] != "ping":
                yield frame
