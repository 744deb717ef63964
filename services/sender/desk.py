"""What a lane asks of the world, for one shard: the owner of a session, the clock, and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import nats.errors
from pymongo.errors import PyMongoError

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.content import Action, Content
from libs.contracts.ids import deliver_subject
from libs.contracts.records import LinkedNumber, OutboxRow
from libs.runtime import logs
from libs.runtime.bus import BusDown
from libs.runtime.shards import Lease, LeaseLost
from services.sender.gate import Manners
from services.sender.keeping import Keeper
from services.sender.office import Office, ShardTerms
from services.sender.retries import Silence
from services.sender.store import Observed

BUS_PAUSE_S = 0.1


class ShardDesk:
    """The `Desk` of the lanes of one shard."""

    def __init__(self, office: Office, lease: Lease, keeper: Keeper) -> None:
        self._office, self._lease, self._keeper = office, lease, keeper
        self._epochs: dict[str, int] = {}
        self._log = logs.get().bind(shard=lease.shard, epoch=lease.epoch)

    @property
    def lease(self) -> Lease:
        """The lease of this shard."""
        return self._lease

    @property
    def terms(self) -> ShardTerms:
        """The limits lanes work under."""
        return self._office.terms

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    async def until_able(self) -> None:
        """Wait until the lease is confirmed and NATS is there. Raises LeaseLost."""
        while not (self._lease.usable and self._office.bus.connected):
            if self._lease.lost:
                raise LeaseLost(self._lease.shard, self._lease.epoch)
            await asyncio.sleep(BUS_PAUSE_S)

    def keep(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        """Store a row's change, then tell the facts that follow from it."""
        return self._keeper.keep(before, after)

    async def may_send(self, customer_id: str) -> bool:
        """Whether the customer's subscription lets messages leave, as it is believed."""
        return (await self._office.customers.standing_of(customer_id)).may_send

    async def content_of(self, row: OutboxRow) -> Content | Action | None:
        """The content of a row that did not fit in memory."""
        return await self._office.store.content_of(row.id)

    async def status_of(self, message_id: str) -> str | None:
        """The status of a message's row; None when there is none (any more)."""
        row = await self._office.store.row(message_id)
        return None if row is None else row.status

    async def numbers_of(self, session_id: str) -> Sequence[LinkedNumber]:
        """The numbers that the session was linked to, oldest first."""
        return await self._office.store.numbers_of(session_id)

    async def manners_of(self, session_id: str, network: str) -> Manners:
        """How the session may send: its own settings, else the network's."""
        return self._office.terms.manners_of(await self._office.store.ways_of(session_id), network, self.now())

    async def first_contacts(self, session_id: str, since: datetime) -> list[datetime]:
        """When this session reached somebody new, oldest first."""
        return await self._office.store.first_contacts(session_id, since)

    async def knows(self, session_id: str, to: str) -> bool:
        """Whether the session has reached this contact before, or the contact has written to it."""
        return await self._office.store.knows(session_id, to)

    async def note_first_contact(self, session_id: str, to: str, at: datetime) -> None:
        """Remember it, whatever becomes of the message."""
        await self._office.store.note_first_contact(session_id, to, at)

    async def deliver(self, row: OutboxRow, content: Content | Action) -> DeliverAnswer | Silence:
        """Ask the owner of the session to hand the message to WhatsApp."""
        await self._lease.until_usable()
        request = Deliver(
            session_id=row.session_id,
            message_id=row.id,
            wa_id=row.wa_id,
            to=row.to,
            content=content,
            context=row.context,
            epoch=self._lease.epoch,
            number=row.number,
            deadline=self.now() + timedelta(seconds=self._office.deliver_deadline_s),
        )
        subject = deliver_subject(row.engine, self._lease.shard)
        try:
            answer: DeliverAnswer = await self._office.bus.ask(
                subject,
                request,
                DeliverAnswer,
                timeout_s=self._office.answer_timeout_s,
            )
        except (BusDown, nats.errors.NoRespondersError):
            return Silence.NOBODY
        except TimeoutError:
            return Silence.TIMED_OUT
        except msgspec.MsgspecError as error:
            self._log.error("an answer was not understood", error=repr(error)[:200])
            return Silence.TIMED_OUT
        self._epochs[row.engine] = max(self.newest_epoch(row.engine), answer.epoch)
        return answer

    def newest_epoch(self, network: str) -> int:
        """The highest epoch that an owner of this shard's sessions has shown."""
        return self._epochs.get(network, 0)

    async def observed(self, session_id: str) -> Observed:
        """What is stored about a session; nothing while MongoDB is away."""
        try:
            return await self._office.store.observed(session_id)
        except PyMongoError:
            return Observed(connected=False, deleted=False)

    def crash_at(self, point: str) -> None:
        """A crash point for tests."""
        self._office.crash.at(point)
