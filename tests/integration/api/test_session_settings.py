"""Proxy, device name and pacing of a session: set, kept, changed one by one, and a proxy never shown."""

from __future__ import annotations

from typing import Any

import pytest

from libs.contracts.records import SessionRecord
from libs.runtime.mongo import from_document
from tests.integration.api.edges import Site, refused

PROXY = "socks5://user:secret@proxy.example:1080"


async def kept(rows: Any, session_id: str) -> SessionRecord:
    return from_document(SessionRecord, await rows.sessions.find_one({"_id": session_id}))


async def test_a_session_is_made_with_its_settings(site: Site, rows: Any) -> None:
    pacing = {"perMinute": 12, "burst": 3, "jitter": 0.5, "newContacts": False}
    session_id = await site.make_session(proxy=PROXY, deviceName=" Toko Kopi ", pacing=pacing)
    answer = await site.call("GET", f"/sessions/{session_id}")
    session = answer.json()["session"]
    assert (session["proxy"], session["deviceName"], session["pacing"]) == ("set", "Toko Kopi", pacing)
    assert "secret" not in answer.text
    stored = await kept(rows, session_id)
    assert stored.proxy is not None
    assert "secret" not in stored.proxy
    assert site.edge.ring.open(stored.proxy, about=session_id).decode() == PROXY


async def test_settings_are_changed_one_by_one_and_null_is_the_default_again(site: Site, rows: Any) -> None:
    session_id = await site.make_session(proxy=PROXY, deviceName="Toko", pacing={"perMinute": 5})
    before = await kept(rows, session_id)
    changed = await site.call("PUT", f"/sessions/{session_id}", json={"deviceName": "Kedai"})
    session = changed.json()["session"]
    assert (session["proxy"], session["deviceName"], session["pacing"]["perMinute"]) == ("set", "Kedai", 5)
    assert (await kept(rows, session_id)).version == before.version + 1
    nothing = {"proxy": None, "deviceName": None, "pacing": None}
    session = (await site.call("PUT", f"/sessions/{session_id}", json=nothing)).json()["session"]
    assert (session["proxy"], session["deviceName"], session["pacing"]) == (None, None, None)
    assert (await kept(rows, session_id)).name == before.name


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"proxy": "ftp://a:1"}, "proxy", id="another scheme"),
        pytest.param({"proxy": "http://proxy.example"}, "proxy", id="no port"),
        pytest.param({"proxy": "http://:secret@:1"}, "proxy", id="no host"),
        pytest.param({"proxy": "http://a:99999"}, "proxy", id="no such port"),
        pytest.param({"proxy": "http://a:1/secret"}, "proxy", id="a path"),
        pytest.param({"proxy": "http://a:secret%0a@b:1"}, "proxy", id="a line end"),
        pytest.param({"deviceName": "  "}, "deviceName", id="a name of spaces"),
        pytest.param({"deviceName": "a\u0000"}, "deviceName", id="a name that cannot be printed"),
        pytest.param({"deviceName": "a" * 51}, "deviceName", id="a long name"),
        pytest.param({"pacing": {}}, "perMinute", id="a pace without a rate"),
        pytest.param({"pacing": {"perMinute": 601}}, "perMinute", id="a pace beyond"),
        pytest.param({"pacing": {"perMinute": 1, "burst": 0}}, "burst", id="no burst"),
        pytest.param({"pacing": {"perMinute": 1, "jitter": 2}}, "jitter", id="a jitter beyond"),
    ],
)
async def test_a_wrong_setting_is_refused_and_nothing_changes(
    site: Site, session_id: str, rows: Any, body: dict[str, Any], field: str
) -> None:
    before = await kept(rows, session_id)
    told = refused(await site.call("PUT", f"/sessions/{session_id}", json=body), 400, "VALIDATION_FAILED")
    assert field in str(told["details"]["fields"])
    assert "secret" not in str(told)
    refused(await site.call("POST", "/sessions", json={"name": "Second", **body}), 400, "VALIDATION_FAILED")
    assert await kept(rows, session_id) == before
    assert await rows.sessions.count_documents({"live": True}) == 1
