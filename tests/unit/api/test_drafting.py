"""What message bodies become, on an edge without NATS and MongoDB: nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.content import Contact, Context, LinkPreview, Location, Poll, Text
from services.api.access.callers import Caller
from services.api.app import build_edge
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages.drafting import departure, draft_of
from services.api.messages.new_messages import AnyNewMessage
from services.api.messages.sending import Draft
from services.api.settings import Settings
from tests.unit.api.builders import record

RING = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
TO = "081234567890"
JID = "6281234567890@s.whatsapp.net"
CALLER = Caller(customer_id="cus_1", scopes=("send",))
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bu Sari\r\nTEL:+628111111111\r\nEND:VCARD"


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    built = build_edge(
        Settings(nats_url="nats://127.0.0.1:1", mongodb_url="mongodb://127.0.0.1:1/none", secret_keys=RING)
    )
    yield built
    await built.client.close()


async def draft(edge: Edge, body: dict[str, Any]) -> Draft:
    return await draft_of(edge, CALLER, record(), msgspec.json.decode(msgspec.json.encode(body), type=AnyNewMessage))


@pytest.mark.parametrize(
    ("body", "content"),
    [
        pytest.param({"type": "text", "text": "Halo"}, Text(text="Halo"), id="text"),
        pytest.param(
            {"type": "location", "latitude": -6.2, "longitude": 106.8, "name": "Monas"},
            Location(latitude=-6.2, longitude=106.8, name="Monas"),
            id="location",
        ),
        pytest.param(
            {"type": "contact", "vcard": CARD},
            Contact(name="Bu Sari", vcard=CARD.replace("TEL:", "TEL;waid=628111111111:")),
            id="a vCard",
        ),
        pytest.param(
            {"type": "contact", "name": "Sari; Toko", "phones": ["0811 111 1111", "+6281111111112"]},
            Contact(
                name="Sari; Toko",
                vcard="BEGIN:VCARD\r\nVERSION:3.0\r\nN:;Sari\\; Toko;;;\r\nFN:Sari\\; Toko\r\n"
                "TEL;type=CELL;type=VOICE;waid=628111111111:+628111111111\r\n"
                "TEL;type=CELL;type=VOICE;waid=6281111111112:+6281111111112\r\nEND:VCARD",
            ),
            id="a name and phones",
        ),
        pytest.param(
            {"type": "contact", "vcard": CARD.replace("+628111111111", "819012345678")},
            Contact(name="Bu Sari", vcard=CARD.replace("+628111111111", "819012345678")),
            id="a vCard with a number of Japan or Indonesia",
        ),
        pytest.param(
            {"type": "poll", "question": "Kapan?", "options": ["Pagi ", "Sore"], "selectable": 0},
            Poll(question="Kapan?", options=["Pagi", "Sore"], selectable=0),
            id="poll",
        ),
    ],
)
async def test_a_body_becomes_what_is_sent(edge: Edge, body: dict[str, Any], content: Any) -> None:
    made = await draft(edge, {"to": TO, **body})
    assert made.content == content
    assert made.to == JID
    assert (made.context, made.not_before, made.ttl_s, made.priority) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("to", "jid"),
    [
        ("+62 812-3456-7890", JID),
        ("6281234567890@c.us", JID),
        ("120363021234567890@g.us", "120363021234567890@g.us"),
        ("123456789012345@lid", "123456789012345@lid"),
    ],
)
async def test_a_message_goes_to_a_person_in_any_spelling_and_to_a_group(edge: Edge, to: str, jid: str) -> None:
    assert (await draft(edge, {"type": "text", "to": to, "text": "Halo"})).to == jid


@pytest.mark.parametrize("mentions", [["all"], ["all", "628111111111"]], ids=["alone", "with others"])
async def test_all_of_a_group_are_mentioned_whatever_the_text_says(edge: Edge, mentions: list[str]) -> None:
    made = await draft(edge, {"type": "text", "to": "120363021234567890@g.us", "text": "Halo", "mentions": mentions})
    assert made.context == Context(mentions=["all"])


async def test_mentions_become_jids_each_once(edge: Edge) -> None:
    mentions = ["0811 111 1111", "628111111111", "123456789012345@lid"]
    made = await draft(edge, {"type": "text", "to": TO, "text": "@628111111111", "mentions": mentions})
    assert made.context == Context(mentions=["628111111111@s.whatsapp.net", "123456789012345@lid"])


async def test_a_given_preview_is_of_the_link_in_the_text(edge: Edge) -> None:
    body = {"type": "text", "to": TO, "text": "Lihat https://example.com/a.", "linkPreview": {"title": "Toko"}}
    made = await draft(edge, body)
    assert made.context == Context(preview=LinkPreview(url="https://example.com/a", title="Toko"))


async def test_a_text_without_a_link_has_no_preview(edge: Edge) -> None:
    assert (await draft(edge, {"type": "text", "to": TO, "text": "Halo", "linkPreview": True})).context is None


async def test_a_page_inside_gives_no_preview(edge: Edge) -> None:
    body = {"type": "text", "to": TO, "text": "http://127.0.0.1:9/", "linkPreview": True}
    assert (await draft(edge, body)).context is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"type": "text", "text": "  "}, "text", id="a text of spaces"),
        pytest.param({"type": "contact", "name": "Sari"}, "phones", id="a contact without phones"),
        pytest.param({"type": "contact", "phones": ["0811"]}, "name", id="a contact without a name"),
        pytest.param({"type": "contact", "vcard": "Sari"}, "vcard", id="no vCard"),
        pytest.param({"type": "contact", "vcard": CARD + "\n" + CARD}, "vcard", id="two vCards"),
        pytest.param({"type": "contact", "vcard": CARD, "phones": [TO]}, "phones", id="a vCard and phones"),
        pytest.param({"type": "contact", "vcard": "BEGIN:VCARD\nEND:VCARD"}, "name", id="a vCard of nobody"),
        pytest.param({"type": "contact", "name": "S", "phones": [TO, "12"]}, "phones[1]", id="a wrong phone"),
        pytest.param({"type": "contact", "name": "S", "phones": ["1234567890@lid"]}, "phones[0]", id="a LID as phone"),
        pytest.param({"type": "poll", "question": "?", "options": ["a", "a "]}, "options[1]", id="an option twice"),
        pytest.param({"type": "poll", "question": "?", "options": ["a", " "]}, "options[1]", id="an empty option"),
        pytest.param({"type": "poll", "question": " ", "options": ["a", "b"]}, "question", id="an empty question"),
        pytest.param(
            {"type": "poll", "question": "?", "options": ["a", "b"], "selectable": 3}, "selectable", id="too many"
        ),
        pytest.param({"type": "text", "text": "a", "mentions": ["all"]}, "mentions[0]", id="all of one person"),
        pytest.param({"type": "text", "text": "a", "mentions": ["12"]}, "mentions[0]", id="a wrong mention"),
        pytest.param({"type": "text", "text": "a", "mentions": ["hello"]}, "mentions[0]: it", id="a name mentioned"),
        pytest.param({"type": "text", "text": "a", "mentions": ["12345@g.us"]}, "mentions[0]", id="a group mentioned"),
        pytest.param({"type": "text", "text": "a", "linkPreview": {"title": "b"}}, "linkPreview.url", id="no link"),
        pytest.param(
            {"type": "text", "text": "a http://b.c", "linkPreview": {"title": "b", "url": "http://d.e"}},
            "linkPreview.url",
            id="another link",
        ),
        pytest.param({"type": "image"}, "mediaId", id="an image without one"),
        pytest.param({"type": "voice", "url": "http://a.b", "data": "aa"}, "mediaId", id="two media"),
        pytest.param({"type": "voice", "data": "T2dnUw=="}, "Ogg with Opus", id="a voice note that is none"),
        pytest.param({"type": "sticker", "data": "iVBORw0KGgo="}, "WebP", id="a sticker that is none"),
        pytest.param({"type": "image", "url": "ftp://example.com/a.png"}, "http://", id="another scheme"),
        pytest.param({"type": "image", "url": "http://127.0.0.1/a.png"}, "private network", id="an address inside"),
        pytest.param({"type": "image", "url": "http://0x7f.1/a.png"}, "usual form", id="an address in disguise"),
        pytest.param({"type": "image", "url": "http://u:p@example.com/"}, "password", id="an address with a password"),
        pytest.param({"type": "reaction", "messageId": "m", "emoji": "ok"}, "emoji", id="letters as a reaction"),
        pytest.param({"type": "text", "text": "a", "sendAt": "2999-01-01T00:00:00Z"}, "sendAt", id="far ahead"),
    ],
)
async def test_a_wrong_body_is_refused_naming_what_is_wrong(edge: Edge, body: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as caught:
        await draft(edge, {"to": TO, **body})
    assert caught.value.status == 400
    assert field in str((caught.value.details, caught.value.params))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"type": "text", "to": TO, "text": "a", "sendAt": "2026-01-01T00:00:00"}, id="a time of no zone"),
        pytest.param({"type": "text", "to": TO, "text": "a", "priority": 11}, id="a priority beyond"),
        pytest.param({"type": "text", "to": TO, "text": "a", "caption": "b"}, id="a field of another type"),
        pytest.param({"type": "location", "to": TO, "latitude": 91, "longitude": 0}, id="beyond the pole"),
        pytest.param({"type": "poll", "to": TO, "question": "?", "options": ["a"]}, id="one option"),
        pytest.param({"type": "audio", "to": TO, "data": "aa", "caption": "b"}, id="an audio file with a caption"),
    ],
)
async def test_a_body_beyond_its_limits_is_no_message(edge: Edge, body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        await draft(edge, body)


AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("send_at", "expected"),
    [
        pytest.param(None, None, id="now"),
        pytest.param(AT - timedelta(days=3), None, id="past is now"),
        pytest.param(AT + timedelta(seconds=1), AT + timedelta(seconds=1), id="later"),
        pytest.param(AT + timedelta(days=366), AT + timedelta(days=366), id="in a year"),
    ],
)
def test_a_message_leaves_when_it_says(send_at: datetime | None, expected: datetime | None) -> None:
    assert departure(send_at, AT) == expected


@pytest.mark.parametrize("emoji", ["👍", "❤️", "🇮🇩", "1️⃣", "👩‍👩‍👧", "©", ""])
async def test_a_reaction_may_be_any_emoji(edge: Edge, emoji: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr("services.api.messages.replies.message_of", nobody)
    with pytest.raises(Refusal) as caught:
        await draft(edge, {"type": "reaction", "messageId": "m", "emoji": emoji})
    assert caught.value.code == "MESSAGE_NOT_FOUND"
