"""A planned stop while customers wait for answers: each gets one before the edge has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import msgspec
import pytest

from libs.contracts.commands import SendMessage
from services.api.live import hub
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, BOUND_S, Site, refused, until, wanted_state
from tests.integration.api.messages import until_command

WAIT_S = 50
TEXT = {"type": "text", "to": "+6281234567890", "text": "hello"}


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LAST_WAITS_S", 0.2)


async def answered_at_the_end(
    site: Site, call: Awaitable[httpx.Response], *, amid: Awaitable[object]
) -> httpx.Response:
    """The answer to a call, the edge being stopped as soon as `amid` is done."""
    calling = asyncio.ensure_future(call)
    await amid
    await asyncio.gather(site.stop(), calling)
    answer = await calling
    assert answer.headers["connection"] == "close"
    return answer


@pytest.mark.usefixtures("short_waits")
async def test_a_message_whose_outcome_is_waited_for_is_answered_as_queued(site: Site, session_id: str) -> None:
    wishes = {"Prefer": f"wait={WAIT_S}"}
    call = site.call("POST", f"/sessions/{session_id}/messages", json=TEXT, headers=wishes)
    answer = await answered_at_the_end(site, call, amid=until_command(site, SendMessage))
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("image", ["json", "png"])
async def test_who_waits_for_a_code_is_asked_to_try_again(open_site: SiteMaker, rows: Any, image: str) -> None:
    async with open_site(drain_s=2 * WAIT_S) as site:  # so that nothing is cut off
        session_id = await site.make_session()
        begun = wanted_state(rows, session_id, lambda wanted: wanted["starts"] > 0)
        call = site.call("GET", f"/sessions/{session_id}/qr?wait={WAIT_S}&format={image}")
        answer = await answered_at_the_end(site, call, amid=begun)
    refused(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"


# --- Longer than the drain -------------------------------------------------------------------------------------------


async def test_a_read_that_is_cut_off_is_asked_to_try_again(
    open_site: SiteMaker, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LAST_WAITS_S", WAIT_S)
    async with open_site(drain_s=1) as site:
        session_id = await site.make_session()
        begun = wanted_state(rows, session_id, lambda wanted: wanted["starts"] > 0)
        call = site.call("GET", f"/sessions/{session_id}/qr?wait={WAIT_S}")
        answer = await answered_at_the_end(site, call, amid=begun)
    refused(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"


async def test_a_change_that_is_cut_off_fails_in_our_words(open_site: SiteMaker) -> None:
    async with open_site(drain_s=1) as site:
        reader, writer = await asyncio.open_connection(site.client.base_url.host, site.client.base_url.port)
        head = f"POST {BASE}/sessions HTTP/1.1\r\nHost: here\r\nX-API-Key: {site.account.api_key}\r\n"
        writer.write(f'{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"name": '.encode())
        await until(lambda: _is_taken(site))
        await site.stop()
        answer = (await asyncio.wait_for(reader.read(), BOUND_S)).decode()
        writer.close()
    assert answer.startswith("HTTP/1.1 500")
    assert msgspec.json.decode(answer.partition("\r\n\r\n")[2])["error"] == "INTERNAL"


async def _is_taken(site: Site) -> bool:
    return bool(site.server.server_state.tasks)
