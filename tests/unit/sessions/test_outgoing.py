"""What leaves, in the engine's terms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from libs.contracts import content as contents
from libs.contracts.calls import Deliver
from services.sessions.delivery import request_of
from services.sessions.engines import base as engine
from services.sessions.outgoing import Outgoing, content_of

FILE: dict[str, Any] = {"media_id": "f1", "mimetype": "x/y"}
PAIRS: list[tuple[Outgoing, engine.Content]] = [
    (contents.Text(text="hi"), engine.TextContent(text="hi")),
    (contents.Image(**FILE, caption="c", file_name="a.png"), engine.ImageContent(**FILE, caption="c")),
    (contents.Document(**FILE, file_name="a.pdf"), engine.DocumentContent(**FILE, file_name="a.pdf")),
    (contents.Video(**FILE, caption="c"), engine.VideoContent(**FILE, caption="c")),
    (contents.Audio(**FILE, file_name="a.mp3"), engine.AudioContent(**FILE)),
    (contents.Voice(**FILE), engine.VoiceContent(**FILE)),
    (contents.Sticker(**FILE), engine.StickerContent(**FILE)),
    (
        contents.Location(latitude=-6.2, longitude=106.8, name="Monas"),
        engine.LocationContent(latitude=-6.2, longitude=106.8, name="Monas"),
    ),
    (contents.Contact(name="Ani", vcard="V"), engine.ContactContent(name="Ani", vcard="V")),
    (
        contents.Poll(question="When?", options=["a", "b"], selectable=0),
        engine.PollContent(question="When?", options=["a", "b"], selectable=0),
    ),
    (
        contents.Reaction(wa_id="3EB0", sender="1@lid", emoji="👍"),
        engine.ReactionContent(target="3EB0", sender="1@lid", emoji="👍"),
    ),
    (contents.Edit(wa_id="3EB0", text="new"), engine.EditContent(target="3EB0", text="new")),
    (contents.Revoke(wa_id="3EB0"), engine.RevokeContent(target="3EB0", sender=None)),
]


def call(content: contents.Content | contents.Action, context: contents.Context | None = None) -> Deliver:
    return Deliver(
        session_id="s",
        message_id="m",
        wa_id="3EB0FF",
        to="1@s.whatsapp.net",
        content=content,
        context=context,
        epoch=1,
        deadline=datetime(2026, 11, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(("ours", "theirs"), [pytest.param(*pair, id=contents.type_of(pair[0])) for pair in PAIRS])
def test_a_content_says_the_same_to_the_engine(ours: Outgoing, theirs: engine.Content) -> None:
    assert content_of(ours) == theirs


def test_every_content_of_the_engine_is_reached() -> None:
    assert {type(theirs) for _, theirs in PAIRS} == set(get_args(engine.Content))


def test_what_a_message_refers_to_goes_with_it() -> None:
    context = contents.Context(
        quote=contents.Quote(wa_id="Q", sender="2@lid", text="before"),
        mentions=["2@lid"],
        preview=contents.LinkPreview(url="https://example.com", title="Example"),
    )

    request = request_of(call(contents.Text(text="@2 https://example.com"), context))

    assert isinstance(request, engine.Send)
    assert request.quote == engine.Quote(target="Q", sender="2@lid", text="before")
    assert request.mentions == ["2@lid"]
    assert request.preview == engine.Preview(url="https://example.com", title="Example", description=None)


def test_reading_is_told_to_the_chat_and_is_no_message() -> None:
    request = request_of(call(contents.Read(wa_ids=["A", "B"], sender="2@lid")))

    assert request == engine.MarkRead(session="s", chat="1@s.whatsapp.net", sender="2@lid", message_ids=["A", "B"])


@pytest.mark.parametrize(
    ("quote", "author"),
    [
        pytest.param(contents.Quote(wa_id="Q", number="6281"), None, id="the linked number is ourselves"),
        pytest.param(contents.Quote(wa_id="Q"), None, id="a number that was not noted is taken to be"),
        pytest.param(contents.Quote(wa_id="Q", number="6282"), "6282@s.whatsapp.net", id="a former number is named"),
        pytest.param(contents.Quote(wa_id="Q", sender="2@lid", number="6281"), "2@lid", id="an author that is known"),
    ],
)
def test_a_quote_names_its_author(quote: contents.Quote, author: str | None) -> None:
    request = request_of(call(contents.Text(text="x"), contents.Context(quote=quote)), "6281")
    assert isinstance(request, engine.Send)
    assert request.quote is not None
    assert request.quote.sender == author
