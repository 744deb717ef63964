"""The turns of a session's life as the service tells them: held back, banned, cut off, proxied, taken over, unfit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.calls import Delivered, NotDelivered
from libs.contracts.content import Edit, Reaction, Read, Revoke
from libs.contracts.events import (
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    MessageUndecryptable,
    SessionChanged,
)
from libs.contracts.ids import new_session_id, shard_of
from libs.contracts.records import SessionState
from libs.runtime.crypto import KeyRing
from libs.runtime.mongo import Database, from_document, to_document
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.sessions.lifecycle import END_MARGIN
from services.sessions.store import SessionStore
from tests.integration.sessions.world import NUMBER, SHARDS, World
from tests.processes import PATIENCE_S, TEST_KEYS, eventually

ANI = "6281300000002"


def moment(iso: Any) -> datetime:
    assert isinstance(iso, datetime)
    return iso


def as_stored(at: datetime | None) -> datetime | None:
    """MongoDB keeps milliseconds."""
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


async def test_a_restricted_number_writes_to_whom_it_knows_and_to_nobody_new_until_its_end(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.write(ANI, type="text", text="we know each other")
        await world.control("POST", "/faults", kind="timelock", expireS=600)
        told = await world.one_fact(SessionChanged, lambda fact: fact.update == "restricted")

        known, new = await world.deliver(session, "10", to=ANI), await world.deliver(session, "11")

        assert isinstance(known, Delivered)
        assert isinstance(new, NotDelivered)
        assert (new.code, new.retryable) == ("CONTACT_RESTRICTED", True)
        assert 0 < (new.retry_in_s or 0) <= 600 + END_MARGIN.total_seconds()
        assert (told.reason, told.resume_at) == ("reachout_timelock", (await world.state(session))["resumeAt"])
        await world.control("POST", "/faults", kind="timelock", expireS=3)
        sooner = await world.one_fact(SessionChanged, lambda fact: fact.update == "restricted" and fact.id != told.id)
        await eventually(world.status_is(session, "connected"))
        assert moment(told.resume_at) > datetime.now(UTC) >= moment(sooner.resume_at)
        await world.until_told(session, "restricted", "restricted", "connected")
        assert await world.delivered(session, "11")


async def test_a_restriction_ends_with_the_notice_that_it_ended(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="timelock", expireS=3600)
        await eventually(world.status_is(session, "restricted"))
        await world.control("POST", "/faults", kind="timelock", expireS=0)
        await eventually(world.status_is(session, "connected"))


async def test_a_ban_ends_by_itself_at_its_end(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="loginFailure", code=402, banCode=104, expireS=3, count=1)
        await world.control("POST", "/faults", kind="drop")
        told = await world.one_fact(SessionChanged, lambda fact: fact.update == "banned")
        await eventually(world.status_is(session, "connected"))
        assert datetime.now(UTC) >= moment(told.resume_at)


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        pytest.param(
            {"kind": "loginFailure", "code": 402, "banCode": 104, "expireS": 3600}, "banned", "banned_104", id="banned"
        ),
        pytest.param({"kind": "loginFailure", "code": 405}, "failed", "client_outdated", id="outdated"),
        pytest.param({"kind": "loginFailure", "code": 403}, "logged_out", "unlinked_403", id="gone"),
    ],
)
async def test_a_login_that_is_refused_ends_in_a_state_that_says_why_and_until_when(
    world: World, fault: dict[str, Any], status: str, reason: str
) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", **fault)
        await world.control("POST", "/faults", kind="drop")
        told = await world.one_fact(SessionChanged, lambda fact: fact.status == status)
        state = await world.state(session)
        assert (told.reason, as_stored(told.resume_at)) == (reason, state["resumeAt"])
        assert (state["status"], state["reason"]) == (status, reason)


async def test_a_socket_in_a_black_hole_is_degraded_then_made_anew(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        async with await world.database["session_states"].watch() as changes:
            await world.control("POST", "/faults", kind="blackhole", ms=1000)
            state, seen = await world.state(session), list[tuple[str, bool]]()
            async with asyncio.timeout(PATIENCE_S):
                while ("reconnecting", False) not in seen:
                    state |= (await changes.next())["updateDescription"]["updatedFields"]
                    seen.append((state["status"], state["degraded"]))

        assert ("connected", True) in seen
        assert ("reconnecting", True) not in seen
        await world.control("DELETE", "/faults")
        await world.until_told(session, "degraded", "reconnecting", "connected")
        assert (await world.state(session))["status"] == "connected"


async def test_a_replaced_connection_says_when_it_comes_back(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="streamError", conflict="replaced")
        told = await world.one_fact(SessionChanged, lambda fact: fact.update == "reconnecting")
        assert (told.reason, as_stored(told.resume_at)) == ("replaced", (await world.state(session))["resumeAt"])
        assert timedelta(seconds=50) < moment(told.resume_at) - told.at <= timedelta(seconds=60)


# --- Messages ---------------------------------------------------------------------------------------------------------


async def test_what_happens_to_a_message_goes_out_and_comes_in(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/phones", number="6281999", name="Citra")
        assert await world.delivered(session, "21")
        for number, content in enumerate(
            [
                Edit(wa_id="3EB021", text="better"),
                Reaction(wa_id="3EB021", emoji="👍"),
                Revoke(wa_id="3EB021"),
            ]
        ):
            assert isinstance(await world.deliver(session, f"22{number}", content), Delivered)
        rows = (await world.control("GET", "/phones/6281999/inbox")).json()["messages"]
        assert [(row["type"], row.get("editOf") or row.get("target")) for row in rows[1:]] == [
            ("text", "3EB021"),
            ("reaction", "3EB021"),
            ("revoke", "3EB021"),
        ]

        await world.write(ANI, type="edit", target="3A1", text="also better")
        await world.write(ANI, type="reaction", target="3EB021", emoji="❤️")
        await world.write(ANI, type="revoke", target="3A1")
        assert (await world.one_fact(MessageEdited)).text == "also better"
        assert (await world.one_fact(MessageReacted)).emoji == "❤️"
        assert (await world.one_fact(MessageRevoked)).wa_id == "3A1"


async def test_a_message_that_is_marked_as_read_is_seen_as_read_by_its_author(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        written = await world.write(ANI, type="text", text="read me")
        await world.one_fact(MessageReceived)

        read = await world.deliver(session, "31", Read(wa_ids=[written], sender=f"{ANI}@s.whatsapp.net"))

        assert isinstance(read, Delivered)
        sent = (await world.control("GET", f"/phones/{ANI}/messages")).json()["messages"]
        assert [(each["id"], each["status"]) for each in sent] == [(written, "read")]


async def test_a_message_that_comes_twice_is_one_fact_twice(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="duplicate", count=1)
        await world.control("POST", "/faults", kind="garble", count=1)
        await world.write(ANI, type="text", text="once")
        await world.write(ANI, type="text", text="last")
        await world.one_fact(MessageReceived, lambda fact: fact.text == "last")

        facts = [fact for fact in await world.facts() if isinstance(fact, MessageReceived | MessageUndecryptable)]

        assert len(facts) > len({fact.id for fact in facts}) == 3


# --- Proxy ------------------------------------------------------------------------------------------------------------


def sealed(session: str, url: str) -> str:
    return KeyRing.parse(TEST_KEYS).seal(url.encode(), about=session)


async def test_a_session_connects_through_its_proxy_and_anew_when_that_changes(world: World) -> None:
    session = new_session_id()

    def through(host: str) -> Any:
        async def ask() -> bool:
            devices = (await world.phone(NUMBER))["devices"]
            return [device.get("proxy") for device in devices] == [host]

        return ask

    async with world.sessions() as process:
        await process.ready()
        await world.wish(session, proxy=sealed(session, "socks5://user:secret@proxy-one:1080"), device_name="Till 3")
        await world.link(session)
        await eventually(through("proxy-one"))
        assert (await world.phone(NUMBER))["devices"][0]["name"] == "Till 3"

        await world.wish(session, proxy=sealed(session, "http://proxy-two:3128"))

        await eventually(through("proxy-two"))
        await eventually(world.status_is(session, "connected"))
        assert "secret" not in process.log.read_text()


async def test_a_proxy_that_cannot_be_read_is_not_gone_around(world: World) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(session, running=True, starts=1, proxy=sealed("another-session", "http://proxy:3128"))
        await eventually(world.status_is(session, "failed"))
        assert (await world.state(session))["reason"] == "proxy_unreadable"
        assert (await world.control("GET", "/stats")).json()["connected"] == 0


# --- Owners -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "after", "facts"),
    [
        pytest.param("connected", "reconnecting", ["reconnecting"], id="connected"),
        pytest.param("restricted", "reconnecting", ["reconnecting"], id="restricted"),
        pytest.param("qr_ready", "qr_ready", [], id="showing a code"),
        pytest.param("stopped", "stopped", [], id="stopped"),
    ],
)
async def test_nobody_reads_connected_of_a_session_whose_owner_is_new(
    world: World, status: str, after: str, facts: list[str]
) -> None:
    session = new_session_id()
    shard = shard_of(session, SHARDS)
    at = datetime.now(UTC)
    state = SessionState(
        id=session,
        customer_id="cus_1",
        network="scripted",
        shard=shard,
        epoch=3,
        connection=5,
        phone=NUMBER,
        updated_at=at,
    )
    await world.database["session_states"].insert_one(to_document(state) | {"status": status})

    await store_of(world.database, shard, epoch=4).take_over()

    taken = from_document(SessionState, await world.state(session))
    told = [msgspec.convert(doc, SessionChanged) for doc in taken.untold]
    assert (taken.status, taken.epoch) == (after, 4)
    assert [(fact.update, fact.epoch, fact.connection, fact.phone) for fact in told] == [
        (update, 4, 5, NUMBER) for update in facts
    ]


def store_of(database: Database, shard: int, *, epoch: int) -> SessionStore:
    lease = Lease(shard, epoch, confirmed_at=0.0, timing=Timing())
    return SessionStore(database, network="scripted", lease=lease)


async def test_a_replica_that_reaches_nothing_gives_its_sessions_to_one_that_does(world: World) -> None:
    sessions = [new_session_id() for _ in range(3)]
    async with world.sessions() as cut_off:
        await cut_off.ready()
        for number, session in enumerate(sessions):
            await world.link(session, number=f"62812345678{number}", name=f"shop {number}")
        sound = world.elsewhere()
        async with sound.sessions(replica="r2") as process:
            await process.ready()
            await world.control("POST", "/faults", kind="drop", **{"for": 60_000})

            async def connected_there() -> bool:
                return (await sound.control("GET", "/stats")).json()["connected"] == len(sessions)

            await eventually(connected_there)
            for session in sessions:
                await eventually(world.status_is(session, "connected"))
