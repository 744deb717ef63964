"""Numbers as people dial them, through the whole product: WhatsApp's own number of an account gets the message."""

from __future__ import annotations

import random

import httpx
import pytest

from tests.e2e.handsets import WITHIN_S, Network, Office
from tests.e2e.test_types import message, sent
from tests.e2e.wire import BASE, CHAT, Json, refused, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go


async def dialled_otherwise(network: Network) -> tuple[str, str]:
    """Somebody whose number people dial with a digit more: the own number, and the dialled one."""
    tail = f"{random.randrange(10**7):07}"  # noqa: S311 - a made-up number, not a secret
    own, dialled = f"55118{tail}", f"551198{tail}"
    await network.phones.add(own, "Ana")
    await network.called("PATCH", f"/phones/{own}", json={"aliases": [dialled]})
    return own, dialled


async def chats_of(http: httpx.AsyncClient, session: str) -> list[Json]:
    return list((await http.get(f"{BASE}/chats", params={"session": session})).json()["chats"])


async def test_an_answer_lands_in_the_chat_of_the_number_that_was_dialled(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    own, dialled = await dialled_otherwise(network)
    first = await sent(http, office, {"type": "text", "to": f"+{dialled}", "text": "Halo"})
    assert (first["chat"], first["to"], first["status"]) == (own, dialled, "sent")
    await network.arrived(own)
    await network.phones.write(own, office.number, "Oi")

    async def answered() -> Json | None:
        mine = [chat for chat in await chats_of(http, office.session) if chat["phone"] in (own, dialled)]
        return mine[0] if len(mine) == 1 and mine[0]["lastMessage"]["direction"] == "in" else None

    chat = await eventually(answered, within_s=WITHIN_S, every_s=0.05)
    assert chat is not None, "one chat, with the answer"
    assert (chat["phone"], chat["name"], chat["lastMessage"]["text"]) == (own, "Ana", "Oi")
    for spelling in (own, dialled, f"+{dialled}", f"{own}@s.whatsapp.net"):
        found = (await http.get(f"{BASE}/messages", params={"chat": spelling})).json()["messages"]
        assert sorted(one["direction"] for one in found) == ["in", "out"], spelling

    again = await sent(http, office, {"type": "text", "to": dialled, "text": "Lagi", "replyTo": first["messageId"]})
    assert (again["chat"], (await message(http, again["messageId"]))["chat"]) == (own, own)
    assert len(await network.arrived(own, 2)) == 2
    assert len([chat for chat in await chats_of(http, office.session) if chat["phone"] == own]) == 1


async def test_the_check_gives_the_number_that_whatsapp_knows(
    http: httpx.AsyncClient, office: Office, network: Network
) -> None:
    own, dialled = await dialled_otherwise(network)
    answer = await http.post(f"{BASE}/sessions/{office.session}/check", json={"phones": [dialled, own]})
    assert [(one["onWhatsApp"], one["jid"]) for one in told(answer, "data")["data"]] == [
        (True, f"{own}@s.whatsapp.net")
    ] * 2


async def test_a_number_that_the_tables_hold_for_impossible_is_written_to_when_whatsapp_has_it(
    http: httpx.AsyncClient, office: Office, network: Network, public: httpx.AsyncClient
) -> None:
    mexican = f"52155{random.randrange(10**8):08}"  # noqa: S311 - a made-up number, not a secret
    path = f"{CHAT}/{office.session}/{office.tenant.key}"
    body = {"phone": mexican, "message": "Hola"}
    assert "too long for its country" in refused(await public.post(path, json=body), 400, "INVALID_PHONE")["message"]
    other = f"52155{random.randrange(10**8):08}"  # noqa: S311
    await network.phones.add(other, "Lupe")
    told(
        await public.post(path, json=body | {"phone": f"+{other}"}),
        "messageId",
        "status",
        "timestamp",
        "data",
        "message",
    )
    await network.phones.write(other, office.number, "Hola")
    to = f"{other}:0@s.whatsapp.net"
    assert (await sent(http, office, {"type": "text", "to": to, "text": "Que tal"}))["chat"] == other
    await network.arrived(other, 2)
