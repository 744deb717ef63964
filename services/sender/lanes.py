"""A lane: hands the messages of one session over, one after another, and draws the conclusions from the answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.contracts.calls import DeliverAnswer
from libs.contracts.content import Action, Content
from libs.contracts.errors import SendError
from libs.contracts.numbers import present_number
from libs.contracts.records import LinkedNumber, OutboxRow
from libs.runtime import logs
from libs.runtime.shards import LeaseLost
from libs.runtime.tasks import end
from services.sender import numbers, retries, rows
from services.sender.chats import SHOWN, Chats
from services.sender.gate import Gate, Wait
from services.sender.lane_context import Desk
from services.sender.numbers import Decision
from services.sender.order import Waiting
from services.sender.retries import Silence
from services.sender.store import Waits

FAULT_PAUSE_S = 1.0
LONGEST_SLEEP_S = 3600.0
AT_REST = (rows.FOR_SUBSCRIPTION, None)
"""What a lane waits for while its customer's subscription is over."""
LOOK_FOR_SUBSCRIPTION_S = 2.0


class Lane:
    """The open messages of one session. It works while it holds any; all its methods are called from one event loop."""

    def __init__(self, session_id: str, customer_id: str, desk: Desk) -> None:
        self._session_id, self.customer_id, self._desk = session_id, customer_id, desk
        self.waiting = Waiting(unknown_limit_s=desk.terms.unknown_limit_s)
        self._chats = Chats(self.waiting, self._change)
        self._vain: Counter[str] = Counter()
        self._impatience: Counter[str] = Counter()
        self._paused_until: datetime | None = None
        self._gate = Gate(session_id, desk)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[DeliverAnswer | Silence] | None = None
        self._in_hand: str | None = None
        self._begun: str | None = None
        self._unwanted: set[str] = set()
        self._asked_epoch = 0
        self._connections = 0
        self._connections_asked = 0
        self._numbers: Sequence[LinkedNumber] | None = None
        self._held_for: tuple[str, datetime | None] | None = None
        self._took_s = 0.0
        self._stopping = False
        self._log = logs.get().bind(session=session_id)

    # --- What happens to it ------------------------------------------------------------------------------------------

    def is_free(self, to: str, now: datetime) -> bool:
        """Whether a message to this recipient that came now would be handed over at once."""
        return (
            not self._stopping
            and not self.waiting.holds(to)
            and self._numbers is not None
            and len(self.waiting) == self.waiting.undecided
            and self._held_for is None
            and self._gate.is_open
            and (self._paused_until is None or self._paused_until <= now)
        )

    def expected_departure(self, ahead: int, now: datetime) -> datetime | None:
        """When a message that came now, with `ahead` others of its batch, will leave; None: soon, or nobody knows."""
        waiting = len(self.waiting) - self.waiting.undecided
        waiting -= self._in_hand is not None  # that one is counted by the gate
        return self._gate.expected(waiting + ahead, now)

    @property
    def waits(self) -> list[Waits]:
        """What its messages say that they wait for."""
        return [
            Waits(reason=reason, messages=count, resume_at=self.waiting.first_end(reason))
            for reason, count in self.waiting.waits.items()
        ]

    def bound(self, row: OutboxRow) -> OutboxRow:
        """The row with the number from which it leaves, as far as that is known."""
        return numbers.bound(row, self._numbers or ())

    def put(self, row: OutboxRow, *, begun: bool = False) -> None:
        """Take a row in; it leaves when its turn comes. `begun`: its first attempt is stored with it."""
        if begun:
            self._begun = row.id
        self.waiting.put(row)
        if rows.is_held_with_its_lane(row) and row.resume_at is not None:
            self._paused_until = max(self._paused_until or row.resume_at, row.resume_at)
            self._held_for = (rows.FOR_RESTRICTION, self._paused_until)
        elif self._held_for is not None and len(self.waiting) <= SHOWN:
            self._show_wait()
        elif self.waiting.of_chat(row.to) <= SHOWN:
            self._chats.show(row.to, self._desk.now())
        if not begun:
            self._settle(self.waiting.get(row.id) or row)
        self._work()

    def cancel(self, message_id: str) -> asyncio.Future[None] | None:
        """Withdraw a message that certainly never left; None when there is nothing to withdraw.

        One whose first attempt is under way is withdrawn as soon as that turns out not to have left.
        """
        row = self.waiting.get(message_id)
        if row is None or not rows.may_be_cancelled(row):
            if message_id == self._in_hand:
                self._unwanted.add(message_id)
            return None
        return self._end(row, rows.cancelled(row, self._desk.now()))

    def cancel_all(self) -> list[asyncio.Future[None]]:
        """The session was deleted: withdraw everything that certainly never left."""
        now = self._desk.now()
        doomed = [row for row in self.waiting if rows.may_be_cancelled(row)]
        return [self._end(row, rows.cancelled(row, now, code=SendError.SESSION_DELETED)) for row in doomed]

    async def decide(self, number: str, decision: Decision) -> list[asyncio.Future[None]]:
        """Do this with what was queued under a former number, if `number` is the one that is linked now."""
        if present_number(await self._learned_numbers()) != number:
            return []
        now = self._desk.now()
        undecided = [row for row in self.waiting if row.waiting_for == rows.FOR_FORMER_NUMBER]
        return [self._moved(row, decision(row, number, now)) for row in undecided]

    def received(self, message_id: str, at: datetime) -> asyncio.Future[None] | None:
        """A receipt has come for this message: it was sent, whatever else is known."""
        row = self.waiting.get(message_id)
        if row is None:
            return None
        stored = self._end(row, rows.sent(row, at, self._desk.now()))
        self._chats.served(row.to, self._desk.now())
        if self._in_hand == message_id and self._asking is not None:
            self._asking.cancel()
        return stored

    def connected(self, epoch: int) -> None:
        """The session has a connection: pauses end, and nobody waits for the answer of a former owner."""
        self._connections += 1
        self._numbers = None
        self._vain.clear()
        self._impatience.clear()
        self._paused_until = None
        self._gate.forget_manners()
        self._gate.forget_held_contacts()
        self._chats.free_all(self._desk.now())
        if self._held_for != AT_REST:
            self._show_no_wait()
        self._release()
        if self._asking is not None and epoch > self._asked_epoch:
            self._asking.cancel()
        self._work()

    def session_changed(self) -> None:
        """Something else about the session has changed: what is known of it is read again."""
        self._gate.forget_manners()
        self._work()

    async def stop(self, patience_s: float) -> None:
        """Hand nothing over any more; wait this long for the answer that is on its way."""
        self._stopping = True
        self._changed.set()
        task = self._task
        if task is None or task.done():
            return
        await asyncio.wait((task,), timeout=patience_s)
        await end(task)

    # --- Its work ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        self._changed.set()
        if not self._stopping and (self._task is None or self._task.done()) and self.waiting:
            self._task = asyncio.create_task(self._run(), name=f"lane {self._session_id}")

    async def _run(self) -> None:
        while self.waiting and not self._stopping:
            try:
                await self._step()
            except LeaseLost:
                return
            except Exception:
                self._log.exception("a lane's step failed")
                self._hold_what_failed()
                await asyncio.sleep(FAULT_PAUSE_S)
            finally:
                self._put_back()

    def _hold_what_failed(self) -> None:
        """The fault may be this message's: the other chats go on before it is tried again."""
        row = self.waiting.get(self._in_hand) if self._in_hand is not None else None
        if row is not None:
            self._vain[row.id] += 1
            pause_s = FAULT_PAUSE_S + retries.pause_after(self._vain[row.id], self._desk.terms.retries)
            self.waiting.hold(row.to, self._desk.now() + timedelta(seconds=pause_s))

    async def _step(self) -> None:
        """End what is overdue, then hand one message over, or sleep until something can change."""
        self._changed.clear()
        now = self._desk.now()
        for row in self.waiting.overdue(now):
            self._end(row, rows.at_deadline(row, now))
        if self._numbers is None:
            await self._learned_numbers()
        if self._paused_until is not None and self._paused_until > now:
            await self._sleep_until(self._paused_until, now)
            return
        row = self.waiting.take(now)
        if row is None:
            await self._sleep_until(self.waiting.next_due(), now)
            return
        self._in_hand = row.id
        if row.id != self._begun and not await self._desk.may_send(self.customer_id):
            self._rest(now)
            return
        if self._held_for == AT_REST:
            self._show_no_wait()
        wait = await self._gate.wait_of(row, now)
        if wait is None:
            await self._hand_over(row)
        elif wait.alone:
            self._wait_alone(row, wait, now)
        else:
            self._paused_until = wait.until

    def _rest(self, now: datetime) -> None:
        """Wait for a subscription; whether there is one is looked at now and then."""
        self._paused_until = now + timedelta(seconds=LOOK_FOR_SUBSCRIPTION_S)
        if self._held_for != AT_REST:
            self._held_for = AT_REST
            self._show_wait()

    def _wait_alone(self, taken: OutboxRow, wait: Wait, now: datetime) -> None:
        row = self.waiting.get(taken.id)
        if row is None:
            return  # cancelled, or a receipt has come, while the gate looked
        waiting = rows.held(row, wait.reason, now, until=wait.until)
        self._change(row, rows.not_before(waiting, wait.until))

    def _put_back(self) -> None:
        """Whatever happened to the message in hand: while it is open, it stays in the lane."""
        if self._in_hand is not None and (row := self.waiting.get(self._in_hand)) is not None:
            self.waiting.put(row)
        self._in_hand = None

    async def _sleep_until(self, when: datetime | None, now: datetime) -> None:
        if not self.waiting:
            return
        moments = [moment for moment in (when, self.waiting.next_deadline()) if moment is not None]
        sleep_s = min(((moment - now).total_seconds() for moment in moments), default=LONGEST_SLEEP_S)
        with contextlib.suppress(TimeoutError):  # not wait_for: Python 3.11's forgets a cancellation in a race
            async with asyncio.timeout(min(max(sleep_s, 0.001), LONGEST_SLEEP_S)):
                await self._changed.wait()

    async def _hand_over(self, taken: OutboxRow) -> None:
        await self._desk.until_able()
        before = self.waiting.get(taken.id)
        if before is None or self._stopping:
            return  # cancelled, or a receipt has come, meanwhile
        if self._numbers is None:
            return  # another number may have been linked meanwhile: the next step learns it
        if before.about is not None and await self._is_too_early_or_late(before, before.about):
            return
        if before.id == self._begun:
            self._begun, attempt, before = None, before, rows.not_begun(before)
        else:
            attempt = rows.handing_over(self.bound(before))
            self.waiting.keep(attempt)
            await self._desk.keep(before, attempt)
        content = attempt.content or await self._desk.content_of(attempt)
        self._desk.crash_at("sender.before_hand_over")
        if self.waiting.get(before.id) is None:
            return
        answer = await self._answer(attempt, content) if content is not None else None
        self._desk.crash_at("sender.between_outbox_and_reply")
        now_row = self.waiting.get(before.id)
        if now_row is None:
            return  # a receipt was faster
        if answer is None:
            self._end(now_row, rows.failed(now_row, SendError.CONTENT_REFUSED, "the content is gone", self._desk.now()))
            return
        await self._conclude(before, now_row, answer)

    async def _is_too_early_or_late(self, action: OutboxRow, message_id: str) -> bool:
        """Whether the message that an action concerns has not left yet, so that it waits, or never will."""
        if not rows.concerns_own_message(action) or action.handed_over:
            return False
        now = self._desk.now()
        if self.waiting.get(message_id) is not None:
            again_at = now + timedelta(seconds=self._desk.terms.retries.first_s)
            self._change(action, rows.behind_others(action, last_order=self.waiting.last_order, due_at=again_at))
            return True
        if await self._desk.status_of(message_id) in rows.RAISED_BY_RECEIPT and self.waiting.get(action.id) is not None:
            code = SendError.NEVER_SENT
            self._end(action, rows.failed(action, code, rows.REASONS[code], now))
            return True
        return False

    async def _answer(self, attempt: OutboxRow, content: Content | Action) -> DeliverAnswer | Silence:
        self._asked_epoch = self._desk.newest_epoch(attempt.engine)
        self._connections_asked = self._connections
        self._asking = asyncio.create_task(self._desk.deliver(attempt, content))
        asked_at = self._desk.now()
        try:
            return await self._asking
        except asyncio.CancelledError:
            lane = asyncio.current_task()
            if lane is None or lane.cancelling():
                raise
            return Silence.TIMED_OUT  # the wait was ended, not the lane
        finally:
            self._asking = None
            self._took_s = (self._desk.now() - asked_at).total_seconds()

    # --- Its conclusions ---------------------------------------------------------------------------------------------

    async def _conclude(self, before: OutboxRow, attempt: OutboxRow, answer: DeliverAnswer | Silence) -> None:
        now = self._desk.now()
        if numbers.is_refused(answer):
            self._numbers = None
        verdict = retries.judge(
            answer,
            vain=self._vain[attempt.id] + 1,
            newest_epoch=self._desk.newest_epoch(attempt.engine),
            retries=self._desk.terms.retries,
        )
        if attempt.id in self._unwanted and isinstance(verdict, retries.CERTAINLY_HERE) and not before.handed_over:
            self._end(attempt, rows.cancelled(rows.taken_back(attempt, before), now))
            return
        match verdict:
            case retries.Sent():
                self._end(attempt, rows.sent(numbers.as_answered(attempt, answer), verdict.at, now, to=verdict.to))
                self._show_no_wait()
                self._chats.served(attempt.to, now)
            case retries.Refused() if before.handed_over:
                until = now + timedelta(seconds=self._desk.terms.refusal_held_s)
                self._change(attempt, rows.awaiting_receipt(attempt, verdict.code, verdict.detail, until, now))
            case retries.Refused():
                back = rows.taken_back(attempt, before)  # so a retry of it is a first hand-over again
                self._end(attempt, rows.failed(back, verdict.code, verdict.detail, now))
                self._chats.free(attempt.to, now)
            case retries.Stuck():
                self._vain[attempt.id] += 1
                self._chats.stick(attempt, rows.taken_back(attempt, before), verdict, now)
            case retries.Unknown():
                again_in_s = max(verdict.again_in_s, self._took_s) if len(self.waiting) > 1 else verdict.again_in_s
                after = rows.tried_again_at(rows.outcome_unknown(attempt, now), now + timedelta(seconds=again_in_s))
                self._again(attempt, after, again_in_s, now, counts=True)
            case retries.NotLeft():
                back, until = rows.taken_back(attempt, before), now + timedelta(seconds=verdict.again_in_s)
                back = rows.held(back, rows.FOR_RETRY, now, until=until) if verdict.counts else back
                self._again(attempt, back, verdict.again_in_s, now, counts=verdict.counts)
            case retries.Restricted():
                back, until = rows.taken_back(attempt, before), now + timedelta(seconds=verdict.for_s)
                if verdict.contact_alone:
                    self._contact_restricted(attempt, back, until, now)
                else:
                    self._restricted(attempt, back, until, now)
            case retries.NotConnected():
                self._change(attempt, rows.taken_back(attempt, before))
                await self._park(now)
            case _:
                assert_never(verdict)

    def _again(self, attempt: OutboxRow, after: OutboxRow, again_in_s: float, now: datetime, *, counts: bool) -> None:
        """Try it again after a pause, in which the other chats go on; several in trouble may mean the session's.

        Once it has had its share it lets the later messages of its own chat pass as well.
        """
        self._vain[attempt.id] += 1
        self._impatience[attempt.id] += counts
        again_at = now + timedelta(seconds=0 if self._connections > self._connections_asked else again_in_s)
        if retries.steps_behind(self._impatience[attempt.id], self._desk.terms.retries) and len(self.waiting) > 1:
            after = rows.behind_others(after, last_order=self.waiting.last_order, due_at=again_at)
        elif counts and (others := self._chats.in_trouble(attempt.to, again_at)):
            self._paused_until = now + timedelta(seconds=retries.pause_after(others, self._desk.terms.retries))
        elif not counts:
            self._paused_until = again_at
        self._change(attempt, after)

    def _contact_restricted(self, attempt: OutboxRow, back: OutboxRow, until: datetime, now: datetime) -> None:
        """What goes to this contact waits, in its order; the others go on."""
        self._gate.hold_contact(attempt.to, until)
        self._change(attempt, rows.not_before(rows.held(back, rows.FOR_RESTRICTION, now, until=until), until))

    def _restricted(self, attempt: OutboxRow, back: OutboxRow, until: datetime, now: datetime) -> None:
        """The lane waits; but if this contact alone is held back, the others shall not wait for ever."""
        self._impatience[attempt.id] += 1
        if retries.steps_behind(self._impatience[attempt.id], self._desk.terms.retries) and len(self.waiting) > 1:
            back = rows.held(back, rows.FOR_RESTRICTION, now, until=until)
            self._change(attempt, rows.behind_others(back, last_order=self.waiting.last_order, due_at=until))
            return
        self._change(attempt, back)
        self._paused_until = until
        self._held_for = (rows.FOR_RESTRICTION, until)
        self._show_wait()

    async def _park(self, now: datetime) -> None:
        """Wait for the session; it may have connected, or been deleted, before we began to wait."""
        self._chats.free_all(now)
        self._paused_until = now + timedelta(seconds=self._desk.terms.probe_every_s)
        self._held_for = (rows.FOR_SESSION, None)
        self._show_wait()
        if self._connections > self._connections_asked:
            self._paused_until = None
            self._show_no_wait()
            return
        seen = await self._desk.observed(self._session_id)
        if seen.deleted:
            self.cancel_all()
        elif seen.connected and self._connections == self._connections_asked:
            self._paused_until = now + timedelta(seconds=self._desk.terms.retries.first_s)

    def _show_wait(self) -> None:
        if self._held_for is None:
            return
        reason, until = self._held_for
        now = self._desk.now()
        for row in self.waiting.first(SHOWN):
            self._change_if_new(row, rows.held(row, reason, now, until=until))

    def _release(self) -> None:
        """What waited for the end of a restriction, or to be let to somebody new, is tried again."""
        now = self._desk.now()
        for row in self.waiting:
            if row.waiting_for in rows.WAITS_ALONE and rows.may_be_cancelled(row) and row.due_at > now:
                after = rows.not_before(rows.held(row, None, now), now)
                self._change(row, after)
                if row.id != self._in_hand:
                    self.waiting.put(after)

    def _show_no_wait(self) -> None:
        if self._held_for is None:
            return
        self._held_for = None
        now = self._desk.now()
        for row in self.waiting:
            if row.waiting_for in rows.WAITS_OF_THE_LANE and rows.may_be_cancelled(row):
                self._change_if_new(row, rows.held(row, None, now))

    async def _learned_numbers(self) -> Sequence[LinkedNumber]:
        """Which numbers were linked, read anew; every row then stands as that wants it."""
        while True:
            connections = self._connections
            found = await self._desk.numbers_of(self._session_id)
            if connections == self._connections:
                self._numbers = found
                for row in self.waiting:
                    self._settle(row)
                return found

    def _settle(self, row: OutboxRow) -> None:
        if self._numbers is None or row.id == self._in_hand:
            return
        is_begun = row.id == self._begun  # stored with its first attempt, which has not been made
        known = rows.not_begun(row) if is_begun else row
        after = numbers.settled(known, self._numbers, self._desk.now())
        if after is not known:
            self._begun = None if is_begun else self._begun
            self._moved(row, after)

    def _moved(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        """The row has ended, or its turn comes at another time."""
        if after.status not in rows.OPEN:
            return self._end(before, after)
        self.waiting.put(after)
        self._work()
        return self._desk.keep(before, after)

    def _change_if_new(self, before: OutboxRow, after: OutboxRow) -> None:
        if after is not before:
            self._change(before, after)

    def _change(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        self.waiting.keep(after)
        return self._desk.keep(before, after)

    def _end(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        self.waiting.remove(before.id)
        if not self.waiting.of_chat(before.to):
            self._chats.free(before.to, self._desk.now())
        self._vain.pop(before.id, None)
        self._impatience.pop(before.id, None)
        self._unwanted.discard(before.id)
        self._changed.set()
        return self._desk.keep(before, after)
