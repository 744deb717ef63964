"""Whom a message goes to where the tables of numbers doubt that anybody has the number: WhatsApp's word counts."""

from __future__ import annotations

from typing import Any

import pytest

from libs.contracts.calls import AskFailed, ChangeParticipants, CheckNumbers, NumbersChecked, ParticipantsChanged
from libs.contracts.ids import new_message_id
from tests.integration.api.chats import chat_row, keep
from tests.integration.api.commands import commands, only_send
from tests.integration.api.edges import Site, observe, refused
from tests.integration.api.messages import message_row, stored
from tests.integration.api.owner import owner

MEXICAN = "5215512345678"
JID = f"{MEXICAN}@s.whatsapp.net"
LID = "123456789012345@lid"
GROUP = "120363021234567890@g.us"


async def send(site: Site, session_id: str, to: str, **more: Any) -> Any:
    body = {"type": "text", "to": to, "text": "Halo", **more}
    return await site.call("POST", f"/sessions/{session_id}/messages", json=body)


def public(site: Site, session_id: str) -> str:
    return f"//api/services/whatsapp/chat/{session_id}/{site.account.api_key}"


async def test_who_has_written_can_be_answered_whatever_the_tables_say(
    site: Site, session_id: str, rows: Any, streams: str
) -> None:
    await keep(rows, chat_row(site, session_id, MEXICAN))
    await observe(rows, session_id, "connected")
    async with owner(streams, NumbersChecked(jids={})) as asked:
        answer = await send(site, session_id, "+521 55 1234 5678")
        assert answer.status_code == 202, answer.text
        answer = await site.call("POST", public(site, session_id), json={"phone": MEXICAN, "message": "Halo"})
        assert answer.status_code == 200, answer.text
    assert asked == [], "its chat says that it exists"
    assert [command.to for command in await commands(site)] == [JID, JID]


async def test_an_address_is_taken_as_it_is_and_nobody_is_asked(site: Site, session_id: str) -> None:
    assert (await send(site, session_id, f"{MEXICAN}:7@s.whatsapp.net")).status_code == 202
    assert (await only_send(site)).to == JID


@pytest.mark.parametrize("jid", [JID, "525512345678@s.whatsapp.net"], ids=["under this number", "under another"])
async def test_a_number_that_whatsapp_knows_is_written_to(
    site: Site, session_id: str, rows: Any, streams: str, jid: str
) -> None:
    await observe(rows, session_id, "connected")
    async with owner(streams, NumbersChecked(jids={MEXICAN: jid})) as asked:
        assert (await send(site, session_id, MEXICAN)).status_code == 202
    assert asked == [CheckNumbers(session_id=session_id, phones=[MEXICAN])]
    assert (await only_send(site)).to == JID, "the engine finds the account's own number once more"


async def test_a_number_that_nobody_has_is_refused_with_what_the_tables_say(
    site: Site, session_id: str, rows: Any, streams: str
) -> None:
    await observe(rows, session_id, "connected")
    async with owner(streams, NumbersChecked(jids={MEXICAN: None})):
        answer = refused(await send(site, session_id, MEXICAN), 400, "INVALID_PHONE")
        assert "too long for its country" in answer["message"]
        assert answer["details"]["fields"] == [{"path": "to", "reason": "it is too long for its country"}]
        body = {"phone": MEXICAN, "message": "Halo"}
        told = await site.call("POST", public(site, session_id), json=body, headers={"Accept-Language": "id"})
        assert "terlalu panjang untuk negaranya" in refused(told, 400, "INVALID_PHONE")["message"]
    assert await commands(site) == []


@pytest.mark.parametrize("status", ["connected", "stopped"])
async def test_where_whatsapp_cannot_be_asked_now_the_look_up_before_the_send_decides(
    site: Site, session_id: str, rows: Any, streams: str, status: str
) -> None:
    await observe(rows, session_id, status)
    async with owner(streams, AskFailed(code="TEMPORARY", detail="Try again.")):
        assert (await send(site, session_id, MEXICAN)).status_code == 202
    assert (await only_send(site)).to == JID


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        (6281200009002.0, "decimal number of a spreadsheet"),
        (6.28120000900212e19, "shortened"),
        ("6281200009002.0", "decimal number of a spreadsheet"),
        ("6.28E+12", "shortened"),
        ("status@broadcast", "status feed"),
        ("120363021234567890@newsletter", "channel"),
    ],
)
async def test_what_is_no_number_is_refused_as_what_it_looks_like(
    site: Site, session_id: str, phone: Any, words: str
) -> None:
    answer = await site.call("POST", public(site, session_id), json={"phone": phone, "message": "Halo"})
    assert words in refused(answer, 400, "INVALID_PHONE")["message"]
    assert await commands(site) == []


async def test_a_number_may_be_a_number_of_json(site: Site, session_id: str) -> None:
    answer = await site.call("POST", public(site, session_id), json={"phone": 6281200009002, "message": "Halo"})
    assert answer.status_code == 200, answer.text
    assert (await only_send(site)).to == "6281200009002@s.whatsapp.net"


async def test_an_answer_goes_to_the_chat_under_each_of_its_addresses(site: Site, session_id: str, rows: Any) -> None:
    asked_for = "5511987654321"
    chat = chat_row(site, session_id, "551187654321")
    keys = [f"{session_id}/{address}" for address in ("551187654321@s.whatsapp.net", f"{asked_for}@s.whatsapp.net")]
    await keep(rows, type(chat)(**{name: getattr(chat, name) for name in chat.__struct_fields__} | {"keys": keys}))
    row = message_row(site, session_id, "m1", chat="551187654321", chat_jid="551187654321@s.whatsapp.net")
    await rows.messages.insert_one(stored(row))
    answer = await send(site, session_id, asked_for, replyTo=row.message_id)
    assert answer.status_code == 202, answer.text
    refused(await send(site, session_id, "628111111111", replyTo=row.message_id), 422, "OTHER_CHAT")


async def test_people_of_a_group_and_those_mentioned_may_be_addresses(
    site: Site, session_id: str, streams: str
) -> None:
    async with owner(streams, ParticipantsChanged(codes={JID: None, LID: None})) as asked:
        body = {"participants": [f"{MEXICAN}:3@S.whatsapp.net", "123456789012345:2@lid"]}
        answer = await site.call("POST", f"/sessions/{session_id}/groups/{GROUP.upper()}/participants", json=body)
    assert answer.status_code == 200, answer.text
    assert asked == [ChangeParticipants(session_id=session_id, group=GROUP, action="add", participants=[JID, LID])]
    assert (await send(site, session_id, GROUP, text=f"@{MEXICAN} Halo", mentions=[JID])).status_code == 202
    sent = await only_send(site)
    assert sent.context is not None
    assert sent.context.mentions == [JID]


async def test_the_check_gives_whatsapps_own_number(site: Site, session_id: str, rows: Any, streams: str) -> None:
    known = chat_row(site, session_id, "628333333333")
    keys = [*known.keys, f"{session_id}/{LID}"]
    await keep(rows, type(known)(**{name: getattr(known, name) for name in known.__struct_fields__} | {"keys": keys}))
    phones = ["+55 11 98765-4321", MEXICAN, "1415555012345", JID, LID, "9@lid", GROUP, "6281200009002.0"]
    jids = {"5511987654321": "551187654321@s.whatsapp.net", MEXICAN: JID, "1415555012345": None}
    async with owner(streams, NumbersChecked(jids=jids)) as asked:
        answer = await site.call("POST", f"/sessions/{session_id}/check", json={"phones": phones})
    assert asked == [CheckNumbers(session_id=session_id, phones=["5511987654321", MEXICAN, "1415555012345"])]
    found = answer.json()["data"]
    assert [(one["number"], one["jid"]) for one in found[:5]] == [
        ("5511987654321", "551187654321@s.whatsapp.net"),
        (MEXICAN, JID),
        (None, None),
        (MEXICAN, JID),
        ("628333333333", "628333333333@s.whatsapp.net"),
    ]
    assert [one["onWhatsApp"] for one in found] == [True, True, False, True, True, False, False, False]
    assert [one["reason"] for one in found[:5]] == [None, None, "it is too long for its country", None, None]
    assert "decimal number" in found[7]["reason"]


# --- Digits that can be read as two numbers --------------------------------------------------------------------------

JAPANESE = "819012345678"
AS_MOBILE = f"62{JAPANESE}"


async def test_the_number_of_a_chat_is_taken_back_as_the_api_wrote_it(
    site: Site, session_id: str, rows: Any, streams: str
) -> None:
    await keep(rows, chat_row(site, session_id, JAPANESE))
    row = message_row(site, session_id, new_message_id(), direction="in", from_=JAPANESE, chat=JAPANESE)
    await rows.messages.insert_one(stored(row))
    own = f"{JAPANESE}@s.whatsapp.net"
    assert (await send(site, session_id, JAPANESE, replyTo=row.message_id)).status_code == 202
    answer = await site.call("POST", public(site, session_id), json={"phone": int(JAPANESE), "message": "Halo"})
    assert answer.json()["data"]["recipient"] == JAPANESE
    assert (await send(site, session_id, GROUP, mentions=[JAPANESE])).status_code == 202
    sent = await commands(site)
    assert [command.to for command in sent] == [own, own, GROUP]
    assert sent[2].context.mentions == [own]
    async with owner(streams, NumbersChecked(jids={JAPANESE: own})) as asked:
        answer = await site.call("POST", f"/sessions/{session_id}/check", json={"phones": [JAPANESE, "81234567890"]})
    assert [one["number"] for one in answer.json()["data"]] == [JAPANESE, "6281234567890"]
    assert asked == [CheckNumbers(session_id=session_id, phones=[JAPANESE, "6281234567890"])]
    async with owner(streams, ParticipantsChanged(codes={own: None})) as added:
        path = f"/sessions/{session_id}/groups/{GROUP}/participants"
        await site.call("POST", path, json={"participants": [JAPANESE]})
    assert added[0].participants == [own]


@pytest.mark.parametrize("session", [True, False], ids=["of a session", "of all"])
async def test_messages_of_a_chat_are_found_by_the_digits_that_the_api_wrote(
    site: Site, session_id: str, rows: Any, session: bool
) -> None:
    await keep(rows, chat_row(site, session_id, JAPANESE))
    for number in (JAPANESE, AS_MOBILE):
        await rows.messages.insert_one(stored(message_row(site, session_id, new_message_id(), chat=number)))
    found = await site.call("GET", f"/messages?chat={JAPANESE}" + (f"&session={session_id}" if session else ""))
    assert [one["chat"] for one in found.json()["messages"]] == [JAPANESE]


async def test_a_contact_card_names_a_known_number_and_guesses_none(site: Site, session_id: str, rows: Any) -> None:
    await keep(rows, chat_row(site, session_id, JAPANESE))
    body = {"type": "contact", "to": "628111111111", "name": "Sari", "phones": [JAPANESE, "821012345678"]}
    assert (await site.call("POST", f"/sessions/{session_id}/messages", json=body)).status_code == 202
    card = (await only_send(site)).content.vcard
    assert f"waid={JAPANESE}:+{JAPANESE}" in card
    assert "TEL;type=CELL;type=VOICE:821012345678" in card, "Korea's or a mobile: as it was written, without a button"


async def test_without_a_chat_an_8_is_a_mobile_where_that_is_one(site: Site, session_id: str, rows: Any) -> None:
    other = await site.make_session("other")
    await keep(rows, chat_row(site, other, JAPANESE))
    for to in (JAPANESE, "8613800138000", "+" + JAPANESE, "8123456789012"):
        assert (await send(site, session_id, to)).status_code == 202
    numbers = [AS_MOBILE, "8613800138000", JAPANESE, "628123456789012"]
    assert [command.to for command in await commands(site)] == [f"{number}@s.whatsapp.net" for number in numbers]


async def test_another_customers_chat_makes_nobody_known(site: Site, session_id: str, rows: Any) -> None:
    await keep(rows, chat_row(site, session_id, JAPANESE, customer_id="another"))
    assert (await send(site, session_id, JAPANESE)).status_code == 202
    assert (await only_send(site)).to == f"{AS_MOBILE}@s.whatsapp.net"


async def test_what_is_wrong_is_said_in_the_callers_language_and_of_which_entry(site: Site, session_id: str) -> None:
    indonesian = {"Accept-Language": "id"}
    answer = await site.call("POST", f"/sessions/{session_id}/check", json={"phones": ["081"]}, headers=indonesian)
    assert answer.json()["data"][0]["reason"] == "terlalu pendek"
    answer = refused(await send(site, session_id, GROUP, mentions=["628111111111", "hello"]), 400, "INVALID_PHONE")
    assert answer["details"]["fields"][0]["path"] == "mentions[1]"
    assert "mentions[1]: it may hold only digits" in answer["message"]
