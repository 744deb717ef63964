"""Every type of message from the API to a phone's decrypted inbox and back, media, marks and mentions included."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests import media
from tests.e2e.handsets import WITHIN_S, Network, Office
from tests.e2e.wire import BASE, Json, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

WAIT = {"Prefer": "wait=60"}
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
OGG_OPUS = b"OggS\0\x02" + b"\0" * 20 + b"\x01\x13" + b"OpusHead\x01\x01" + b"\0" * 9
WEBP = media.picture("WEBP", (64, 64))


def in_json(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def sent(http: httpx.AsyncClient, office: Office, body: Json) -> Json:
    """The message object, once WhatsApp has the message."""
    answer = await http.post(f"{BASE}/sessions/{office.session}/messages", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def message(http: httpx.AsyncClient, message_id: str) -> Json:
    """The message object with its history."""
    return dict(told(await http.get(f"{BASE}/messages/{message_id}"), "data")["data"])


async def message_where(http: httpx.AsyncClient, is_it: Callable[[Json], bool], **filters: Any) -> Json:
    """The newest message of the list that is it, once there is one."""

    async def found() -> Json | None:
        listed = (await http.get(f"{BASE}/messages", params=filters)).json()["messages"]
        return next((one for one in listed if is_it(one)), None)

    one = await eventually(found, within_s=WITHIN_S, every_s=0.05)
    assert one is not None
    return one


async def until(http: httpx.AsyncClient, message_id: str, is_it: Callable[[Json], bool]) -> Json:
    """The message, once this is true of it."""

    async def seen() -> Json | None:
        one = await message(http, message_id)
        return one if is_it(one) else None

    one = await eventually(seen, within_s=WITHIN_S, every_s=0.05)
    assert one is not None
    return one


# --- Out -------------------------------------------------------------------------------------------------------------

OUT = [
    pytest.param({"type": "image", "data": in_json(PNG), "caption": "Menu"}, {"caption": "Menu"}, PNG, id="image"),
    pytest.param({"type": "voice", "data": in_json(OGG_OPUS)}, {"type": "voice"}, OGG_OPUS, id="voice"),
    pytest.param({"type": "sticker", "data": in_json(WEBP)}, {"type": "sticker"}, WEBP, id="sticker"),
    pytest.param(
        {"type": "document", "data": in_json(b"%PDF-1.4\n"), "fileName": "a.pdf", "caption": "Bill"},
        {"fileName": "a.pdf", "caption": "Bill"},
        b"%PDF-1.4\n",
        id="document",
    ),
    pytest.param(
        {"type": "location", "latitude": -6.5, "longitude": 106.5, "name": "Monas"},
        {"latitude": -6.5, "longitude": 106.5, "name": "Monas"},
        None,
        id="location",
    ),
    pytest.param(
        {"type": "contact", "name": "Sari", "phones": ["0811 111 1111"]}, {"name": "Sari"}, None, id="contact"
    ),
    pytest.param(
        {"type": "poll", "question": "Kapan?", "options": ["Pagi", "Sore"], "selectable": 0},
        {"question": "Kapan?", "options": ["Pagi", "Sore"], "selectable": 0},
        None,
        id="poll",
    ),
    pytest.param(
        {"type": "text", "text": "Lihat https://example.com", "linkPreview": {"title": "Toko", "description": "Kopi"}},
        {"preview": {"url": "https://example.com", "title": "Toko", "description": "Kopi"}},
        None,
        id="preview",
    ),
]


@pytest.mark.parametrize(("body", "shown", "file"), OUT)
async def test_each_type_is_shown_on_the_phone(
    http: httpx.AsyncClient, office: Office, network: Network, body: Json, shown: Json, file: bytes | None
) -> None:
    sari = await network.person()
    data = await sent(http, office, {"to": sari, **body})
    (row,) = await network.arrived(sari)
    assert (row["id"], row["type"]) == (data["waId"], body["type"])
    assert {name: row[name] for name in shown} == shown
    if file is not None:
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(file).hexdigest(), len(file))
    assert (await message(http, data["messageId"]))["type"] == body["type"]


async def test_an_answer_a_mention_and_a_reaction_refer_to_what_came_in(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    wrote = await network.called(
        "POST", f"/phones/{sari}/messages", json={"to": office.number, "type": "text", "text": "Ada kopi?"}
    )
    came_in = await message_where(http, lambda one: one["waId"] == wrote["id"], chat=sari, direction="in")
    body = {"type": "text", "to": sari, "text": f"Ada, @{sari}", "replyTo": came_in["messageId"], "mentions": [sari]}
    answer = await sent(http, office, body)
    assert (answer["replyTo"], answer["mentions"]) == (wrote["id"], [sari])
    await sent(http, office, {"type": "reaction", "messageId": came_in["messageId"], "emoji": "👍"})
    shown = {row["type"]: row for row in await network.arrived(sari, 2)}
    assert (shown["text"]["replyTo"], shown["text"]["quoted"]) == (wrote["id"], "Ada kopi?")
    assert shown["text"]["mentions"] == [sari]
    assert (shown["reaction"]["target"], shown["reaction"]["emoji"]) == (wrote["id"], "👍")
    reacted = await until(http, came_in["messageId"], lambda one: bool(one["reactions"]))
    assert [(reaction["from"], reaction["emoji"]) for reaction in reacted["reactions"]] == [(None, "👍")]


async def test_a_scheduled_message_leaves_at_its_time(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    at = datetime.now(UTC) + timedelta(seconds=3)
    body = {"type": "text", "to": sari, "text": "Nanti", "sendAt": at.isoformat()}
    answer = await http.post(f"{BASE}/sessions/{office.session}/messages", json=body)
    data = answer.json()["data"]
    was_early = datetime.fromisoformat(data["createdAt"]) < at  # false when this machine stood still meanwhile
    assert data["waitingFor"] == ("schedule" if was_early else None)
    (row,) = await network.arrived(sari)
    assert datetime.fromisoformat(row["at"]) >= at - timedelta(seconds=1)
    await until(http, answer.json()["messageId"], lambda one: one["status"] == "delivered")


async def test_an_edit_and_a_deletion_reach_the_phone(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    data = await sent(http, office, {"type": "text", "to": sari, "text": "Jam 9"})
    path = f"{BASE}/messages/{data['messageId']}"
    edited = await http.patch(path, json={"text": "Jam 10"}, headers=WAIT)
    assert edited.status_code == 200, edited.text
    assert edited.json()["data"]["text"] == "Jam 10"
    deleted = await http.delete(path, headers=WAIT)
    assert deleted.status_code == 200, deleted.text
    assert deleted.json()["data"]["revokedAt"]
    rows = await network.arrived(sari, 3)
    assert (rows[1]["editOf"], rows[1]["text"]) == (data["waId"], "Jam 10")
    assert (rows[2]["type"], rows[2]["target"]) == ("revoke", data["waId"])


# --- In --------------------------------------------------------------------------------------------------------------


async def test_an_image_that_came_in_is_read_from_the_gateway(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    wrote = {"to": office.number, "type": "image", "media": in_json(PNG), "mimetype": "image/png", "caption": "Ini"}
    await network.called("POST", f"/phones/{sari}/messages", json=wrote)
    came_in = await message_where(http, lambda one: one["type"] == "image", chat=sari, direction="in")
    assert came_in["caption"] == "Ini"
    for _ in range(2):
        read = await http.get(f"{BASE}/media/{came_in['media']['mediaId']}")
        assert read.status_code == 200, read.text
        assert read.content == PNG
        assert read.headers["content-type"] == "image/png"


async def test_what_a_person_does_to_messages_is_told(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    poll = await sent(http, office, {"type": "poll", "to": sari, "question": "Kapan?", "options": ["Pagi", "Sore"]})
    await network.arrived(sari)

    async def writes(**body: Any) -> str:
        answer = await network.called("POST", f"/phones/{sari}/messages", json={"to": office.number, **body})
        return str(answer["id"])

    await writes(type="vote", target=poll["waId"], options=["Sore"])
    await writes(type="reaction", target=poll["waId"], emoji="🎉")
    voted = await until(http, poll["messageId"], lambda one: bool(one["votes"] and one["reactions"]))
    assert [(vote["from"], vote["options"]) for vote in voted["votes"]] == [(sari, ["Sore"])]
    assert [(reaction["from"], reaction["emoji"]) for reaction in voted["reactions"]] == [(sari, "🎉")]
    wrote = await writes(type="text", text="Jam 9")
    came_in = await message_where(http, lambda one: one["waId"] == wrote, chat=sari)
    await writes(type="edit", target=wrote, text="Jam 10")
    await until(http, came_in["messageId"], lambda one: one["text"] == "Jam 10" and one["editedAt"] is not None)
    await writes(type="revoke", target=wrote)
    await until(http, came_in["messageId"], lambda one: one["revokedAt"] is not None)


async def test_a_read_mark_and_typing_are_shown_to_the_person(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari = await network.person()
    for text in ("Halo", "Ada?"):
        await network.called(
            "POST", f"/phones/{sari}/messages", json={"to": office.number, "type": "text", "text": text}
        )
    came_in = await message_where(http, lambda one: one["text"] == "Ada?", chat=sari)
    marked = await http.post(f"{BASE}/messages/{came_in['messageId']}/read", headers=WAIT)
    assert (marked.status_code, marked.json()["data"]) == (200, {"messages": 2})

    async def is_read() -> bool:
        wrote = (await network.called("GET", f"/phones/{sari}/messages"))["messages"]
        return [one["status"] for one in wrote] == ["read", "read"]

    await eventually(is_read, within_s=WITHIN_S, every_s=0.05)
    body = {"to": sari, "state": "composing"}
    shown = await http.post(f"{BASE}/sessions/{office.session}/presence", json=body)
    assert shown.status_code == 200, shown.text

    async def is_shown() -> bool:
        states = (await network.called("GET", f"/phones/{sari}/presence"))["shown"]
        return [state["state"] for state in states] == ["composing"]

    await eventually(is_shown, within_s=WITHIN_S, every_s=0.05)


# --- Groups and numbers ----------------------------------------------------------------------------------------------


async def test_a_group_is_made_written_to_and_answers(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari, budi = await network.person(), await network.person("Budi")
    groups = f"{BASE}/sessions/{office.session}/groups"
    made = await http.post(groups, json={"subject": "Tim", "participants": [sari]})
    assert made.status_code == 200, made.text
    group = made.json()["data"]["jid"]
    added = await http.post(f"{groups}/{group}/participants", json={"participants": [budi]})
    assert added.status_code == 200, added.text
    assert [one["done"] for one in added.json()["data"]] == [True]
    data = await sent(http, office, {"type": "text", "to": group, "text": "Halo semua"})
    for person in (sari, budi):
        await eventually(lambda p=person: _shows(network, p, data["waId"]))
    await network.called("POST", f"/phones/{budi}/messages", json={"to": group, "type": "text", "text": "Siap"})
    came_in = await message_where(http, lambda one: one["text"] == "Siap", chat=group)
    assert came_in["from"] == budi
    removed = await http.request("DELETE", f"{groups}/{group}/participants", json={"participants": [budi]})
    assert removed.status_code == 200, removed.text
    assert [one["done"] for one in removed.json()["data"]] == [True]
    listed = next(one for one in (await http.get(groups)).json()["data"] if one["jid"] == group)
    assert {member["phone"] for member in listed["members"]} == {office.number, sari}


async def test_everybody_in_a_group_is_mentioned(http: httpx.AsyncClient, office: Office, network: Network) -> None:
    sari, budi = await network.person(), await network.person("Budi")
    groups = f"{BASE}/sessions/{office.session}/groups"
    group = (await http.post(groups, json={"subject": "Tim", "participants": [sari, budi]})).json()["data"]["jid"]
    data = await sent(http, office, {"type": "text", "to": group, "text": "Rapat!", "mentions": ["all"]})
    for person in (sari, budi):
        (row,) = await network.arrived(person)
        assert (row["text"], set(row["mentions"])) == ("Rapat!", {sari, budi})
    assert (await message(http, data["messageId"]))["mentions"] == ["all"]


async def test_who_cannot_be_added_to_a_new_group_is_told_with_an_invitation(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    sari, shy = await network.person(), await network.person("Shy")
    await network.called("PATCH", f"/phones/{shy}", json={"inviteOnly": True})
    people = [sari, shy, "6281299999997"]
    made = await http.post(f"{BASE}/sessions/{office.session}/groups", json={"subject": "Tim", "participants": people})
    told = made.json()
    assert told["message"] == "Group created without 2 of 3: see participants"
    assert [(one["done"], one["code"]) for one in told["participants"]] == [(True, None), (False, 403), (False, 404)]
    assert told["participants"][1]["invite"]["code"]
    assert {member["phone"] for member in told["data"]["members"]} == {office.number, sari}


async def test_an_unknown_group_is_named_as_the_reason(http: httpx.AsyncClient, office: Office) -> None:
    body = {"type": "text", "to": "120363999999999999@g.us", "text": "Halo"}
    answer = await http.post(f"{BASE}/sessions/{office.session}/messages", json=body, headers={"Prefer": "wait=60"})
    assert answer.status_code == 422
    assert answer.json()["error"] == "GROUP_NOT_FOUND"
    assert "The group does not exist, or this number is not in it" in answer.json()["message"]


async def _shows(network: Network, person: str, wa_id: str) -> bool:
    """Whether the phone shows it: who was added a moment ago may have to ask the sender for the group's key first."""
    return any(row["id"] == wa_id for row in await network.phones.inbox(person))


async def test_numbers_are_checked(http: httpx.AsyncClient, office: Office, network: Network) -> None:
    sari = await network.person()
    answer = await http.post(f"{BASE}/sessions/{office.session}/check", json={"phones": [sari, "6281299999998"]})
    assert [one["onWhatsApp"] for one in answer.json()["data"]] == [True, False], answer.text
