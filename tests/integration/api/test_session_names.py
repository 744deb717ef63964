"""Whatever a session may be called is found in every path; what no path can hold is refused."""

from __future__ import annotations

import string
import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.api.edges import Site, refused

WEAVE = [pytest.param(f"a{each}b", id=f"U+{ord(each):04X}") for each in string.punctuation + " " if each not in "/\\"]
NAMES = [
    *WEAVE,
    pytest.param("...", id="dots"),
    pytest.param("50% off?", id="an escape that is none"),
    pytest.param("a%2Fb", id="an escape"),
    pytest.param("a%252Fb", id="encoded twice"),
    pytest.param("Kasir Café №1", id="accents"),
    pytest.param("\u5e97\u8217\u4e00", id="Chinese"),
    pytest.param("\u0645\u062a\u062c\u0631", id="right to left"),
    pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467 toko", id="an emoji of several"),
    pytest.param("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", id="a flag of tags"),
    pytest.param("\U0001f600" * 50, id="the longest, in emoji"),
    pytest.param("messages", id="like a path"),
    pytest.param("0123456789abcde", id="shorter than an id"),
    pytest.param("0123456789ABCDEF", id="in capitals, as no id is"),
    pytest.param("test", id="like the public test"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_session_is_found_by_its_name_in_every_path(site: Site, name: str) -> None:
    made = await site.call("POST", "/sessions", json={"name": name})
    assert made.status_code == 200, made.text
    session = made.json()["session"]
    assert session["name"] == name
    segment = quote(name, safe="")
    for path in (f"/sessions/{segment}", f"/sessions/{segment}/health"):
        answer = await site.call("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        assert answer.json()["data"]["sessionId"] == session["id"]
    public = f"/api/services/whatsapp/chat/{segment}/{site.account.api_key}"
    for path in (public, f"{public}/0812345678/test"):
        answer = await site.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        assert answer.json()["data"]["sessionId"] == session["id"]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("  Sales  ", id="spaces around it"),
        pytest.param(unicodedata.normalize("NFD", "Caf\u00e9"), id="a decomposed accent"),
    ],
)
async def test_a_name_is_found_as_it_was_written(site: Site, written: str) -> None:
    made = (await site.call("POST", "/sessions", json={"name": written})).json()["session"]
    for name in (written, made["name"]):
        found = await site.call("GET", f"/sessions/{quote(name, safe='')}")
        assert found.json()["data"]["id"] == made["id"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("a/b", "no slash", id="slash"),
        pytest.param("../sessions", "no slash", id="a way out"),
        pytest.param("a\\b", "no backslash", id="backslash"),
        pytest.param("..", "3 to 50", id="two dots"),
        pytest.param("x" * 51, "3 to 50", id="too long"),
        pytest.param("  a ", "3 to 50", id="mostly spaces"),
        pytest.param("a\nb", "printable", id="a line end"),
        pytest.param("a\u202eb", "printable", id="turned round"),
        pytest.param("a\u00a0b", "printable", id="a space that looks like one"),
        pytest.param("ab\u200d", "printable", id="a joiner of nothing"),
    ],
)
async def test_a_name_that_no_path_holds_is_refused(site: Site, name: str, says: str) -> None:
    answer = await site.call("POST", "/sessions", json={"name": name})
    assert says in refused(answer, 400, "VALIDATION_FAILED")["message"]
    session_id = await site.make_session()
    refused(await site.call("PUT", f"/sessions/{session_id}", json={"name": name}), 400, "VALIDATION_FAILED")


async def test_a_name_of_the_form_of_an_id_is_refused(site: Site) -> None:
    """Else it could be another session's id, and who asks by that name would reach the other one."""
    other = await site.make_session("Other")
    session_id = await site.make_session()
    for name in (other, f" {other} ", "0123456789abcdef"):
        answer = await site.call("POST", "/sessions", json={"name": name}, headers={"Accept-Language": "id"})
        said = refused(answer, 400, "VALIDATION_FAILED")
        assert said["message"].endswith("nama sesi tidak boleh berbentuk id sesi (16 digit heksadesimal).")
        answer = await site.call("PUT", f"/sessions/{session_id}", json={"name": name})
        assert "form of a session's id" in refused(answer, 400, "VALIDATION_FAILED")["message"]


async def test_a_session_that_has_such_a_name_already_is_reached_and_changed(site: Site, rows: Any) -> None:
    other, session_id = await site.make_session("Other"), await site.make_session()
    await rows.sessions.update_one({"_id": session_id}, {"$set": {"name": other}})
    found = await site.call("GET", f"/sessions/{session_id}")
    assert (found.json()["data"]["id"], found.json()["data"]["name"]) == (session_id, other)
    assert (await site.call("GET", f"/sessions/{other}")).json()["data"]["id"] == other
    changed = await site.call("PUT", f"/sessions/{session_id}", json={"name": other, "isNotification": True})
    assert changed.status_code == 200, changed.text
    renamed = await site.call("PUT", f"/sessions/{session_id}", json={"name": "Sales"})
    assert renamed.json()["data"]["name"] == "Sales"
