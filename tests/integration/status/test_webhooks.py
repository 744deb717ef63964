"""Webhooks of the status service as a real process: what stands in UPDATES comes to the endpoint."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from libs.contracts.calls import AskDone, AskFailed, WebhookTried
from libs.contracts.ids import UPDATES
from libs.runtime.replay import log_of
from libs.runtime.targets import PRIVATE
from services.status.webhooks.slots import OF_EACH
from tests.integration.status.hooks import due
from tests.integration.status.offices import Office
from tests.integration.status.stream import SESSIONS, expected_frames, publish, told
from tests.processes import eventually
from tests.receiver import Receiver, Request, refusing, slow, taken

# --- What comes ------------------------------------------------------------------------------------------------------


async def test_every_frame_comes_once_in_order_and_signed(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(3))
        await office.told(expected_frames(3))
        await office.all_came(made)
        office.endpoint.verify(office.hooks.secrets[made.id])
        assert len(office.endpoint.requests) == expected_frames(3)
        frames = {each.frame.id: each.frame for each in await told(office.bus)}
        for request in office.endpoint.requests:
            frame, cursor = frames[request.id], request.frame.pop("cursor", None)
            assert cursor
            assert (request.frame["type"], request.frame["data"]) == (frame.type, frame.data)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unheard"])
async def test_a_webhook_gets_every_frame_from_its_making_on_and_none_before(office: Office, announced: bool) -> None:
    """Made while frames are told; without a broadcast it is heard of two seconds late."""
    async with office.status() as running:
        await running.ready()
        publishing = asyncio.create_task(publish(office.bus, range(8)))
        made: list[Any] = []
        for part in range(1, 5):
            await office.told(expected_frames(8) * part // 8)
            made.append(await office.hooks.make(office.endpoint.url(f"/{part}"), announced=announced))
        await publishing
        await office.told(expected_frames(8))
        for part, webhook in enumerate(made, start=1):
            assert webhook.start.since > 0
            await office.all_came(webhook, f"/{part}")


async def test_a_webhook_gets_what_it_was_made_for(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        sent = await office.hooks.make(office.endpoint.url("/sent"), events=["message.sent", "message.re*"])
        one = await office.hooks.make(office.endpoint.url("/one"), session_ids=[SESSIONS[3]])
        foreign = await office.hooks.make(office.endpoint.url("/foreign"), customer_id="cus_other")
        await publish(office.bus, range(2))
        await office.told(expected_frames(2))
        await office.all_came(sent, "/sent")
        await office.all_came(one, "/one")
        assert {request.frame["type"] for request in office.endpoint.of("/sent")} == {
            *("message.sent", "message.read", "message.received", "message.reaction", "message.revoked")
        }
        assert set(office.endpoint.by_session("/one")) == {SESSIONS[3]}
        assert office.endpoint.of("/foreign") == []
        assert await office.hooks.deliveries(foreign) == []


async def test_a_deleted_webhook_gets_nothing_more_and_its_deliveries_go(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url("/gone"))
        office.endpoint.answers["/gone"] = refusing(500)
        await publish(office.bus, range(1))
        await eventually(lambda: _some(office.endpoint, "/gone"))
        await office.hooks.delete(made)

        async def forgotten() -> bool:
            return await office.hooks.deliveries(made) == []

        await eventually(forgotten)
        await publish(office.bus, range(1, 2))
        other = await office.hooks.make(office.endpoint.url("/other"))
        await publish(office.bus, range(2, 3))
        await office.told(expected_frames(3, 3))
        before = len(office.endpoint.of("/gone"))
        await office.all_came(other, "/other")
        assert len(office.endpoint.of("/gone")) == before


# --- What fails ------------------------------------------------------------------------------------------------------


async def test_a_frame_that_fails_is_tried_by_the_schedule_then_given_up_and_the_next_goes_on(office: Office) -> None:
    bad: set[str] = set()

    async def picky(request: Request) -> web.StreamResponse:
        if request.frame["type"] == "message.sending":
            bad.add(request.id)
            return web.Response(status=500, text="not this one")
        return await taken(request)

    office.endpoint.answers["/"] = picky
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(1))
        await office.told(expected_frames(1))

        async def settled() -> bool:
            return await office.hooks.statuses(made) == {
                "delivered": expected_frames(1) - len(SESSIONS),
                "failed": len(SESSIONS),
            }

        await eventually(settled)
        given_up = [row for row in await office.hooks.deliveries(made) if row.status == "failed"]
        assert {row.frame_id for row in given_up} == bad
        for row in given_up:
            assert (row.attempts, [each.status for each in row.log]) == (4, [500] * 4)
            assert {each.response for each in row.log} == {"not this one"}
            tries = [number for number, each in enumerate(office.endpoint.requests) if each.id == row.frame_id]
            later = [
                number
                for number, each in enumerate(office.endpoint.requests)
                if each.frame["sessionId"] == row.session_id and _seq(each) > row.seq
            ]
            assert max(tries) < min(later), "a later frame of the session did not wait"


async def test_unordered_frames_do_not_wait_for_one_that_fails(office: Office) -> None:
    async def picky(request: Request) -> web.StreamResponse:
        return await (refusing(500)(request) if request.frame["type"] == "message.queued" else taken(request))

    office.endpoint.answers["/"] = picky
    async with office.status(webhook_delays_s="3600") as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url(), ordered=False)
        await publish(office.bus, range(2))
        queued = 2 * len(SESSIONS)

        async def settled() -> bool:
            return await office.hooks.statuses(made) == {
                "delivered": expected_frames(2) - queued,
                "pending": queued,
            }

        await eventually(settled)


async def test_a_new_address_gets_at_once_what_waits(office: Office) -> None:
    office.endpoint.answers["/dead"] = refusing(503)
    async with office.status(webhook_delays_s="3600,3600") as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url("/dead"))
        await publish(office.bus, range(1))
        await office.told(expected_frames(1))
        await eventually(lambda: _some(office.endpoint, "/dead", len(SESSIONS)))
        await office.hooks.change(made, lambda now: replace(now, url=office.endpoint.url("/alive")))
        await office.all_came(made, "/alive")


async def test_an_endpoint_that_fails_for_days_is_disabled_told_and_can_be_switched_on(office: Office) -> None:
    office.endpoint.answers["/dead"] = refusing(500)
    two_seconds = str(2 / 86_400)
    async with office.status(webhook_disable_days=two_seconds, webhook_delays_s=",".join(["0.5"] * 20)) as running:
        await running.ready()
        dead = await office.hooks.make(office.endpoint.url("/dead"))
        ears = await office.hooks.make(office.endpoint.url("/ears"), events=["webhook.*"])
        await publish(office.bus, range(1))

        async def disabled() -> bool:
            return "disabledAt" in await office.hooks.health(dead)

        await eventually(disabled)
        await office.endpoint.until(lambda: bool(office.endpoint.of("/ears")))
        (notice,) = office.endpoint.of("/ears")
        assert notice.frame["type"] == "webhook.disabled"
        assert (notice.frame["data"]["webhookId"], notice.frame["data"]["reason"]) == (dead.id, "FAILING")

        async def known_to_be_told() -> bool:
            return "untold" not in await office.hooks.health(dead)

        await eventually(known_to_be_told)  # which is noted after it has come

        attempts, kept = len(office.endpoint.of("/dead")), await office.hooks.statuses(dead)
        await publish(office.bus, range(1, 2))
        await office.told(expected_frames(2, 2) + 1)
        office.endpoint.answers["/dead"] = taken
        assert len(office.endpoint.of("/dead")) == attempts
        assert await office.hooks.statuses(dead) == kept

        since = (await office.hooks.switch_on(dead, ended=1)).start.since
        await publish(office.bus, range(2, 3))
        await office.told(expected_frames(3, 3) + 1)
        wanted = await due(office.bus, dead, since=since)

        async def all_taken() -> bool:
            came = office.endpoint.by_session("/dead")
            return {key: [seq for seq in seqs if seq > since] for key, seqs in came.items()} == wanted

        await eventually(all_taken)
        waited = {row.seq for row in await office.hooks.deliveries(dead) if row.seq <= since}
        came = {seq for seqs in office.endpoint.by_session("/dead").values() for seq in seqs if seq <= since}
        assert came <= waited, "a frame of the time in which it was disabled was sent"
        assert office.endpoint.of("/ears") == [notice]
        assert ears.id


async def test_an_endpoint_that_is_gone_is_disabled_at_once(office: Office) -> None:
    office.endpoint.answers["/gone"] = refusing(410)
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url("/gone"))
        await publish(office.bus, range(1))

        async def disabled() -> bool:
            return (await office.hooks.health(made)).get("disabledReason") == "GONE"

        await eventually(disabled)


async def test_a_notice_that_was_stored_is_told_by_whoever_comes_next(office: Office) -> None:
    office.endpoint.answers["/gone"] = refusing(410)
    await office.hooks.make(office.endpoint.url("/ears"), events=["webhook.*"])
    gone = await office.hooks.make(office.endpoint.url("/gone"), session_ids=[SESSIONS[0]])
    async with office.status("one", crash_at="status.webhook_disabled") as first:
        await publish(office.bus, range(1))
        assert await first.ended() != 0
    assert "untold" in await office.hooks.health(gone)
    assert office.endpoint.of("/ears") == []
    async with office.status("two"):
        await office.endpoint.until(lambda: bool(office.endpoint.of("/ears")))
        assert [each.frame["type"] for each in office.endpoint.of("/ears")] == ["webhook.disabled"]


async def test_a_slow_and_a_dead_endpoint_do_not_delay_the_others(office: Office) -> None:
    """Neither answers before the others have everything: who waited for one of them would get nothing."""
    awake = asyncio.Event()

    async def late(request: Request) -> web.StreamResponse:
        await awake.wait()
        return await taken(request)

    office.endpoint.answers |= {"/slow": late, "/dead": slow(3600)}
    async with office.status(webhook_timeout_s="3600") as running:
        await running.ready()
        bad = [await office.hooks.make(office.endpoint.url(path)) for path in ("/slow", "/dead")]
        one = {"session_ids": [SESSIONS[0]]}
        good = [await office.hooks.make(office.endpoint.url(f"/good/{number}"), **one) for number in range(98)]
        await publish(office.bus, range(2))
        await office.told(expected_frames(2))
        for number, webhook in enumerate(good):
            await office.all_came(webhook, f"/good/{number}")
        assert office.endpoint.of("/slow") == office.endpoint.of("/dead") == []
        awake.set()
        await office.all_came(bad[0], "/slow")


async def test_one_endpoint_has_few_requests_at_a_time(office: Office) -> None:
    at_once = most = 0

    async def counting(request: Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return await taken(request)

    office.endpoint.answers["/"] = counting
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url(), ordered=False)
        await publish(office.bus, range(5))
        await office.told(expected_frames(5))

        async def all_delivered() -> bool:
            return await office.hooks.statuses(made) == {"delivered": expected_frames(5)}

        await eventually(all_delivered)
        assert 1 < most <= OF_EACH


# --- What is asked for -----------------------------------------------------------------------------------------------


async def test_a_replay_sends_everything_after_the_cursor_again(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(2))
        await office.told(expected_frames(2))
        await office.all_came(made)
        await office.all_settled(made)
        first = len(office.endpoint.requests)
        middle = (await log_of(office.bus, UPDATES)).last // 2
        await office.hooks.replay(made, middle)
        again = expected_frames(2) - middle

        async def came_again() -> bool:
            return len(office.endpoint.requests) >= first + again

        await eventually(came_again)
        seqs = sorted(_seq(each) for each in office.endpoint.requests[first:])
        assert seqs == list(range(middle + 1, expected_frames(2) + 1))
        for session in SESSIONS:
            own = [_seq(each) for each in office.endpoint.requests[first:] if each.frame["sessionId"] == session]
            assert own == sorted(own)

        async def each_has_two_attempts() -> bool:
            return {row.attempts for row in await office.hooks.deliveries(made) if row.seq > middle} == {2}

        await eventually(each_has_two_attempts)  # an attempt is stored after its answer


async def test_a_delivery_is_sent_again_when_that_is_asked_for(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(1))
        await office.told(expected_frames(1))
        await office.all_came(made)
        await office.all_settled(made)
        row = (await office.hooks.deliveries(made))[5]
        assert await office.hooks.redeliver(row) == AskDone()
        await office.endpoint.until(lambda: len(office.endpoint.requests) > expected_frames(1))
        assert office.endpoint.requests[-1].id == row.frame_id
        assert office.endpoint.requests[-1].body.decode() == row.payload
        foreign = await office.hooks.redeliver(row, customer_id="cus_other")
        assert isinstance(foreign, AskFailed)
        assert foreign.code == "GONE"


async def test_a_test_is_sent_at_once_signed_and_its_answer_told(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url("/here"), announced=False)
        tried = await office.hooks.test(made)
        assert isinstance(tried, WebhookTried)
        assert (tried.status, tried.response) == (200, "ok")
        (request,) = office.endpoint.of("/here")
        assert request.frame["type"] == "webhook.test"
        office.endpoint.verify(office.hooks.secrets[made.id], "/here")
        office.endpoint.answers["/here"] = refusing(418)
        failed = await office.hooks.test(made)
        assert isinstance(failed, WebhookTried)
        assert (failed.status, failed.error) == (418, "the endpoint answered 418")
        assert await office.hooks.deliveries(made) == []


async def test_after_a_rotation_both_secrets_verify(office: Office) -> None:
    async with office.status() as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        new = await office.hooks.rotate(made)
        await office.hooks.test(made)
        for secret in (office.hooks.secrets[made.id], new):
            office.endpoint.verify(secret)


async def test_private_addresses_are_refused_unless_the_deployment_allows_them(office: Office) -> None:
    async with office.status(private_targets="false") as running:
        await running.ready()
        made = await office.hooks.make(office.endpoint.url())
        tried = await office.hooks.test(made)
        assert isinstance(tried, WebhookTried)
        assert tried.error == f"the address is refused: {PRIVATE}"
        assert office.endpoint.requests == []


async def _some(endpoint: Receiver, path: str, number: int = 1) -> bool:
    return len(endpoint.of(path)) >= number


def _seq(request: Request) -> int:
    return int(request.frame["cursor"].partition("-")[2])
