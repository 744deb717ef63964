"""Answers what the edge asks of a session's owner: numbers, groups, media, presence, and the steps of a link."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from libs.contracts import calls
from libs.contracts.events import SessionStatus
from libs.runtime import logs
from libs.runtime.bus import encode
from libs.runtime.feeds import is_infrastructure
from services.sessions.answers import answer_of, failed, fitting
from services.sessions.engines import base as engine
from services.sessions.lookups import LookUps
from services.sessions.numbers import KnownNumbers
from services.sessions.runner import PairCode, Runner
from services.sessions.sockets import Ports

BACK_WITHIN_S = 4.0
ASK_WITHIN_S = 20.0
FETCH_WITHIN_S = 110.0
"""A video of the largest size, over a slow line; the edge waits 2 minutes at most."""
PAIR_CODE_WITHIN_S = 20.0
"""All of these are below what the edge waits (`ask_s`, `download_s` of its settings), so that it hears why."""
NEWCOMER_WITHIN_S, LOOK_EVERY_S = 6.0, 0.05
"""A session that was made a moment ago has its runner by then, even if the poke got lost."""
MOST_PHONES = 100
MOST_ANSWER_BYTES = 900_000
"""A NATS message holds 1 MB."""
PASSKEY_BYTES = 64_000
KEPT_UNASKED = timedelta(days=1)
"""A fetched file goes after this long when the edge that wanted it died before it said how long to keep it."""

OnlineAsk = (
    calls.CheckNumbers
    | calls.ListGroups
    | calls.CreateGroup
    | calls.ChangeParticipants
    | calls.FetchMedia
    | calls.ShowPresence
)
"""What needs a logged-in session."""
LinkAsk = calls.RequestPairCode | calls.AnswerPasskey | calls.ConfirmPasskey
"""What needs one that is being linked."""

LIMITED = "WhatsApp limits how many numbers may be looked up now."
MOVES = failed("INTERRUPTED", "The session moved to another replica before WhatsApp answered.")

_decode = msgspec.json.Decoder(calls.AnyAsk).decode


class Asks:
    """The edge's questions to the sessions of one shard."""

    def __init__(self, ports: Ports, runner_of: Callable[[str], Runner | None], look_ups: LookUps) -> None:
        self._ports, self._runner_of, self._look_ups = ports, runner_of, look_ups
        self._numbers = KnownNumbers()

    async def on_request(self, request: bytes) -> bytes:
        """The handler of the subject: always answers."""
        try:
            ask = _decode(request)
        except msgspec.MsgspecError:
            return encode(failed("NOT_POSSIBLE", "This question is not understood here."))
        return encode(fitting(await self.answer(ask), MOST_ANSWER_BYTES))

    async def answer(self, ask: calls.AnyAsk) -> calls.AnyAskAnswer:
        """Carry it out, or say why not; never raises."""
        try:
            return await self._answer(ask)
        except Exception as error:
            if is_infrastructure(error):
                return failed("TEMPORARY", "The service is not complete at the moment; try again.")
            logs.get().exception("a question of the edge failed", session=ask.session_id)
            return failed("TEMPORARY", "Something went wrong; try again.")

    async def _answer(self, ask: calls.AnyAsk) -> calls.AnyAskAnswer:
        runner = self._runner_of(ask.session_id)
        if runner is None and isinstance(ask, calls.RequestPairCode):
            runner = await self._newcomer(ask.session_id)
        if runner is None:
            return failed("NOT_CONNECTED", "The session is not running.")
        if not self._ports.lease.usable:
            return failed("TEMPORARY", "The session's owner cannot confirm that it owns it; try again.")
        match ask:
            case calls.RequestPairCode() | calls.AnswerPasskey() | calls.ConfirmPasskey():
                return await self._link(ask, runner)
            case _:
                return await self._online(ask, runner)

    async def _newcomer(self, session_id: str) -> Runner | None:
        """The runner of a session that is just being made, so that it can be linked at once."""
        for _ in range(round(NEWCOMER_WITHIN_S / LOOK_EVERY_S)):
            if runner := self._runner_of(session_id):
                return runner
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    # --- While it is logged in ----------------------------------------------------------------------------------------

    async def _online(self, ask: OnlineAsk, runner: Runner) -> calls.AnyAskAnswer:
        """Waits for a session that has lost its connection, or its owner, a moment ago.

        What lost it on its way is asked again, except a change: it may have been made.
        """
        again = {"NOT_CONNECTED"} if isinstance(ask, calls.Change) else {"NOT_CONNECTED", "INTERRUPTED"}
        deadline = time.monotonic() + BACK_WITHIN_S
        while True:
            answer = await self._online_now(ask, runner)
            is_away = isinstance(answer, calls.AskFailed) and answer.code in again
            if not is_away or not runner.wants_online or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(LOOK_EVERY_S)

    async def _online_now(self, ask: OnlineAsk, runner: Runner) -> calls.AnyAskAnswer:
        if not runner.online:
            await runner.until_stored()
        if not runner.online:
            return failed("NOT_CONNECTED", "The session is not connected.")
        if isinstance(ask, calls.CheckNumbers):
            return await self._check(ask)
        within_s = FETCH_WITHIN_S if isinstance(ask, calls.FetchMedia) else ASK_WITHIN_S
        return await self._ask(_request_of(ask, self._ports.now()), within_s)

    async def _check(self, ask: calls.CheckNumbers) -> calls.AnyAskAnswer:
        if len(ask.phones) > MOST_PHONES:
            return failed("NOT_POSSIBLE", f"At most {MOST_PHONES} numbers can be checked at once.")
        known = self._numbers.known(ask.phones, time.monotonic())
        unknown = [phone for phone in dict.fromkeys(ask.phones) if phone not in known]
        if unknown:
            reply = await self._look_up(ask.session_id, unknown)
            if not isinstance(reply, calls.NumbersChecked):
                return reply
            self._numbers.learn(reply.jids, time.monotonic())
            known |= reply.jids
        return calls.NumbersChecked(jids={phone: known.get(phone) for phone in ask.phones})

    async def _look_up(self, session_id: str, phones: list[str]) -> calls.AnyAskAnswer:
        """Asks WhatsApp, unless it has limited the session's look-ups."""
        paused_s = self._look_ups.paused_for(session_id, time.monotonic())
        if paused_s > 0:
            return failed("LIMITED", LIMITED, retry_in_s=paused_s)
        reply = await self._ask(engine.Check(session=session_id, phones=phones), ASK_WITHIN_S)
        if isinstance(reply, calls.NumbersChecked):
            self._look_ups.answered(session_id)
        elif isinstance(reply, calls.AskFailed) and reply.code == "LIMITED":
            return failed("LIMITED", LIMITED, retry_in_s=self._look_ups.limited(session_id, time.monotonic()))
        return reply

    async def _ask(self, request: engine.Request, within_s: float) -> calls.AnyAskAnswer:
        try:
            return answer_of(await self._ports.engine.call(request, timeout_s=within_s), to=request)
        except TimeoutError:
            return failed("TIMEOUT", "WhatsApp did not answer in time.")
        except engine.EngineDown:
            return answer_of(None)

    # --- While it is linked -------------------------------------------------------------------------------------------

    async def _link(self, ask: LinkAsk, runner: Runner) -> calls.AnyAskAnswer:
        if isinstance(ask, calls.RequestPairCode):
            return await self._pair_code(ask, runner)
        if runner.state.status is not SessionStatus.PASSKEY_REQUIRED:
            return failed("NOT_POSSIBLE", "WhatsApp does not ask for a passkey now.")
        if isinstance(ask, calls.ConfirmPasskey):
            return await self._ask(engine.PasskeyConfirm(session=ask.session_id), ASK_WITHIN_S)
        if not _is_assertion(ask.response):
            return failed("NOT_POSSIBLE", "A passkey's answer is a WebAuthn assertion as JSON.")
        return await self._ask(engine.PasskeyResponse(session=ask.session_id, response=ask.response), ASK_WITHIN_S)

    async def _pair_code(self, ask: calls.RequestPairCode, runner: Runner) -> calls.AnyAskAnswer:
        answer: asyncio.Future[calls.AnyAskAnswer] = asyncio.get_running_loop().create_future()
        runner.submit(PairCode(ask.phone, answer))
        try:
            return await asyncio.wait_for(answer, PAIR_CODE_WITHIN_S)
        except TimeoutError:
            return failed("TIMEOUT", "WhatsApp gave no pairing code in time; try again.")


def _is_assertion(text: str) -> bool:
    if len(text) > PASSKEY_BYTES:
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _request_of(
    ask: calls.ListGroups | calls.CreateGroup | calls.ChangeParticipants | calls.FetchMedia | calls.ShowPresence,
    now: datetime,
) -> engine.Request:
    match ask:
        case calls.ListGroups():
            return engine.ListGroups(session=ask.session_id)
        case calls.CreateGroup():
            return engine.CreateGroup(session=ask.session_id, subject=ask.subject, participants=ask.participants)
        case calls.ChangeParticipants():
            return engine.ChangeParticipants(
                session=ask.session_id, group=ask.group, action=ask.action, participants=ask.participants
            )
        case calls.ShowPresence():
            return engine.Presence(session=ask.session_id, chat=ask.chat, state=ask.presence)
        case calls.FetchMedia():
            return engine.Download(
                session=ask.session_id,
                ref=ask.ref,
                media_id=ask.media_id,
                file_name=None,
                metadata={
                    "customerId": ask.customer_id,
                    "mimetype": ask.mimetype,
                    "keepUntil": (now + KEPT_UNASKED).isoformat(),
                },
                most_bytes=ask.most_bytes,
            )
        case _:
            assert_never(ask)
