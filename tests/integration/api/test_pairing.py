"""Linking by code and by passkey: what the edge begins, asks of the owner, and shows of the state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libs.contracts.calls import AnswerPasskey, AskDone, AskFailed, ConfirmPasskey, PairCodeIssued, RequestPairCode
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import SOON, Site, observe, refused, soon, wanted_state
from tests.integration.api.owner import owner


async def test_a_pair_code_begins_the_link_and_is_asked_of_the_owner(
    site: Site, session_id: str, rows: Any, streams: str
) -> None:
    ends = soon()
    async with owner(streams, PairCodeIssued(code="ABCD-EFGH", expires_at=ends)) as asked:
        body = {"phone": "0811 111 1111"}
        asking = asyncio.create_task(site.call("POST", f"/sessions/{session_id}/pair-code", json=body))
        await wanted_state(rows, session_id, lambda document: document["running"] and document["starts"] == 1)
        assert asked == []
        await observe(rows, session_id, "qr_ready", qr="2@abc", expiresAt=soon())
        answer = await asking
    assert answer.status_code == 200, answer.text
    assert asked == [RequestPairCode(session_id=session_id, phone="628111111111")]
    data = answer.json()["data"]
    assert data["code"] == "ABCD-EFGH"
    assert SOON.seconds - 60 <= data["expiresIn"] <= SOON.seconds
    assert answer.headers["cache-control"] == "no-store"


async def test_a_connected_session_needs_no_pair_code(site: Site, session_id: str, rows: Any) -> None:
    await observe(rows, session_id, "connected")
    answer = await site.call("POST", f"/sessions/{session_id}/pair-code", json={"phone": "08111111111"})
    refused(answer, 400, "ALREADY_CONNECTED")


async def test_a_banned_number_gets_no_pair_code(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(qr_wait_s=0.2) as site:
        session_id = await site.make_session()
        await observe(rows, session_id, "banned", reason="spam")
        answer = await site.call("POST", f"/sessions/{session_id}/pair-code", json={"phone": "08111111111"})
        assert "spam" in refused(answer, 409, "SESSION_BANNED")["message"]


@pytest.mark.parametrize(
    ("phone", "code"), [("12", "INVALID_PHONE"), ("1@lid", "INVALID_PHONE"), ("120363021234567890@g.us", None)]
)
async def test_only_a_phone_number_can_be_linked(site: Site, session_id: str, phone: str, code: str | None) -> None:
    answer = await site.call("POST", f"/sessions/{session_id}/pair-code", json={"phone": phone})
    refused(answer, 400, code or "VALIDATION_FAILED")


@pytest.mark.parametrize("phone", ["819012345678", "85291234567"])
async def test_digits_that_two_accounts_may_have_are_not_linked(site: Site, session_id: str, phone: str) -> None:
    answer = await site.call("POST", f"/sessions/{session_id}/pair-code", json={"phone": phone})
    assert "write it with + and the country code" in refused(answer, 400, "INVALID_PHONE")["message"]


# --- Passkey ---------------------------------------------------------------------------------------------------------


async def test_a_pairing_code_of_a_network_out_of_reach_says_why(
    site: Site, session_id: str, rows: Any, streams: str
) -> None:
    await observe(rows, session_id, "starting")
    failed = AskFailed(code="UNREACHABLE", detail="WhatsApp cannot be reached.", cause="tls")
    async with owner(streams, failed):
        answer = await site.call("POST", f"/sessions/{session_id}/pair-code", json={"phone": "0812 3456 7890"})
    told = refused(answer, 503, "WHATSAPP_UNREACHABLE")
    assert "the encrypted connection failed (TLS)" in told["message"]


@pytest.mark.parametrize(
    ("status", "passkey", "step", "challenge", "code"),
    [
        pytest.param("passkey_required", '{"challenge":"AA"}', "challenge", {"challenge": "AA"}, None, id="asked"),
        pytest.param("passkey_required", "12 34 56", "compare", None, "12 34 56", id="to be compared"),
        pytest.param("passkey_required", "123456", "compare", None, "123456", id="a number to be compared"),
        pytest.param("connected", '{"challenge":"AA"}', "none", None, None, id="over"),
    ],
)
async def test_the_step_of_the_passkey_is_shown(
    site: Site, session_id: str, rows: Any, status: str, passkey: str, step: str, challenge: Any, code: str | None
) -> None:
    await observe(rows, session_id, status, passkey=passkey)
    answer = await site.call("GET", f"/sessions/{session_id}/passkey")
    assert answer.json()["data"] == {"step": step, "challenge": challenge, "code": code, "expiresAt": None}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_passkeys_answer_and_the_comparison_go_to_the_owner(
    site: Site, session_id: str, streams: str
) -> None:
    async with owner(streams, AskDone()) as asked:
        response = {"id": "x", "response": {"signature": "AA"}}
        answer = await site.call("POST", f"/sessions/{session_id}/passkey", json={"response": response})
        assert answer.status_code == 200, answer.text
        assert (await site.call("POST", f"/sessions/{session_id}/passkey/confirm")).status_code == 200
    assert asked == [
        AnswerPasskey(session_id=session_id, response='{"id":"x","response":{"signature":"AA"}}'),
        ConfirmPasskey(session_id=session_id),
    ]


@pytest.mark.parametrize("body", [{}, {"response": "text"}, {"response": {"a": "x" * 65_000}}])
async def test_a_passkey_answer_of_another_form_is_refused(site: Site, session_id: str, body: Any) -> None:
    refused(await site.call("POST", f"/sessions/{session_id}/passkey", json=body), 400, "VALIDATION_FAILED")
