"""What came in, as facts: their ids are the same at each coming, and of no two things."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from libs.contracts.events import (
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    PollVoted,
)
from services.sessions.engines import base as engine
from services.sessions.inbound import Inbound, fact_of

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ANI, ANI_LID, GROUP = "628111@s.whatsapp.net", "900@lid", "1203@g.us"
WHO: dict[str, Any] = {
    "session": "s",
    "connection": 1,
    "chat": ANI,
    "sender": ANI,
    "chat_lid": ANI_LID,
    "sender_lid": ANI_LID,
    "from_me": False,
    "at_ms": 1_700_000_000_123,
}
MESSAGE = engine.Message(
    **WHO,
    id="3A1",
    push_name="Ani",
    content_class="text",
    text="halo",
    caption=None,
    media=None,
    reply_to="3EB0",
    mentions=["628222@s.whatsapp.net"],
)
ABOUT: dict[str, Any] = {**WHO, "id": "3A2", "target": "3EB0"}
EDITED = engine.Edited(**ABOUT, text="halo lagi")


def fact(event: Inbound) -> Any:
    return fact_of(event, customer_id="c", now=NOW)


def test_a_message_names_its_people_and_what_it_refers_to() -> None:
    told = fact(MESSAGE)
    assert isinstance(told, MessageReceived)
    assert (told.chat, told.chat_jid, told.chat_lid) == ("628111", ANI, ANI_LID)
    assert (told.text, told.reply_to, told.mentions) == ("halo", "3EB0", ["628222@s.whatsapp.net"])


def test_a_group_message_names_its_sender() -> None:
    told = fact(msgspec.structs.replace(MESSAGE, chat=GROUP, chat_lid=None))
    assert (told.chat, told.sender) == (GROUP, "628111")


@pytest.mark.parametrize(
    ("fields", "text", "details"),
    [
        pytest.param(
            {"place": engine.LocationContent(latitude=-6.2, longitude=106.8, name="Monas")},
            "Monas",
            {"latitude": -6.2, "longitude": 106.8, "name": "Monas"},
            id="a place",
        ),
        pytest.param(
            {"card": engine.ContactContent(name="Budi", vcard="V")}, "Budi", {"name": "Budi", "vcard": "V"}, id="a card"
        ),
        pytest.param(
            {"poll": engine.PollContent(question="When?", options=["a"], selectable=1)},
            "When?",
            {"question": "When?", "options": ["a"], "selectable": 1},
            id="a poll",
        ),
        pytest.param({}, None, None, id="none of them"),
    ],
)
def test_what_a_message_says_beyond_words_is_in_its_details(
    fields: dict[str, Any], text: str | None, details: dict[str, Any] | None
) -> None:
    told = fact(msgspec.structs.replace(MESSAGE, text=None, **fields))
    assert (told.text, told.details) == (text, details)


@pytest.mark.parametrize(
    ("event", "kind", "field", "value"),
    [
        pytest.param(EDITED, MessageEdited, "text", "halo lagi", id="edited"),
        pytest.param(engine.Revoked(**ABOUT), MessageRevoked, "wa_id", "3EB0", id="revoked"),
        pytest.param(engine.Reacted(**ABOUT, emoji="👍"), MessageReacted, "emoji", "👍", id="reacted"),
        pytest.param(engine.Voted(**ABOUT, options=["a"]), PollVoted, "options", ["a"], id="voted"),
    ],
)
def test_what_happens_to_a_message_names_that_message(event: Inbound, kind: type, field: str, value: Any) -> None:
    told = fact(event)
    assert isinstance(told, kind)
    assert (told.wa_id, told.chat, told.sender, getattr(told, field)) == ("3EB0", "628111", "628111", value)


def test_an_administrators_deletion_says_so() -> None:
    deletions = [fact(engine.Revoked(**ABOUT, by_admin=by_admin)) for by_admin in (True, False)]
    assert [each.by_admin for each in deletions] == [True, False]


@pytest.mark.parametrize("event", [MESSAGE, EDITED], ids=["message", "change"])
@pytest.mark.parametrize(
    "again",
    [
        pytest.param({"connection": 9}, id="over another connection"),
        pytest.param({"chat": ANI_LID, "sender": ANI_LID}, id="before its number was known"),
    ],
)
def test_a_repeat_has_the_same_id(event: Any, again: dict[str, Any]) -> None:
    assert fact(msgspec.structs.replace(event, **again)).id == fact(event).id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(msgspec.structs.replace(MESSAGE, id="3A9"), id="another message"),
        pytest.param(msgspec.structs.replace(MESSAGE, content_class="other"), id="a carrier of the same id"),
        pytest.param(msgspec.structs.replace(MESSAGE, chat=GROUP, chat_lid=None), id="in another chat"),
        pytest.param(msgspec.structs.replace(MESSAGE, session="t"), id="in another session"),
        pytest.param(msgspec.structs.replace(EDITED, id=MESSAGE.id), id="of another kind"),
    ],
)
def test_another_thing_has_another_id(other: Inbound) -> None:
    assert fact(other).id != fact(MESSAGE).id
