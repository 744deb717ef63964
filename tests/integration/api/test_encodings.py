"""What is not UTF-8 is refused, saying where, by whatever reads a body; a byte order mark is no part of one."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping

import httpx
import msgspec
import pytest

from tests.e2e.operations import Operation, operations_of
from tests.integration.api.commands import only_send
from tests.integration.api.edges import BASE, Site, refused
from tests.integration.api.operators import Operator

BROKEN = b'{"name":"caf\xe9"}'
"""Latin-1; the byte at 12."""
BODY_WANTED = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FOR_EVERYBODY = frozenset({"sign_in", "sign_in_admin", "sign_up"})
JSON = {"Content-Type": "application/json"}
UNREAD = 400
NO_FAULT = 500


class _Anything(dict[str, str]):
    """Path parameters that need not exist: a body is read first."""

    def __missing__(self, name: str) -> str:
        return "none"


async def test_every_operation_with_a_body_refuses_what_is_not_utf_8(site: Site, operator: Operator) -> None:
    session_id = await site.make_session()
    known = _Anything(session_ref=session_id, api_key=site.account.api_key, group="120363000000000000@g.us")
    credentials = await _credentials(site, operator)
    faults = [
        fault
        for operation in await operations_of(site.client)
        if operation.bodies
        for fault in await _faults(site, operation, known, credentials)
    ]
    assert not faults, "\n".join(faults)


async def test_whoever_is_not_known_is_told_that_before_the_body_is_read(site: Site) -> None:
    known = _Anything(session_ref="none", api_key="gf_none", group="120363000000000000@g.us")
    operations = [each for each in await operations_of(site.client) if each.bodies and each.id not in FOR_EVERYBODY]
    assert len(operations) > 40
    for operation in operations:
        path = operation.path.format_map(known)
        answer = await site.client.request(operation.method, path, content=BROKEN, headers=JSON)
        assert answer.status_code == 401, f"{operation.id}: {answer.text}"


async def _credentials(site: Site, operator: Operator) -> list[str]:
    return [site.account.api_key, await site.sign_in(), operator.headers["Authorization"].removeprefix("Bearer ")]


async def _faults(site: Site, operation: Operation, known: Mapping[str, str], credentials: list[str]) -> list[str]:
    path = operation.path.format_map(known)
    answers = [await _asked(site, operation, path, token) for token in credentials]
    faults = [f"{operation.id}: {each.status_code} {each.text}" for each in answers if each.status_code >= NO_FAULT]
    if not any(_names_the_byte(each) for each in answers):
        faults.append(f"{operation.id}: nobody is told: {[each.text for each in answers]}")
    return faults


async def _asked(site: Site, operation: Operation, path: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return await site.client.request(operation.method, path, content=BROKEN, headers=headers)


def _names_the_byte(answer: httpx.Response) -> bool:
    body = answer.json()
    return answer.status_code == UNREAD and body["error"] == "MALFORMED_JSON" and body["details"] == {"offset": 12}


@pytest.mark.parametrize(
    ("body", "offset", "says"),
    [
        pytest.param(BROKEN, 12, "it is not UTF-8: byte 12 is 0xe9", id="latin-1"),
        pytest.param(b'{"name":"\x80abc"}', 9, "byte 9 is 0x80", id="a lone continuation"),
        pytest.param(b'{"name":"abc\xf0\x9f\x98"}', 12, "byte 12 is 0xf0", id="a cut emoji"),
        pytest.param(b'{"n\xff":1}', 3, "byte 3 is 0xff", id="in a key"),
        pytest.param(b'{"name":"abc","unknown":"\xff"}', 25, "byte 25 is 0xff", id="where nobody reads"),
        pytest.param(b'{"name":"\xed\xa0\x80ab"}', 9, "byte 9 is 0xed", id="a surrogate"),
        pytest.param('{"name":"abc"}'.encode("utf-16"), 0, "it is UTF-16; send UTF-8", id="UTF-16 with its mark"),
        pytest.param('{"name":"abc"}'.encode("utf-16-le"), 1, "it is UTF-16", id="UTF-16 without one"),
        pytest.param('{"name":"abc"}'.encode("utf-16-be"), 0, "it is UTF-16", id="big-endian UTF-16"),
        pytest.param('{"name":"abc"}'.encode("utf-32"), 0, "it is UTF-32", id="UTF-32 with its mark"),
        pytest.param('{"name":"abc"}'.encode("utf-32-le"), 1, "it is UTF-32", id="UTF-32 without one"),
    ],
)
async def test_what_is_wrong_with_the_encoding_is_said(site: Site, body: bytes, offset: int, says: str) -> None:
    answer = refused(await site.call("POST", "/sessions", content=body), 400, "MALFORMED_JSON")
    assert answer["details"] == {"offset": offset}
    assert says in answer["message"]


async def test_what_is_wrong_with_the_json_is_said(site: Site) -> None:
    cut = refused(await site.call("POST", "/sessions", content=b'{"name":'), 400, "MALFORMED_JSON")
    assert "truncated" in cut["message"]
    for nul in (b'\0{"name":"abc"}', b'{\0"name":"abc"}', b"\0"):
        told = refused(await site.call("POST", "/sessions", content=nul), 400, "MALFORMED_JSON")
        assert "UTF-16" not in told["message"]
    odd = refused(await site.call("POST", "/sessions", content=b'{"name":1,}'), 400, "MALFORMED_JSON")
    assert "byte 10" in odd["message"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"\ud83c", id="at the end"),
        pytest.param(r"\ud83cx", id="before a sign"),
        pytest.param(r"\ud83c and much more", id="before words"),
        pytest.param(r"\uDF0D", id="the second half"),
        pytest.param(r"\ud83c\u0041", id="before another escape"),
        pytest.param(r"\ud83c\ud83c", id="the first half twice"),
        pytest.param(r"\ud83c\n", id="before a line end"),
    ],
)
@pytest.mark.parametrize("body", ['{"name":"abc%s"}', '{"%s":1}', '{"name":"abc","unknown":["%s"]}'])
async def test_half_of_a_character_is_named(site: Site, body: str, text: str) -> None:
    refusal = site.call("POST", "/sessions", content=(body % text).encode(), headers={"Accept-Language": "id"})
    assert "setengah karakter" in refused(await refusal, 400, "MALFORMED_JSON")["message"]
    told = refused(await site.call("POST", "/sessions", content=(body % text).encode()), 400, "MALFORMED_JSON")
    assert "half of a character" in told["message"]
    assert told["details"] == {"offset": body.index("%s")}


async def test_an_escaped_backslash_before_such_letters_is_no_half(site: Site) -> None:
    cut = await site.call("POST", "/sessions", content=rb'{"name":"a\\ud83c')
    assert "truncated" in refused(cut, 400, "MALFORMED_JSON")["message"]
    whole = await site.call("POST", "/sessions", content=rb'{"name":"a\ud83c\udf0d", "x":')
    assert "truncated" in refused(whole, 400, "MALFORMED_JSON")["message"]


async def test_a_byte_order_mark_stands_before_json(site: Site) -> None:
    made = await site.call("POST", "/sessions", content=codecs.BOM_UTF8 + b'{"name":"Sales"}')
    assert made.status_code == 200, made.text
    session_id = made.json()["session"]["id"]

    body = codecs.BOM_UTF8 + json.dumps({"phone": "081234567890", "message": "Halo"}).encode()
    path = f"/api/services/whatsapp/chat/{session_id}/{site.account.api_key}"
    sent = await site.client.post(path, content=body)

    assert sent.status_code == 200, sent.text
    assert msgspec.to_builtins((await only_send(site)).content)["text"] == "Halo"


async def test_a_field_of_a_form_that_is_not_utf_8_is_named(site: Site, session_id: str) -> None:
    path = f"/api/services/whatsapp/chat/{session_id}/{site.account.api_key}"
    form = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\ncaf\xe9\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = refused(await site.client.post(path, content=form, headers=headers), 400, "VALIDATION_FAILED")
    assert answer["details"]["fields"] == [{"path": "message", "reason": "it is not UTF-8: byte 3 is 0xe9"}]


@pytest.mark.parametrize("raw", ["%ff", "%", "%zz", "%c3%28", "%00", "%ed%a0%80"])
async def test_bad_percent_encoding_in_a_path_or_query_is_no_fault_of_ours(site: Site, raw: str) -> None:
    for path in (
        f"{BASE}/sessions/{raw}",
        f"{BASE}/sessions?status={raw}",
        f"{BASE}/messages?q={raw}&session={raw}&cursor={raw}",
        f"/api/services/whatsapp/chat/{raw}/{site.account.api_key}",
        f"/api/services/whatsapp/chat/x/{raw}",
        f"/dashboard/devices/{raw}",
        f"/{raw}",
    ):
        answer = await site.call("GET", f"/{path}")
        assert answer.status_code < NO_FAULT, f"{path}: {answer.text}"
