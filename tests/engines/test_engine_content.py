"""One suite over every engine: every kind of message both ways, what happens to messages, media, polls and groups."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import pytest

from services.sessions.engines import base as engine
from tests.engines.rig import Rig
from tests.processes import eventually

OURS, THEIRS, THIRD = "6281200000001", "6281300000002", "6281400000003"
FIRST, SECOND, CHANGE = "3EB0000000000000000001", "3EB0000000000000000002", "3EB0000000000000000003"
VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Siti\nTEL;waid=6281400000003:+6281400000003\nEND:VCARD"


def jid(number: str) -> str:
    return f"{number}@s.whatsapp.net"


async def linked(rig: Rig, *others: str) -> None:
    """Our session is linked, and these people have phones."""
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS, *others)


async def shown(rig: Rig, number: str, message_id: str) -> dict[str, Any]:
    """The row of a message in a phone's inbox."""

    async def is_there() -> bool:
        return any(row["id"] == message_id for row in await rig.phones.inbox(number))

    await eventually(is_there)
    return next(row for row in await rig.phones.inbox(number) if row["id"] == message_id)


# --- Out --------------------------------------------------------------------------------------------------------------

PLAIN: dict[str, tuple[engine.Content, dict[str, Any]]] = {
    "location": (
        engine.LocationContent(latitude=-6.175392, longitude=106.827153, name="Monas", address="Jakarta"),
        {"latitude": -6.175392, "longitude": 106.827153, "name": "Monas", "address": "Jakarta"},
    ),
    "contact": (engine.ContactContent(name="Siti", vcard=VCARD), {"name": "Siti", "vcard": VCARD}),
    "poll": (
        engine.PollContent(question="Kapan?", options=["Senin", "Selasa", "Rabu"], selectable=1),
        {"question": "Kapan?", "options": ["Senin", "Selasa", "Rabu"], "selectable": 1},
    ),
}


@pytest.mark.parametrize("kind", PLAIN)
async def test_a_message_without_a_file_arrives_with_all_its_fields(rig: Rig, kind: str) -> None:
    await linked(rig)
    content, fields = PLAIN[kind]

    assert isinstance(await rig.send("s1", THEIRS, content, FIRST), engine.Sent)

    row = await shown(rig, THEIRS, FIRST)
    assert row["type"] == kind
    assert {name: row[name] for name in fields} == fields


FILES: dict[str, engine.Content] = {
    "image": engine.ImageContent(media_id="m1", mimetype="image/png", caption="look"),
    "video": engine.VideoContent(media_id="m1", mimetype="video/mp4", caption="look"),
    "audio": engine.AudioContent(media_id="m1", mimetype="audio/mpeg"),
    "voice": engine.VoiceContent(media_id="m1", mimetype="audio/ogg; codecs=opus"),
    "sticker": engine.StickerContent(media_id="m1", mimetype="image/webp"),
    "document": engine.DocumentContent(media_id="m1", mimetype="application/pdf", file_name="bill.pdf"),
}


@pytest.mark.parametrize("kind", FILES)
async def test_a_file_arrives_unchanged_and_as_what_it_is(rig: Rig, kind: str) -> None:
    await linked(rig)
    body = os.urandom(3000)
    rig.store_medium("m1", body)

    assert isinstance(await rig.send("s1", THEIRS, FILES[kind], FIRST), engine.Sent)

    row = await shown(rig, THEIRS, FIRST)
    assert (row["type"], row["sha256"]) == (kind, hashlib.sha256(body).hexdigest())
    assert row.get("caption") == ("look" if kind in {"image", "video"} else None)


async def test_a_text_may_answer_a_message_and_mention_people(rig: Rig) -> None:
    await linked(rig, THIRD)
    asked = await rig.phones.write(THEIRS, OURS, "apa kabar?")
    await rig.seen.next(engine.Message)
    quote = engine.Quote(target=asked, sender=jid(THEIRS), text="apa kabar?")

    content = engine.TextContent(text=f"baik, kata @{THIRD}")
    reply = await rig.send("s1", THEIRS, content, FIRST, quote=quote, mentions=[jid(THIRD)])

    assert isinstance(reply, engine.Sent)
    row = await shown(rig, THEIRS, FIRST)
    assert (row["text"], row["replyTo"], row["quoted"]) == (content.text, asked, "apa kabar?")
    assert row["mentions"] == [THIRD]


async def test_a_file_may_answer_our_own_message(rig: Rig) -> None:
    await linked(rig)
    rig.store_medium("m1", os.urandom(100))
    await rig.send("s1", THEIRS, engine.TextContent(text="see"), FIRST)
    quote = engine.Quote(target=FIRST, sender=None, text="see")

    assert isinstance(await rig.send("s1", THEIRS, FILES["image"], SECOND, quote=quote), engine.Sent)

    assert (await shown(rig, THEIRS, SECOND))["replyTo"] == FIRST


async def test_a_message_to_the_own_number_shows_on_the_own_phone(rig: Rig) -> None:
    await linked(rig)

    assert isinstance(await rig.send("s1", OURS, engine.TextContent(text="note to self"), FIRST), engine.Sent)

    assert (await shown(rig, OURS, FIRST))["text"] == "note to self"


async def test_our_message_is_edited_reacted_to_and_deleted(rig: Rig) -> None:
    await linked(rig)
    await rig.send("s1", THEIRS, engine.TextContent(text="selamat pgi"), FIRST)

    ids = {"edit": "3EB0E1", "reaction": "3EB0E2", "revoke": "3EB0E3"}
    changes: dict[str, engine.Content] = {
        "edit": engine.EditContent(target=FIRST, text="selamat pagi"),
        "reaction": engine.ReactionContent(target=FIRST, sender=None, emoji="👍"),
        "revoke": engine.RevokeContent(target=FIRST, sender=None),
    }
    for kind, content in changes.items():
        assert isinstance(await rig.send("s1", THEIRS, content, ids[kind]), engine.Sent)

    edit, reaction, revoke = [await shown(rig, THEIRS, each) for each in ids.values()]
    assert (edit["editOf"], edit["text"]) == (FIRST, "selamat pagi")
    assert (reaction["target"], reaction["emoji"]) == (FIRST, "👍")
    assert (revoke["type"], revoke["target"]) == ("revoke", FIRST)


async def test_a_reaction_to_their_message_names_it(rig: Rig) -> None:
    await linked(rig)
    written = await rig.phones.write(THEIRS, OURS, "halo")
    await rig.seen.next(engine.Message)

    content = engine.ReactionContent(target=written, sender=jid(THEIRS), emoji="🙏")
    assert isinstance(await rig.send("s1", THEIRS, content, FIRST), engine.Sent)

    row = await shown(rig, THEIRS, FIRST)
    assert (row["type"], row["target"], row["emoji"]) == ("reaction", written, "🙏")


# --- In ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FILES)
async def test_a_file_comes_in_as_what_it_is_and_is_downloaded_when_asked_for(rig: Rig, kind: str) -> None:
    await linked(rig)
    body = os.urandom(3000)
    what = {"type": kind, "media": base64.b64encode(body).decode(), "mimetype": "application/x-test"}
    captioned = {"caption": "see"} if kind in {"image", "video", "document"} else {}

    await rig.phones.write(THEIRS, OURS, **what, **captioned)
    message = await rig.seen.next(engine.Message)

    assert (message.content_class, message.caption) == (kind, captioned.get("caption"))
    assert message.media is not None
    assert (message.media.mimetype, message.media.bytes) == ("application/x-test", len(body))
    reply = await rig.engine.call(download_of(message, "in-1"), timeout_s=20)
    assert reply == engine.Downloaded(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    stored, metadata = rig.stored_medium("in-1")
    assert stored == body
    assert metadata["customerId"] == "c1"


def download_of(message: engine.Message, media_id: str, *, most_bytes: int = 1 << 20) -> engine.Download:
    """Ask for the file of a message."""
    assert message.media is not None
    return engine.Download(
        session="s1",
        ref=message.media.ref,
        media_id=media_id,
        file_name="a.bin",
        metadata={"customerId": "c1"},
        most_bytes=most_bytes,
    )


async def test_a_file_that_was_downloaded_is_left_alone(rig: Rig) -> None:
    await linked(rig)
    await rig.phones.write(THEIRS, OURS, type="image", media=base64.b64encode(b"x" * 99).decode())
    message = await rig.seen.next(engine.Message)

    replies = [await rig.engine.call(download_of(message, "in-1"), timeout_s=20) for _ in range(2)]

    assert replies[0] == replies[1] == engine.Downloaded(bytes=99, sha256=hashlib.sha256(b"x" * 99).hexdigest())


async def test_a_file_over_the_limit_is_not_downloaded(rig: Rig) -> None:
    await linked(rig)
    await rig.phones.write(THEIRS, OURS, type="image", media=base64.b64encode(b"x" * 99).decode())
    message = await rig.seen.next(engine.Message)

    reply = await rig.engine.call(download_of(message, "in-1", most_bytes=98), timeout_s=20)

    assert isinstance(reply, engine.Failed)
    assert reply.code == "too_large"


async def test_a_place_a_card_and_a_poll_come_in_with_all_their_fields(rig: Rig) -> None:
    await linked(rig)

    await rig.phones.write(
        THEIRS, OURS, type="location", latitude=-6.175392, longitude=106.827153, name="Monas", address="Jakarta"
    )
    await rig.phones.write(THEIRS, OURS, type="contact", name="Siti", vcard=VCARD)
    await rig.phones.write(THEIRS, OURS, type="poll", question="Kapan?", options=["Senin", "Selasa"], selectable=1)

    told = {kind: await rig.seen.next(engine.Message, lambda e, kind=kind: e.content_class == kind) for kind in PLAIN}
    assert told["location"].place == PLAIN["location"][0]
    assert told["contact"].card == PLAIN["contact"][0]
    assert told["poll"].poll == engine.PollContent(question="Kapan?", options=["Senin", "Selasa"], selectable=1)
    assert all(message.text is None for message in told.values())


async def test_an_answer_that_mentions_us_says_whom_and_what_by_number(rig: Rig) -> None:
    await linked(rig)
    await rig.send("s1", THEIRS, engine.TextContent(text="siapa?"), FIRST)
    await shown(rig, THEIRS, FIRST)

    await rig.phones.write(THEIRS, OURS, f"@{OURS} dong", replyTo=FIRST, mentions=[OURS])

    message = await rig.seen.next(engine.Message)
    assert (message.reply_to, message.mentions) == (FIRST, [jid(OURS)])
    assert message.text == f"@{OURS} dong"


async def test_edits_reactions_and_deletions_come_in_about_the_message_that_is_meant(rig: Rig) -> None:
    await linked(rig)
    written = await rig.phones.write(THEIRS, OURS, "hallo")
    edit = await rig.phones.write(THEIRS, OURS, type="edit", target=written, text="halo")
    reaction = await rig.phones.write(THEIRS, OURS, type="reaction", target=written, emoji="🙂")
    taken_back = await rig.phones.write(THEIRS, OURS, type="reaction", target=written, emoji="")
    revoke = await rig.phones.write(THEIRS, OURS, type="revoke", target=written)

    edited = await rig.seen.next(engine.Edited)
    reacted = await rig.seen.next(engine.Reacted)
    undone = await rig.seen.next(engine.Reacted, lambda e: e.emoji == "")
    revoked = await rig.seen.next(engine.Revoked)

    assert (edited.id, edited.text) == (edit, "halo")
    assert (reacted.id, reacted.emoji) == (reaction, "🙂")
    assert undone.id == taken_back
    assert revoked.id == revoke
    for event in (edited, reacted, undone, revoked):
        assert (event.target, event.chat, event.sender, event.from_me) == (written, jid(THEIRS), jid(THEIRS), False)
        assert event.chat_lid is not None
        assert event.chat_lid.endswith("@lid")
    assert len(rig.seen.all(engine.Message)) == 1


async def test_an_edit_that_was_not_taken_comes_again(rig: Rig) -> None:
    await linked(rig)
    written = await rig.phones.write(THEIRS, OURS, "hallo")
    await rig.seen.next(engine.Message)

    async def refuse(event: engine.Event) -> bool:
        return not isinstance(event, engine.Edited)

    rig.seen.answer = refuse
    await rig.phones.write(THEIRS, OURS, type="edit", target=written, text="halo")
    first = await rig.seen.next(engine.Edited)
    if rig.name == "worker":
        await rig.seen.next(engine.Disconnected)
    rig.seen.answer = None
    before = len(rig.seen.events)
    await rig.reopen("s1")

    assert (await rig.seen.next(engine.Edited, after=before)).id == first.id


# --- Polls ------------------------------------------------------------------------------------------------------------


async def test_votes_on_our_poll_tell_all_that_a_person_chose(rig: Rig) -> None:
    await linked(rig)
    content = engine.PollContent(question="Kapan?", options=["Senin", "Selasa", "Rabu"], selectable=0)
    assert isinstance(await rig.send("s1", THEIRS, content, FIRST), engine.Sent)
    await shown(rig, THEIRS, FIRST)

    await rig.phones.write(THEIRS, OURS, type="vote", target=FIRST, options=["Selasa", "Rabu"])
    await rig.phones.write(THEIRS, OURS, type="vote", target=FIRST, options=[])

    both = await rig.seen.next(engine.Voted, lambda e: len(e.options) > 0)
    none = await rig.seen.next(engine.Voted, lambda e: e.options == [])
    assert (both.target, both.sender, both.options) == (FIRST, jid(THEIRS), ["Selasa", "Rabu"])
    assert none.target == FIRST


async def test_votes_on_a_poll_of_theirs_are_told_too(rig: Rig) -> None:
    await linked(rig)
    poll = await rig.phones.write(THEIRS, OURS, type="poll", question="Kapan?", options=["A", "B"], selectable=1)
    await rig.seen.next(engine.Message)

    await rig.phones.write(THEIRS, OURS, type="vote", target=poll, options=["B"])

    assert (await rig.seen.next(engine.Voted)).options == ["B"]


async def test_a_poll_that_was_refused_at_first_takes_votes(rig: Rig) -> None:
    """The phone has only the second copy: its secret must be the one that we keep."""
    await linked(rig)
    content = engine.PollContent(question="Kapan?", options=["A", "B"], selectable=1)
    await rig.phones.call("POST", "/faults", kind="nack", phone=OURS, code=500, count=1)
    assert await rig.send("s1", THEIRS, content, FIRST) == engine.Refused(code=500)
    for _ in range(2):
        assert isinstance(await rig.send("s1", THEIRS, content, FIRST), engine.Sent)
    await shown(rig, THEIRS, FIRST)

    await rig.phones.write(THEIRS, OURS, type="vote", target=FIRST, options=["A"])

    assert (await rig.seen.next(engine.Voted)).options == ["A"]


# --- Groups -----------------------------------------------------------------------------------------------------------


async def group_of(rig: Rig, *numbers: str) -> str:
    """A group that we make; returns its JID."""
    request = engine.CreateGroup(session="s1", subject="Kopi", participants=[jid(number) for number in numbers])
    reply = await rig.engine.call(request, timeout_s=20)
    assert isinstance(reply, engine.Groups), reply
    return reply.groups[0].jid


async def test_a_group_is_made_and_listed_with_its_members(rig: Rig) -> None:
    await linked(rig, THIRD)

    group = await group_of(rig, THEIRS)
    listed = await rig.engine.call(engine.ListGroups(session="s1"), timeout_s=20)

    assert isinstance(listed, engine.Groups)
    (found,) = listed.groups
    assert (found.jid, found.subject) == (group, "Kopi")
    assert found.created_ms is not None
    assert {(member.jid, member.role) for member in found.members} == {(jid(OURS), "owner"), (jid(THEIRS), "member")}
    assert all(member.lid is not None for member in found.members)


async def test_participants_are_added_promoted_and_removed_and_told_apart(rig: Rig) -> None:
    await linked(rig, THIRD)
    group = await group_of(rig, THEIRS)

    async def change(action: str, *numbers: str) -> engine.Reply:
        people = [jid(number) for number in numbers]
        request = engine.ChangeParticipants(session="s1", group=group, action=action, participants=people)
        return await rig.engine.call(request, timeout_s=20)

    added = await change("add", THEIRS, THIRD)
    promoted = await change("promote", THIRD)
    removed = await change("remove", THEIRS)
    listed = await rig.engine.call(engine.ListGroups(session="s1"), timeout_s=20)

    assert added == engine.Participants(codes={jid(THEIRS): 409, jid(THIRD): None})
    assert promoted == engine.Participants(codes={jid(THIRD): None})
    assert removed == engine.Participants(codes={jid(THEIRS): None})
    assert isinstance(listed, engine.Groups)
    assert {(each.jid, each.role) for each in listed.groups[0].members} == {(jid(OURS), "owner"), (jid(THIRD), "admin")}


async def test_every_member_of_a_group_gets_the_message_and_we_get_theirs(rig: Rig) -> None:
    await linked(rig, THIRD)
    group = await group_of(rig, THEIRS, THIRD)

    assert isinstance(await rig.send("s1", group, engine.TextContent(text="all"), FIRST), engine.Sent)
    written = await rig.phones.write(THIRD, group, "one")
    await rig.phones.write(THEIRS, group, type="reaction", target=written, emoji="☕")

    for number in (THEIRS, THIRD):
        assert (await shown(rig, number, FIRST))["chat"] == group
    message = await rig.seen.next(engine.Message)
    assert (message.chat, message.sender, message.text) == (group, jid(THIRD), "one")
    reacted = await rig.seen.next(engine.Reacted)
    assert (reacted.chat, reacted.sender, reacted.target) == (group, jid(THEIRS), written)


# --- Presence ---------------------------------------------------------------------------------------------------------


async def test_showing_that_we_type_is_answered(rig: Rig) -> None:
    await linked(rig)

    for state in ("composing", "recording", "paused"):
        request = engine.Presence(session="s1", chat=jid(THEIRS), state=state)
        assert await rig.engine.call(request, timeout_s=10) == engine.Done()


async def test_a_session_that_is_not_open_says_so(rig: Rig) -> None:
    requests: list[engine.Request] = [
        engine.Presence(session="s1", chat=jid(THEIRS), state="composing"),
        engine.ListGroups(session="s1"),
        engine.CreateGroup(session="s1", subject="Kopi", participants=[jid(THEIRS)]),
    ]
    for request in requests:
        reply = await rig.engine.call(request, timeout_s=10)
        assert isinstance(reply, engine.Failed)
        assert reply.code in {"not_open", "not_connected"}
