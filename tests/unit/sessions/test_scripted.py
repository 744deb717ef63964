"""The scripted network: what is said arrives as what it is, and what goes wrong is told as the port says.

What every engine must do is in `tests/engines`; here is what tests of the service rely on besides.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import pytest

from services.sessions.engines import base as engine
from services.sessions.engines.scripted import ScriptedEngine
from services.sessions.engines.scripted_connections import CHALLENGE, assertion
from services.sessions.engines.scripted_faults import Fault
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.engines.scripted_people import jid_of, lid_of
from services.sessions.engines.scripted_writing import Writing, write

E = TypeVar("E")
OURS, ANI, BUDI = "6281200000001", "6281300000002", "6281400000003"


class Town:
    """An engine on a network of its own, and every event that it told."""

    def __init__(self) -> None:
        self.network = ScriptedNetwork()
        self.engine = ScriptedEngine(self.network)
        self.events: list[engine.Event] = []
        self._changed = asyncio.Event()
        self._connection = 0

    async def handle(self, event: engine.Event) -> bool:
        self.events.append(event)
        self._changed.set()
        return True

    async def heard(self, kind: type[E]) -> E:
        """The newest event of this kind, awaited, and taken out."""
        async with asyncio.timeout(60):
            while True:
                self._changed.clear()
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)  # pyright: ignore[reportArgumentType]
                        return event
                await self._changed.wait()

    async def open(self, session: str = "s") -> None:
        self._connection += 1
        await self.ask(engine.Open(session=session, link=1, fence=1, connection=self._connection))

    async def link(self, number: str = OURS, session: str = "s") -> None:
        await self.open(session)
        codes = await self.heard(engine.Qr)
        await self.network.scan(codes.codes[0], number)
        await self.heard(engine.Connected)

    async def ask(self, request: engine.Request) -> Any:
        return await self.engine.call(request, timeout_s=60)

    async def send(
        self, content: engine.Content, *, to: str = jid_of(ANI), message_id: str = "3EB01", **more: Any
    ) -> Any:
        deadline = int(time.time() * 1000) + 200
        request = engine.Send(session="s", message_id=message_id, to=to, content=content, deadline_ms=deadline, **more)
        return await self.ask(request)

    def shown(self, number: str) -> list[Any]:
        return list(self.network.phone(number).inbox.values())


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()

    async def down() -> None: ...

    await made.engine.start(made.handle, down)
    yield made
    await made.engine.stop()


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (engine.TextContent(text="hi"), {"type": "text", "text": "hi"}),
        (engine.ImageContent(media_id="f", mimetype="image/png", caption="c"), {"type": "image", "caption": "c"}),
        (engine.VoiceContent(media_id="f", mimetype="audio/ogg"), {"type": "voice", "mimetype": "audio/ogg"}),
        (engine.StickerContent(media_id="f", mimetype="image/webp"), {"type": "sticker"}),
        (engine.LocationContent(latitude=-6.2, longitude=106.8, name="Monas"), {"type": "location", "latitude": -6.2}),
        (engine.ContactContent(name="Budi", vcard="V"), {"type": "contact", "name": "Budi", "vcard": "V"}),
        (
            engine.PollContent(question="When?", options=["a", "b"], selectable=1),
            {"type": "poll", "question": "When?", "options": ["a", "b"]},
        ),
        (
            engine.ReactionContent(target="X", sender=None, emoji="👍"),
            {"type": "reaction", "target": "X", "emoji": "👍"},
        ),
        (engine.EditContent(target="X", text="new"), {"type": "text", "edit_of": "X", "text": "new"}),
        (engine.RevokeContent(target="X", sender=None), {"type": "revoke", "target": "X"}),
    ],
    ids=lambda each: each.__struct_config__.tag if isinstance(each, engine.Wire) else "",
)
async def test_a_phone_shows_what_was_said(town: Town, content: engine.Content, shown: dict[str, Any]) -> None:
    town.network.phone(ANI)
    await town.link()

    assert isinstance(await town.send(content), engine.Sent)

    (row,) = town.shown(ANI)
    assert {name: getattr(row, name) for name in shown} == shown


async def test_a_phone_shows_what_a_message_answers_and_whom_it_names(town: Town) -> None:
    town.network.phone(ANI)
    await town.link()
    quote = engine.Quote(target="X", sender=None, text="before")

    await town.send(engine.TextContent(text="@1"), quote=quote, mentions=[jid_of(BUDI)])

    (row,) = town.shown(ANI)
    assert (row.reply_to, row.quoted, row.mentions) == ("X", "before", [BUDI])


@pytest.mark.parametrize(
    ("writing", "kind", "field", "value"),
    [
        ({"type": "text", "text": "hi", "reply_to": "X"}, engine.Message, "reply_to", "X"),
        ({"type": "location", "latitude": 1.5, "name": "here"}, engine.Message, "content_class", "location"),
        ({"type": "voice", "media": b"ogg"}, engine.Message, "content_class", "voice"),
        ({"type": "poll", "question": "q", "options": ["a", "b"]}, engine.Message, "content_class", "poll"),
        ({"type": "edit", "target": "X", "text": "new"}, engine.Edited, "text", "new"),
        ({"type": "revoke", "target": "X"}, engine.Revoked, "target", "X"),
        ({"type": "reaction", "target": "X", "emoji": "👍"}, engine.Reacted, "emoji", "👍"),
        ({"type": "vote", "target": "X", "options": ["a"]}, engine.Voted, "options", ["a"]),
    ],
    ids=lambda each: each["type"] if isinstance(each, dict) else "",
)
async def test_a_session_hears_what_a_person_writes(
    town: Town, writing: dict[str, Any], kind: type[Any], field: str, value: Any
) -> None:
    await town.link()

    written = write(town.network, town.network.phone(ANI), Writing(to=OURS, **writing))

    event = await town.heard(kind)
    assert (event.id, event.chat, event.sender, event.from_me) == (written, jid_of(ANI), jid_of(ANI), False)
    assert getattr(event, field) == value


async def test_a_person_who_hides_the_number_is_known_by_the_lid(town: Town) -> None:
    await town.link()
    ani = town.network.phone(ANI)
    ani.hide_number = True

    write(town.network, ani, Writing(to=OURS, text="who am I?"))

    message = await town.heard(engine.Message)
    assert message.chat == message.sender == message.sender_lid == lid_of(ANI)
    assert isinstance(await town.send(engine.TextContent(text="Ani?"), to=message.chat), engine.Sent)
    assert [row.text for row in town.shown(ANI)] == ["who am I?", "Ani?"]


async def test_a_garbled_message_is_told_as_such_and_then_comes(town: Town) -> None:
    await town.link()
    await town.network.strike(Fault(kind="garble", count=1))

    written = write(town.network, town.network.phone(ANI), Writing(to=OURS, text="again"))

    assert (await town.heard(engine.Undecryptable)).id == written
    assert (await town.heard(engine.Message)).id == written


async def test_two_linked_sessions_hear_each_other(town: Town) -> None:
    await town.link(ANI, "t")
    await town.link(OURS, "s")

    await town.send(engine.TextContent(text="from s to t"))

    message = await town.heard(engine.Message)
    assert (message.session, message.text) == ("t", "from s to t")
    assert (await town.heard(engine.Receipt)).session == "s"


async def test_what_the_phone_writes_its_own_sessions_hear_too(town: Town) -> None:
    await town.link()

    write(town.network, town.network.phone(OURS), Writing(to=ANI, text="from the phone"))

    message = await town.heard(engine.Message)
    assert (message.from_me, message.chat, message.sender) == (True, jid_of(ANI), jid_of(OURS))


async def test_a_group_message_reaches_every_member_and_nobody_else(town: Town) -> None:
    for number in (ANI, BUDI, "6281500000004"):
        town.network.phone(number)
    await town.link()
    made = await town.ask(engine.CreateGroup(session="s", subject="team", participants=[jid_of(ANI), jid_of(BUDI)]))
    (group,) = made.groups

    assert isinstance(await town.send(engine.TextContent(text="all"), to=group.jid), engine.Sent)

    assert [[row.chat for row in town.shown(n)] for n in (ANI, BUDI, "6281500000004")] == [[group.jid], [group.jid], []]
    assert {(await town.heard(engine.Receipt)).sender for _ in range(2)} == {jid_of(ANI), jid_of(BUDI)}


async def test_only_an_admin_changes_a_group_and_each_person_has_an_answer(town: Town) -> None:
    await town.link()
    made = await town.ask(engine.CreateGroup(session="s", subject="team", participants=[jid_of(ANI)]))
    change = engine.ChangeParticipants(
        session="s", group=made.groups[0].jid, action="add", participants=[jid_of(ANI), jid_of(BUDI)]
    )
    foreign = town.network.make_group("theirs", [ANI, OURS])

    assert (await town.ask(change)).codes == {jid_of(ANI): 409, jid_of(BUDI): None}
    refused = engine.ChangeParticipants(session="s", group=foreign.jid, action="remove", participants=[jid_of(ANI)])
    assert (await town.ask(refused)).code == "refused"


async def test_a_pairing_code_links_the_number_that_asked_for_it(town: Town) -> None:
    await town.open()
    await town.heard(engine.Qr)
    reply = await town.ask(engine.PairPhone(session="s", phone=OURS))

    await town.network.type_code(reply.code, OURS)

    assert (await town.heard(engine.Connected)).jid == f"{OURS}:1@s.whatsapp.net"


async def test_a_passkey_stands_between_the_scan_and_the_link(town: Town) -> None:
    await town.network.strike(Fault(kind="passkey", count=1))
    await town.open()
    codes = await town.heard(engine.Qr)
    scan = asyncio.create_task(town.network.scan(codes.codes[0], OURS))
    await town.heard(engine.PasskeyRequired)

    assert (await town.ask(engine.PasskeyResponse(session="s", response="no json"))).code == "refused"
    await town.heard(engine.PasskeyFailed)
    answer = json.dumps(assertion(CHALLENGE))
    assert await town.ask(engine.PasskeyResponse(session="s", response=answer)) == engine.Done()
    assert (await town.heard(engine.PasskeyConfirmation)).code
    assert not scan.done()
    assert await town.ask(engine.PasskeyConfirm(session="s")) == engine.Done()

    assert (await scan).number == OURS
    await town.heard(engine.Connected)


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        pytest.param(
            {"kind": "streamError", "code": 515}, engine.Disconnected, {"reason": "server_error:515"}, id="515"
        ),
        pytest.param({"kind": "streamError", "conflict": "replaced"}, engine.Replaced, {}, id="replaced"),
        pytest.param({"kind": "streamError", "code": 401}, engine.LoggedOut, {"code": 401}, id="removed"),
        pytest.param({"kind": "drop"}, engine.Disconnected, {"reason": "dropped"}, id="drop"),
        pytest.param({"kind": "timelock", "expire_s": 60}, engine.Restricted, {"active": True}, id="restricted"),
        pytest.param({"kind": "timelock", "expire_s": 0}, engine.Restricted, {"until_ms": None}, id="no more"),
        pytest.param({"kind": "blackhole", "ms": 10}, engine.Disconnected, {"reason": "keepalive"}, id="black hole"),
    ],
)
async def test_a_connection_ends_as_the_fault_says(
    town: Town, fault: dict[str, Any], kind: type[Any], told: dict[str, Any]
) -> None:
    await town.link()

    await town.network.strike(Fault(**fault))

    event = await town.heard(kind)
    assert {name: getattr(event, name) for name in told} == told


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param({"code": 402, "expire_s": 60}, engine.Banned, id="a ban with its end"),
        pytest.param({"code": 405}, engine.Outdated, id="outdated"),
        pytest.param({"code": 403}, engine.LoggedOut, id="gone"),
        pytest.param({"code": 503}, engine.Disconnected, id="not now"),
    ],
)
async def test_a_login_is_refused_as_the_fault_says(town: Town, fault: dict[str, Any], kind: type[Any]) -> None:
    await town.link()
    await town.ask(engine.Close(session="s"))
    await town.network.strike(Fault(kind="loginFailure", count=1, **fault))

    await town.open()

    event = await town.heard(kind)
    assert not isinstance(event, engine.Banned) or event.until_ms


async def test_a_black_hole_that_ends_between_two_pings_is_told(town: Town) -> None:
    await town.link()
    await town.network.strike(Fault(kind="blackhole", ms=500))

    assert (await town.heard(engine.KeepaliveLost)).count == 1
    town.network.faults.clear()
    await town.heard(engine.KeepaliveRestored)


async def test_nothing_is_known_of_what_went_into_a_black_hole(town: Town) -> None:
    await town.link()
    await town.network.strike(Fault(kind="blackhole"))

    assert isinstance(await town.send(engine.TextContent(text="hello?")), engine.Unknown)


async def test_a_phone_that_was_switched_off_takes_what_waited(town: Town) -> None:
    phone = town.network.phone(ANI)
    phone.online = False
    await town.link()
    await town.send(engine.TextContent(text="later"))
    assert town.shown(ANI) == []

    phone.online = True
    town.network.mail.changed(phone)

    assert [row.text for row in town.shown(ANI)] == ["later"]
    assert (await town.heard(engine.Receipt)).kind == "delivered"


async def test_the_author_sees_how_far_a_message_came(town: Town) -> None:
    await town.link()
    ani = town.network.phone(ANI)
    written = write(town.network, ani, Writing(to=OURS, text="read me"))
    await town.heard(engine.Message)

    await town.ask(engine.MarkRead(session="s", chat=ani.jid, sender=ani.jid, message_ids=[written]))

    assert ani.sent[written].status == "read"
