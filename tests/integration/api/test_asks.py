"""What the edge asks of a session's owner: numbers, presence, groups; and what it says when the owner cannot."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats
import pytest

from libs.contracts.calls import (
    AskDone,
    AskFailed,
    ChangeParticipants,
    CheckNumbers,
    CreateGroup,
    Group,
    GroupInvite,
    GroupMember,
    GroupsFound,
    NumbersChecked,
    ParticipantsChanged,
    ShowPresence,
)
from libs.contracts.ids import session_call_subject, shard_of
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import Site, refused, until
from tests.integration.api.owner import owner

GROUP = "120363021234567890@g.us"
SARI, BUDI = "628111111111@s.whatsapp.net", "628222222222@s.whatsapp.net"


def test_the_owner_of_a_shard_listens_where_the_edge_asks() -> None:
    assert session_call_subject("simulator", 7) == "call.session.simulator.07"


# --- Numbers ---------------------------------------------------------------------------------------------------------


async def test_numbers_are_told_by_their_normal_form(site: Site, session_id: str, streams: str) -> None:
    jids = {"628111111111": SARI, "628222222222": None}
    async with owner(streams, NumbersChecked(jids=jids)) as asked:
        phones = ["0811 111 1111", "+62 822-2222-222", "+628111111111", "12"]
        answer = await site.call("POST", f"/sessions/{session_id}/check", json={"phones": phones})
    assert answer.status_code == 200, answer.text
    assert asked == [CheckNumbers(session_id=session_id, phones=["628111111111", "628222222222"])]
    assert answer.json()["data"] == [
        {"phone": "0811 111 1111", "number": "628111111111", "onWhatsApp": True, "jid": SARI, "reason": None},
        {"phone": "+62 822-2222-222", "number": "628222222222", "onWhatsApp": False, "jid": None, "reason": None},
        {"phone": "+628111111111", "number": "628111111111", "onWhatsApp": True, "jid": SARI, "reason": None},
        {"phone": "12", "number": None, "onWhatsApp": False, "jid": None, "reason": "it is too short"},
    ]


@pytest.mark.parametrize("phones", [[], ["0811"] * 101, [""], "0811", [1]])
async def test_a_wrong_list_of_numbers_is_refused(site: Site, session_id: str, phones: Any) -> None:
    answer = await site.call("POST", f"/sessions/{session_id}/check", json={"phones": phones})
    refused(answer, 400, "VALIDATION_FAILED")


# --- Presence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["composing", "recording", "paused"])
async def test_a_chat_is_shown_what_the_session_does(site: Site, session_id: str, streams: str, state: str) -> None:
    async with owner(streams, AskDone()) as asked:
        answer = await site.call("POST", f"/sessions/{session_id}/presence", json={"to": "08111111111", "state": state})
    assert answer.status_code == 200, answer.text
    assert asked == [ShowPresence(session_id=session_id, chat="628111111111@s.whatsapp.net", presence=state)]


async def test_another_presence_is_refused(site: Site, session_id: str) -> None:
    body = {"to": "08111111111", "state": "sleeping"}
    refused(await site.call("POST", f"/sessions/{session_id}/presence", json=body), 400, "VALIDATION_FAILED")


# --- Groups ----------------------------------------------------------------------------------------------------------


def group(**more: Any) -> Group:
    members = [GroupMember(jid=SARI, lid="1@lid", role="owner"), GroupMember(jid="22222@lid")]
    values: dict[str, Any] = {"jid": GROUP, "subject": "Tim", "members": members}
    return Group(**values | more)


async def test_groups_are_listed_with_their_members(site: Site, session_id: str, streams: str) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    async with owner(streams, GroupsFound(groups=[group(created_at=at)])):
        answer = await site.call("GET", f"/sessions/{session_id}/groups")
    assert answer.json() == {
        "success": True,
        "data": [
            {
                "jid": GROUP,
                "subject": "Tim",
                "createdAt": "2026-01-02T03:04:05.000Z",
                "members": [
                    {"phone": "628111111111", "jid": SARI, "lid": "1@lid", "role": "owner"},
                    {"phone": None, "jid": "22222@lid", "lid": None, "role": "member"},
                ],
            }
        ],
    }


async def test_a_group_is_made_of_people(site: Site, session_id: str, streams: str) -> None:
    async with owner(streams, GroupsFound(groups=[group()])) as asked:
        body = {"subject": " Tim ", "participants": ["0811 111 1111", SARI, "0822 222 2222"]}
        answer = await site.call("POST", f"/sessions/{session_id}/groups", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["jid"] == GROUP
    assert asked == [CreateGroup(session_id=session_id, subject="Tim", participants=[SARI, BUDI])]


@pytest.mark.parametrize(
    ("language", "reasons", "message"),
    [
        pytest.param(
            "en",
            [None, "they only join by invitation", "they are not on WhatsApp", "WhatsApp refused them (code 421)"],
            "Group created without 4 of 5: see participants",
            id="English",
        ),
        pytest.param(
            "id",
            [None, "mereka hanya bergabung lewat undangan", "mereka tidak ada di WhatsApp"],
            "Grup dibuat tanpa 4 dari 5: lihat participants",
            id="Indonesian",
        ),
    ],
)
async def test_who_could_not_be_added_to_a_new_group_is_told(
    site: Site, session_id: str, streams: str, language: str, reasons: list[str | None], message: str
) -> None:
    numbers = ["08111111111", "08222222222", "08333333333", "08444444444", "08555555555"]
    jids = [f"62{number[1:]}@s.whatsapp.net" for number in numbers]
    codes = dict(zip(jids, [None, 403, 404, 421], strict=False))
    invite = GroupInvite(code="abc", expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    made = msgspec.structs.replace(group(), codes=codes, invites={jids[1]: invite})
    async with owner(streams, GroupsFound(groups=[made])):
        body, wanted = {"subject": "Tim", "participants": numbers}, {"Accept-Language": language}
        answer = await site.call("POST", f"/sessions/{session_id}/groups", json=body, headers=wanted)
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert told["message"] == message
    assert [one["done"] for one in told["participants"]] == [True, False, False, False, False]
    assert [one["reason"] for one in told["participants"]][: len(reasons)] == reasons
    assert told["participants"][1]["invite"] == {"code": "abc", "expiresAt": "2026-01-02T03:04:05.000Z"}
    assert told["participants"][4]["reason"] in ("WhatsApp said nothing of them", "WhatsApp tidak menyebut mereka")


@pytest.mark.parametrize(
    ("method", "more", "action"),
    [
        ("POST", {}, "add"),
        ("DELETE", {}, "remove"),
        ("PATCH", {"action": "promote"}, "promote"),
        ("PATCH", {"action": "demote"}, "demote"),
    ],
)
async def test_participants_are_changed_and_told_one_by_one(
    site: Site, session_id: str, streams: str, method: str, more: dict[str, str], action: str
) -> None:
    async with owner(streams, ParticipantsChanged(codes={SARI: None, BUDI: 403})) as asked:
        body = {"participants": ["08111111111", "08222222222", "08333333333"], **more}
        answer = await site.call(method, f"/sessions/{session_id}/groups/{GROUP}/participants", json=body)
    assert answer.status_code == 200, answer.text
    (ask,) = asked
    assert isinstance(ask, ChangeParticipants)
    assert (ask.group, ask.action) == (GROUP, action)
    shown = answer.json()["data"]
    assert [(one["participant"], one["done"], one["code"]) for one in shown] == [
        ("08111111111", True, None),
        ("08222222222", False, 403),
        ("08333333333", False, None),
    ]
    assert shown[1]["reason"] == "they only join by invitation"
    assert shown[2]["reason"] == "WhatsApp said nothing of them"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "", {"subject": "Tim"}, id="no participants"),
        pytest.param("POST", "", {"subject": " ", "participants": ["08111111111"]}, id="no name"),
        pytest.param("POST", "", {"subject": "x" * 101, "participants": ["08111111111"]}, id="a long name"),
        pytest.param("POST", f"/{GROUP}/participants", {"participants": [GROUP]}, id="a group in a group"),
        pytest.param("POST", "/628111/participants", {"participants": ["08111111111"]}, id="a person as a group"),
        pytest.param("PATCH", f"/{GROUP}/participants", {"participants": ["08111111111"]}, id="no action"),
    ],
)
async def test_a_wrong_wish_of_a_group_is_refused(
    site: Site, session_id: str, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await site.call(method, f"/sessions/{session_id}/groups{path}", json=body)
    refused(answer, 400, "VALIDATION_FAILED")


# --- When the owner cannot -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NOT_CONNECTED", 409, "SESSION_NOT_CONNECTED"),
        ("REFUSED", 409, "REFUSED_BY_WHATSAPP"),
        ("LIMITED", 409, "REFUSED_BY_WHATSAPP"),
        ("NOT_POSSIBLE", 409, "NOT_POSSIBLE"),
        ("TOO_LARGE", 413, "PAYLOAD_TOO_LARGE"),
        ("GONE", 404, "MEDIA_GONE"),
        ("TIMEOUT", 503, "SESSION_UNREACHABLE"),
        ("INTERRUPTED", 503, "SESSION_UNREACHABLE"),
        ("TEMPORARY", 503, "SESSION_UNREACHABLE"),
        ("SOMETHING_NEW", 503, "SESSION_UNREACHABLE"),
    ],
)
async def test_what_the_owner_cannot_do_is_a_refusal(
    site: Site, session_id: str, streams: str, code: str, status: int, error: str
) -> None:
    async with owner(streams, AskFailed(code=code, detail="Because of the weather.")):
        answer = await site.call("GET", f"/sessions/{session_id}/groups")
    told = refused(answer, status, error)
    assert ("retry-after" in answer.headers) == (status == 503)
    if error in ("REFUSED_BY_WHATSAPP", "NOT_POSSIBLE"):
        assert "Because of the weather" in told["message"]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "WhatsApp limits how many numbers"), ("id", "WhatsApp membatasi jumlah nomor")],
)
async def test_a_check_that_whatsapp_limits_says_so_and_when_to_come_again(
    site: Site, session_id: str, streams: str, language: str, sentence: str
) -> None:
    async with owner(streams, AskFailed(code="LIMITED", detail="It limits.", retry_in_s=29.2)):
        answer = await site.call(
            "POST",
            f"/sessions/{session_id}/check",
            json={"phones": ["08111111111"]},
            headers={"Accept-Language": language},
        )
    assert refused(answer, 429, "LOOKUPS_LIMITED")["message"].startswith(sentence)
    assert answer.headers["retry-after"] == "30"


@pytest.mark.parametrize("code", ["TIMEOUT", "INTERRUPTED"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"subject": "Team", "participants": ["08111111111"]}),
        ("PATCH", f"/{GROUP}/participants", {"participants": ["08111111111"], "action": "promote"}),
    ],
)
async def test_a_change_that_may_have_been_made_does_not_ask_for_a_blind_repeat(
    site: Site, session_id: str, streams: str, code: str, method: str, path: str, body: dict[str, Any]
) -> None:
    async with owner(streams, AskFailed(code=code, detail="Because of the weather.")):
        answer = await site.call(method, f"/sessions/{session_id}/groups{path}", json=body)
    told = refused(answer, 504, "NOT_CONFIRMED")
    assert "Because of the weather" in told["message"]
    assert "retry-after" not in answer.headers


async def test_nobody_answering_is_no_error_of_the_caller(
    site: Site, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.sessions.asking.NOBODY_FOR_S", 0.3)
    answer = await site.call("GET", f"/sessions/{session_id}/groups")
    refused(answer, 503, "SESSION_UNREACHABLE")
    assert answer.headers["retry-after"]


async def test_a_session_that_moves_is_asked_again(
    site: Site, session_id: str, streams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.sessions.asking.NOBODY_FOR_S", 60.0)
    asking = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/groups"))
    done, _ = await asyncio.wait([asking], timeout=0.5)
    assert not done
    async with owner(streams, GroupsFound(groups=[])):
        assert (await asking).status_code == 200


async def test_an_owner_that_stays_silent_is_given_up(open_site: SiteMaker, streams: str) -> None:
    async def silent(_: Any) -> None:
        return None

    async with open_site(ask_s=0.3) as site, owner(streams, silent) as asked:
        session_id = await site.make_session()
        answer = await site.call("GET", f"/sessions/{session_id}/groups")
        refused(answer, 503, "SESSION_UNREACHABLE")
        wish = {"subject": "Team", "participants": ["08111111111"]}
        refused(await site.call("POST", f"/sessions/{session_id}/groups", json=wish), 504, "NOT_CONFIRMED")

        async def was_asked() -> bool:
            return bool(asked)

        await until(was_asked)
        assert len(asked) == 2


async def test_only_the_owner_of_the_sessions_shard_is_asked(site: Site, session_id: str, streams: str) -> None:
    client = await nats.connect(streams)
    try:
        heard = await client.subscribe(session_call_subject("scripted", shard_of(session_id)))
        await client.flush()
        asking = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/groups"))
        message = await heard.next_msg(timeout=10)
        await message.respond(b'{"kind":"GroupsFound","groups":[]}')
        assert (await asking).status_code == 200
    finally:
        await client.close()


async def test_another_customers_session_is_not_asked(site: Site, session_id: str, rows: Any, streams: str) -> None:
    await rows.sessions.update_one({"_id": session_id}, {"$set": {"customerId": "cus_other"}})
    async with owner(streams, GroupsFound(groups=[])) as asked:
        for method, path, body in (
            ("GET", "/groups", None),
            ("POST", "/check", {"phones": ["08111111111"]}),
            ("POST", "/presence", {"to": "08111111111", "state": "paused"}),
            ("POST", "/pair-code", {"phone": "08111111111"}),
            ("GET", "/passkey", None),
        ):
            answer = await site.call(method, f"/sessions/{session_id}{path}", json=body)
            refused(answer, 404, "SESSION_NOT_FOUND")
    assert asked == []
