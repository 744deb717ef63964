"""One shard of sender: its open rows and their lanes, and what commands and facts change in them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from libs.contracts.commands import (
    ActOnMessage,
    CancelMessage,
    DiscardQueue,
    GrantCredits,
    ReleaseQueue,
    RetryMessage,
    SendMessage,
)
from libs.contracts.content import type_of
from libs.contracts.events import ReceiptReceived, SessionChanged
from libs.contracts.records import OutboxRow
from libs.runtime import logs
from libs.runtime.feeds import Delivery
from libs.runtime.shards import Lease
from services.sender import numbers, rows
from services.sender.customers import Standing
from services.sender.desk import ShardDesk
from services.sender.keeping import Keeper
from services.sender.lanes import Lane
from services.sender.office import Office
from services.sender.store import Depth, Insertion

LAST_WRITES_S = 0.4
"""For what is to be stored of answers that come at the end of `stop_patience_s`."""
SENT_REMEMBERED = 2_000
"""WhatsApp ids of sent messages that a shard remembers: their receipts need no look into the outbox."""
MANNERS_CHANGE = frozenset({"updated", "restricted"})
"""Updates of a session after which it may send otherwise than before."""


class Shard:
    """The open messages of one shard: made at its claim, stopped at its loss."""

    def __init__(self, office: Office, lease: Lease) -> None:
        self._office, self._lease = office, lease
        self._keeper = Keeper(office, lease, self)
        self._desk = ShardDesk(office, lease, self._keeper)
        self._lanes: dict[str, Lane] = {}
        self._lane_of: dict[str, Lane] = {}
        self._by_wa_id: dict[str, str] = {}
        self._begun: set[str] = set()
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._connections: dict[str, tuple[int, int]] = {}
        self._stopped = False
        self._log = logs.get().bind(shard=lease.shard, epoch=lease.epoch)

    # --- Its life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the open rows over, tell what is untold, and let the lanes work. Raises LeaseLost, PyMongoError."""
        found = await self._office.store.take_over(self._lease)
        sessions = {row.session_id for row in found if row.status in rows.OPEN}
        await self._office.store.zero_depths(self._lease, but=sorted(sessions))
        self._admit(found, unpaid=await self._keeper.book(found))
        self._keeper.start()

    async def stop(self) -> None:
        """Hand over nothing more, note the answers that still come, and end."""
        ends_at = time.monotonic() + self._office.stop_patience_s + LAST_WRITES_S
        await asyncio.gather(*(lane.stop(self._office.stop_patience_s) for lane in self._lanes.values()))
        await self._keeper.stop(ends_at - time.monotonic())
        self._stopped = True

    # --- Commands ----------------------------------------------------------------------------------------------------

    async def accept(self, sends: Sequence[Delivery[SendMessage]]) -> None:
        """Give new messages their rows, and tell that they are queued. Those that have a row already change nothing."""
        customers = {send.message.customer_id for send in sends}
        standings = {customer: await self._office.customers.standing_of(customer) for customer in customers}
        await self._insert(self._new_rows(sends, standings))

    async def act(self, acts: Sequence[Delivery[ActOnMessage]]) -> None:
        """Give actions their rows; they go the way of messages, in one order with them."""
        shard, epoch = self._lease.shard, self._lease.epoch
        fresh = {
            act.message.action_id: rows.action_row(act.message, order=act.seq, shard=shard, epoch=epoch)
            for act in acts
            if act.message.action_id not in self._lane_of
        }
        await self._insert(list(fresh.values()))

    async def _insert(self, fresh: Sequence[OutboxRow]) -> None:
        if not fresh:
            return
        present = await self._office.inserts.submit(Insertion(lease=self._lease, rows=fresh))
        self._office.crash.at("sender.after_write")
        accepted = [row for row in fresh if row.id not in present]
        self._begun.update(row.id for row in accepted if row.status == rows.SENDING)
        if present:
            accepted += await self._office.store.adopt(self._lease, sorted(present))
        accepted = [row for row in accepted if row.id not in self._lane_of]
        metered = {row.customer_id for row in accepted if row.credits}
        told = [self._admit(row for row in accepted if row.customer_id not in metered)]
        if metered:  # nobody else waits for the ledger
            costing = [row for row in accepted if row.customer_id in metered]
            told.append(self._admit(costing, unpaid=await self._keeper.book(costing)))
        await asyncio.gather(*(future for future in told if future is not None))
        self._office.crash.at("sender.after_publish")

    def _new_rows(self, sends: Sequence[Delivery[SendMessage]], standings: Mapping[str, Standing]) -> list[OutboxRow]:
        """The rows of messages that have none here. One that will leave at once is inserted as an attempt."""
        now = self._desk.now()
        fresh: dict[str, OutboxRow] = {}
        ahead: Counter[str] = Counter()
        for send in sends:
            command = send.message
            if command.message_id in self._lane_of or command.message_id in fresh:
                continue
            standing = standings[command.customer_id]
            row = rows.new_row(
                command,
                order=send.seq,
                shard=self._lease.shard,
                epoch=self._lease.epoch,
                now=now,
                credits=standing.price_of(type_of(command.content)),
            )
            is_at_rest = not standing.may_send
            fresh[row.id] = row if is_at_rest else self._as_it_starts(row, ahead[row.session_id], now)
            ahead[row.session_id] += 1
        return list(fresh.values())

    def _as_it_starts(self, row: OutboxRow, ahead: int, now: datetime) -> OutboxRow:
        """The row as it is inserted: as an attempt, or with what it is known to wait for."""
        lane = self._lanes.get(row.session_id)
        if lane is None or row.due_at > now:
            return row
        if (
            ahead == 0
            and row.credits == 0
            and lane.is_free(row.to, now)
            and (row.expires_at is None or row.expires_at > now)
        ):
            return rows.handing_over(lane.bound(row))
        departure = lane.expected_departure(ahead, now)
        return row if departure is None else rows.held(row, rows.FOR_PACE, now, until=departure)

    async def cancel(self, cancels: Sequence[Delivery[CancelMessage]]) -> None:
        """Withdraw messages that certainly never left."""
        for message_id in (cancel.message.message_id for cancel in cancels):
            lane = self._lane_of.get(message_id)
            stored = lane.cancel(message_id) if lane is not None else None
            if stored is not None:
                await stored

    async def retry(self, retries: Sequence[Delivery[RetryMessage]]) -> None:
        """Queue failed or cancelled messages again."""
        for retry in retries:
            await self._retry(retry)

    async def _retry(self, retry: Delivery[RetryMessage]) -> None:
        """The command's place in the stream becomes the row's: so a repeat of the command is known."""
        message_id = retry.message.message_id
        if message_id in self._lane_of:
            await self._keeper.settled()  # its end may be stored, and read by whoever asks, before we hear of it
        if message_id in self._lane_of:
            return
        row = await self._office.store.row(message_id)
        if row is None or row.status not in rows.RETRIED or row.content is None or row.order == retry.seq:
            return
        await self._keeper.book([row])
        standing = await self._office.customers.standing_of(row.customer_id)
        again = rows.queued_again(
            row, order=retry.seq, now=self._desk.now(), credits=standing.price_of(type_of(row.content))
        )
        again = numbers.asked_again(again, await self._office.store.numbers_of(row.session_id))
        if await self._office.store.reopen(self._lease, row, again):
            again = msgspec.structs.replace(again, epoch=self._lease.epoch)
            told = self._admit([again], unpaid=await self._keeper.book([again]))
            if told is not None:
                await told

    async def release(self, releases: Sequence[Delivery[ReleaseQueue]]) -> None:
        """Let what was queued under another number leave from the one that the customer named."""
        for release in (each.message for each in releases):
            if (lane := self._lanes.get(release.session_id)) is not None:
                await asyncio.gather(*await lane.decide(release.number, numbers.released))

    async def discard(self, discards: Sequence[Delivery[DiscardQueue]]) -> None:
        """Cancel what was queued under another number."""
        for discard in (each.message for each in discards):
            if (lane := self._lanes.get(discard.session_id)) is not None:
                await asyncio.gather(*await lane.decide(discard.number, numbers.discarded))

    async def grant(self, grants: Sequence[Delivery[GrantCredits]]) -> None:
        """Book what was granted to customers. Each grant is booked once."""
        await self._keeper.book_grants([each.message for each in grants])

    # --- Facts -------------------------------------------------------------------------------------------------------

    async def receipts(self, receipts: Sequence[Delivery[ReceiptReceived]]) -> None:
        """A receipt proves that its message was sent."""
        stored: list[asyncio.Future[None]] = []
        unknown: dict[str, datetime] = {}
        ending: set[asyncio.Future[None]] = set()
        for receipt in (delivery.message for delivery in receipts):
            for wa_id in receipt.wa_ids:
                message_id = self._by_wa_id.get(wa_id)
                if message_id is not None:
                    change = self._lane_of[message_id].received(message_id, receipt.at)
                    stored.extend([change] if change is not None else [])
                    unsent_end = self._keeper.unsent_end_of(wa_id)
                    if unsent_end is not None:
                        ending.add(unsent_end)
                        unknown[wa_id] = receipt.at
                elif wa_id not in self._sent:
                    unknown[wa_id] = receipt.at
        if ending:
            await asyncio.wait(ending)  # it is in the outbox then, where such an end is raised
        if unknown:
            await self._raise_unsent(unknown)
        if stored:
            await asyncio.gather(*stored)

    async def _raise_unsent(self, received_at: dict[str, datetime]) -> None:
        """A message that had ended unsent was sent after all."""
        found = await self._office.store.unsent_by_wa_id(self._lease.shard, list(received_at))
        await self._keeper.book(found)
        for row in found:
            after = rows.sent(row, received_at[row.wa_id], self._desk.now())
            if await self._office.store.reopen(self._lease, row, after):
                self._log.warning("a receipt raised an unsent message", message=row.id, was=row.status)
                self._remember_sent(row.wa_id)
                await self._keeper.book([after])
                self._keeper.tell([after])

    async def session_changed(self, changes: Sequence[Delivery[SessionChanged]]) -> None:
        """A connected session's lane goes on; a deleted session's messages are cancelled."""
        for change in changes:
            await self._session_changed(change.message)

    async def _session_changed(self, fact: SessionChanged) -> None:
        newest = self._connections.get(fact.session_id, (0, 0))
        if (fact.epoch, fact.connection) < newest:
            return
        self._connections[fact.session_id] = (fact.epoch, fact.connection)
        lane = self._lanes.get(fact.session_id)
        if lane is None:
            return
        if fact.update == "deleted":
            del self._connections[fact.session_id]
            await asyncio.gather(*lane.cancel_all())
        elif fact.update == "connected":
            lane.connected(fact.epoch)
        elif fact.update in MANNERS_CHANGE:
            lane.session_changed()

    # --- Rows and facts ----------------------------------------------------------------------------------------------

    def depth_of(self, session_id: str) -> Depth | None:
        """How much of a session is still to leave; None when this shard is no longer ours."""
        lane = self._lanes.get(session_id)
        if self._stopped or lane is None:
            return None
        oldest = lane.waiting.oldest
        return Depth(
            lease=self._lease,
            session_id=session_id,
            customer_id=lane.customer_id,
            open=len(lane.waiting),
            oldest_queued_at=None if oldest is None else oldest.accepted_at,
            waits=lane.waits,
            undecided=lane.waiting.undecided,
        )

    def _admit(
        self, found: Iterable[OutboxRow], *, unpaid: frozenset[str] = frozenset()
    ) -> asyncio.Future[None] | None:
        """Tell what is untold, then put the open rows into their lanes; the future is done when all is told.

        Those that are `unpaid` fail.
        """
        admitted = list(found)
        told = self._keeper.tell(admitted)
        for row in admitted:
            if row.id in unpaid:
                self._keeper.keep(row, rows.unpaid(row, self._desk.now()))
            elif row.status in rows.OPEN:
                self._put(row)
        return told

    def _put(self, row: OutboxRow) -> None:
        lane = self._lanes.get(row.session_id)
        if lane is None:
            lane = self._lanes[row.session_id] = Lane(row.session_id, row.customer_id, self._desk)
        self._lane_of[row.id] = lane
        self._by_wa_id[row.wa_id] = row.id
        self._office.depths.changed(self, row.session_id)
        row = rows.light(row)
        if row.id in self._begun:
            self._begun.discard(row.id)
            lane.put(row, begun=True)
            return
        found = rows.as_found(row, self._desk.now())
        if found is not row:
            self._keeper.keep(row, found)
        lane.put(found)

    # --- As the Holder of its rows -----------------------------------------------------------------------------------

    def are_told(self, message_id: str, fact_ids: set[str]) -> None:
        """Facts of a row are published: if the row still waits, it no longer holds them."""
        lane = self._lane_of.get(message_id)
        row = lane.waiting.get(message_id) if lane is not None else None
        if lane is not None and row is not None:
            lane.waiting.keep(rows.told(row, fact_ids))

    def has_ended(self, row: OutboxRow) -> None:
        """A row's end is stored: it is in no lane any more."""
        self._lane_of.pop(row.id, None)
        self._by_wa_id.pop(row.wa_id, None)
        self._office.depths.changed(self, row.session_id)
        if row.status == rows.SENT:
            self._remember_sent(row.wa_id)

    def waits_otherwise(self, row: OutboxRow) -> None:
        """A row waits for something else, or for longer: health tells it."""
        self._office.depths.changed(self, row.session_id)

    def _remember_sent(self, wa_id: str) -> None:
        self._sent[wa_id] = None
        if len(self._sent) > SENT_REMEMBERED:
            self._sent.popitem(last=False)
