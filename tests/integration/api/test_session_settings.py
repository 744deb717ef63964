"""Proxy, device name and pacing of a session: set, kept, changed one by one, and a proxy never shown."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from libs.contracts.records import SessionRecord
from libs.runtime.mongo import from_document
from tests.integration.api.conftest import SiteMaker
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


INSIDE = [
    *("socks5://user:secret@127.0.0.1:4222", "http://localhost:27017", "https://[::1]:8080", "http://10.1.2.3:3128"),
    *("http://[::ffff:127.0.0.1]:80", "http://2130706433:80", "http://0177.0.0.1:80", "http://[fe80::1%25eth0]:80"),
    *("http://[64:ff9b::7f00:1]:80", "socks5://[2002:7f00:1::]:80", "http://0.0.0.0:80", "http://127.1:80"),
    *("http://secret:a@public.example@127.0.0.1:80", "http://local%68ost:80"),
]
METADATA = [
    *(
        "http://169.254.169.254:80",
        "socks5://168.63.129.16:80",
        "http://[fd00:ec2::254]:80",
        "http://100.100.100.200:80",
    ),
    *("http://192.0.0.192:80", "http://metadata.google.internal:80", "http://[64:ff9b::a9fe:a9fe]:80"),
]


@pytest.mark.parametrize("proxy", [*INSIDE, *METADATA])
async def test_a_proxy_that_leads_inside_is_refused_and_nothing_changes(
    site: Site, session_id: str, rows: Any, proxy: str
) -> None:
    before = await kept(rows, session_id)
    for call in (("PUT", f"/sessions/{session_id}"), ("POST", "/sessions")):
        told = refused(await site.call(*call, json={"name": "Second", "proxy": proxy}), 400, "VALIDATION_FAILED")
        assert told["details"]["fields"][0]["path"] == "proxy"
        assert "secret" not in str(told)
    assert await kept(rows, session_id) == before
    assert await rows.sessions.count_documents({}) == 1


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "en",
            "proxy: the address is refused: it lies on this machine or in a private network, "
            "which the operator allows by MERPATI_PROXY_ALLOWED",
        ),
        (
            "id",
            "proxy: alamatnya ditolak: berada di mesin ini atau di jaringan privat, "
            "yang diizinkan operator dengan MERPATI_PROXY_ALLOWED",
        ),
    ],
)
async def test_the_refusal_names_the_setting_that_allows_it(
    site: Site, session_id: str, language: str, says: str
) -> None:
    body, said = {"proxy": "http://10.1.2.3:3128"}, {"Accept-Language": language}
    answer = await site.call("PUT", f"/sessions/{session_id}", json=body, headers=said)
    assert says in refused(answer, 400, "VALIDATION_FAILED")["message"]


@pytest.mark.parametrize(
    ("allowance", "proxies", "still"),
    [
        pytest.param(
            {"proxy_allowed": "10.0.0.0/8,127.0.0.1"},
            ["http://10.1.2.3:3128", "socks5://localhost:9"],
            "http://192.168.0.1:80",
            id="networks",
        ),
        pytest.param({"proxy_allowed": "localhost"}, ["http://LOCALHOST.:3128"], "http://127.0.0.1:9", id="a host"),
        pytest.param({"private_targets": True}, ["http://127.0.0.1:9"], "http://198.18.0.1:9", id="everything private"),
        pytest.param(
            {"proxy_allowed": "0.0.0.0/0,::/0"}, ["http://127.0.0.1:9", "http://198.18.0.1:9"], None, id="all"
        ),
    ],
)
async def test_an_operator_allows_proxies_of_its_own_and_never_metadata(
    open_site: SiteMaker, allowance: dict[str, Any], proxies: list[str], still: str | None
) -> None:
    async with open_site(**allowance) as site:
        session_id = await site.make_session()
        for proxy in proxies:
            answer = await site.call("PUT", f"/sessions/{session_id}", json={"proxy": proxy})
            assert answer.json()["session"]["proxy"] == "set", proxy
        for proxy in [*METADATA, *([still] if still else [])]:
            answer = await site.call("PUT", f"/sessions/{session_id}", json={"proxy": proxy})
            refused(answer, 400, "VALIDATION_FAILED")


async def test_every_address_of_a_proxys_name_is_looked_at(
    site: Site, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["10.0.0.1", "169.254.169.254"]

    async def resolved(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    body = {"proxy": "socks5://proxy.example:1080"}
    refused(await site.call("PUT", f"/sessions/{session_id}", json=body), 400, "VALIDATION_FAILED")
    found.append("8.8.8.8")
    assert (await site.call("PUT", f"/sessions/{session_id}", json=body)).is_success
