"""A customer, a bus and a database around sessions processes on the scripted network: what these tests share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import nats.errors

from infra.local.ports import free_port
from libs.contracts.calls import AnyAsk, AnyAskAnswer, Deliver, DeliverAnswer, Delivered
from libs.contracts.commands import ReconcileSession
from libs.contracts.content import Action, Content, Text
from libs.contracts.events import AnyFact, SessionChanged
from libs.contracts.ids import deliver_subject, session_call_subject, session_subject, shard_of
from libs.contracts.records import SessionRecord
from libs.runtime.bus import Bus
from libs.runtime.mongo import Database, to_document
from tests.processes import PATIENCE_S, eventually, service

F = TypeVar("F", bound=msgspec.Struct)
SHARDS = 4
NUMBER = "6281234567890"
HI = Text(text="hi")


class World:
    """A customer, a bus and a database around one or more sessions processes."""

    def __init__(self, nats_url: str, mongodb_url: str, tmp_path: Path, bus: Bus, base: Database) -> None:
        self.nats_url, self.mongodb_url, self.tmp_path = nats_url, mongodb_url, tmp_path
        self.bus, self.database = bus, base
        self._jetstream = bus.nats.jetstream(timeout=PATIENCE_S)
        port = free_port()
        self.network = "scripted"
        self.control_url = f"http://127.0.0.1:{port}"
        self.settings = {"scripted_control_port": str(port)}

    def sessions(self, **settings: str) -> Any:
        return service(
            "services.sessions.app",
            self.tmp_path,
            nats_url=self.nats_url,
            mongodb_url=self.mongodb_url,
            **{
                "network": self.network,
                "shards": str(SHARDS),
                **self.settings,
                "reconcile_every_s": "1",
                **settings,
            },
        )

    async def wish(self, session_id: str, *, poke: bool = True, **changes: Any) -> None:
        """Write what the customer wants, as the edge does, and poke the owner."""
        found = await self.database["sessions"].find_one({"_id": session_id})
        at = datetime.now(UTC)
        record = (
            msgspec.convert(found, SessionRecord)
            if found
            else SessionRecord(
                id=session_id,
                customer_id="cus_1",
                name="shop",
                engine=self.network,
                shard=shard_of(session_id, SHARDS),
                live=True,
                created_at=at,
                updated_at=at,
            )
        )
        record = msgspec.structs.replace(record, **changes)
        await self.database["sessions"].replace_one({"_id": session_id}, to_document(record), upsert=True)
        if poke:
            command = ReconcileSession(customer_id="cus_1", session_id=session_id)
            subject = session_subject(self.network, session_id, SHARDS)
            await self.bus.publish(subject, command, repeat_for_s=PATIENCE_S)

    async def state(self, session_id: str) -> dict[str, Any]:
        return await self.database["session_states"].find_one({"_id": session_id}) or {}

    def status_is(self, session_id: str, status: str) -> Callable[[], Awaitable[bool]]:
        async def ask() -> bool:
            return (await self.state(session_id)).get("status") == status

        return ask

    async def control(self, method: str, path: str, **body: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.control_url, timeout=20) as client:
            return await client.request(method, path, json=body or None)

    async def has_met_a_fault(self) -> bool:
        """Whether one of the standing faults has struck."""
        return any(fault["hit"] for fault in (await self.control("GET", "/faults")).json()["faults"])

    async def phone(self, number: str) -> dict[str, Any]:
        return (await self.control("GET", f"/phones/{number}")).json()

    async def write(self, number: str, **message: Any) -> str:
        """A person writes to the linked number; returns the message's id."""
        await self.control("POST", "/phones", number=number, name="Budi")
        answer = await self.control("POST", f"/phones/{number}/messages", to=NUMBER, **message)
        assert answer.is_success, answer.text
        return answer.json()["id"]

    async def link(self, session_id: str, *, number: str = NUMBER, name: str = "shop") -> None:
        """Start the session and scan its code with a phone; its owner is online, and has told so, when this returns."""
        await self.wish(session_id, running=True, starts=1, name=name)
        await eventually(self.status_is(session_id, "qr_ready"))
        await self.control("POST", "/phones", number=number, name="Ani")
        code = (await self.state(session_id))["qr"]
        assert (await self.control("POST", f"/phones/{number}/scan", qr=code)).status_code == 200
        await eventually(self.status_is(session_id, "connected"))
        await self.until_told(session_id, "connected")

    def elsewhere(self) -> World:
        """The same deployment seen from another machine: another scripted network, with the same links."""
        return World(self.nats_url, self.mongodb_url, self.tmp_path, self.bus, self.database)

    async def _scan(self, session_id: str) -> httpx.Response:
        return await self.control("POST", f"/phones/{NUMBER}/scan", qr=(await self.state(session_id))["qr"])

    def scanning(self, session_id: str) -> asyncio.Task[httpx.Response]:
        """The phone begins to scan the code that is shown."""
        return asyncio.create_task(self._scan(session_id))

    async def deliver(
        self,
        session_id: str,
        number: str,
        content: Content | Action = HI,
        *,
        to: str = "6281999",
        epoch: int = 1,
        only_from: str | None = None,
    ) -> Any:
        call = Deliver(
            session_id=session_id,
            message_id="m",
            wa_id=f"3EB0{number}",
            to=f"{to}@s.whatsapp.net",
            content=content,
            epoch=epoch,
            deadline=datetime.now(UTC) + timedelta(seconds=PATIENCE_S),
            number=only_from,
        )
        subject = deliver_subject(self.network, shard_of(session_id, SHARDS))

        async def ask() -> Any:
            try:
                return await self.bus.ask(subject, call, DeliverAnswer, timeout_s=PATIENCE_S)
            except nats.errors.NoRespondersError:  # the shard is being taken over
                return None

        return await eventually(ask)

    async def delivered(self, session_id: str, number: str, epoch: int = 1) -> bool:
        """Whether a hand-over succeeds within seconds: the owner is online a moment after its state says so."""

        async def ask() -> bool:
            return isinstance(await self.deliver(session_id, number, epoch=epoch), Delivered)

        return await eventually(ask)

    async def ask(self, session_id: str, question: AnyAsk) -> Any:
        """Ask the session's owner, as the edge does."""
        subject = session_call_subject(self.network, shard_of(session_id, SHARDS))

        async def ask() -> Any:
            with contextlib.suppress(nats.errors.NoRespondersError):  # the shard is being taken over
                return await self.bus.ask(subject, question, AnyAskAnswer, timeout_s=PATIENCE_S)

        return await eventually(ask)

    async def one_fact(self, kind: type[F], where: Callable[[F], bool] = lambda _: True) -> F:
        """The first fact of this kind, awaited."""

        async def look() -> F | None:
            return next((fact for fact in await self.facts() if isinstance(fact, kind) and where(fact)), None)

        found = await eventually(look)
        assert found is not None
        return found

    async def facts(self) -> list[AnyFact]:
        """Every fact in EVENTS, in order."""
        info = await self._jetstream.stream_info("EVENTS")
        raw = [await self._jetstream.get_msg("EVENTS", seq) for seq in range(1, info.state.last_seq + 1)]
        return [msgspec.json.decode(message.data or b"", type=AnyFact) for message in raw]

    async def told(self, session_id: str) -> list[str]:
        """The session's updates, each fact once, in order."""
        seen: dict[str, str] = {}
        for fact in await self.facts():
            if isinstance(fact, SessionChanged) and fact.session_id == session_id:
                seen.setdefault(fact.id, fact.update)
        return list(seen.values())

    async def until_told(self, session_id: str, *updates: str) -> None:
        """Wait until these are the last updates told of the session: a change is stored first, and told later."""

        async def told() -> bool:
            return (await self.told(session_id))[-len(updates) :] == list(updates)

        try:
            await eventually(told)
        except AssertionError:
            assert (await self.told(session_id))[-len(updates) :] == list(updates)
            raise
