"""Deliveries outlive the status processes that make them: killed, frozen, or drained while others take over."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiohttp import web

from tests.integration.status.offices import Office
from tests.integration.status.stream import expected_frames, publish
from tests.receiver import Answer, Request, refusing, slow, taken


@pytest.mark.parametrize("point", ["status.after_deliveries", "status.after_post"])
async def test_a_process_that_dies_there_loses_no_delivery(office: Office, point: str) -> None:
    async with office.status("one") as first:
        await first.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(2))
        await office.told(expected_frames(2))
        await first.drain()
    async with office.status("two", crash_at=point) as second:
        await publish(office.bus, range(2, 4))
        assert await second.ended() != 0
    async with office.status("three"):
        await office.told(expected_frames(4, 2))
        await office.all_came(made)


async def test_processes_that_are_killed_while_they_deliver_lose_nothing(office: Office) -> None:
    chance = random.Random(7)  # noqa: S311

    async def flaky(request: Request) -> web.StreamResponse:
        await asyncio.sleep(chance.random() / 50)
        answer: Answer = taken if chance.random() < 0.7 else refusing(500)
        return await answer(request)

    office.endpoint.answers["/"] = flaky
    never_given_up = ",".join(["0.1"] * 40)
    async with office.status("stays", webhook_delays_s=never_given_up):
        made = await office.hooks.make(office.endpoint.url())
        publishing = asyncio.create_task(publish(office.bus, range(6)))
        for number in range(3):
            async with office.status(f"dies-{number}", webhook_delays_s=never_given_up) as dying:
                await dying.ready()
                await asyncio.sleep(1 + chance.random())
                dying.kill()
                await dying.ended()
        await publishing
        await office.told(expected_frames(6))
        await office.all_settled(made)
        await office.all_came(made)


async def test_a_frozen_owner_that_wakes_changes_nothing_of_what_its_successor_did(office: Office) -> None:
    async with office.status("one") as first:
        await first.ready()
        made = await office.hooks.make(office.endpoint.url())
        await publish(office.bus, range(2))
        first.freeze()
        async with office.status("two") as second:
            await office.told(expected_frames(2))
            await office.all_came(made)
            await office.all_settled(made)
            before = {row.id: row for row in await office.hooks.deliveries(made)}
            first.thaw()
            await publish(office.bus, range(2, 3))
            await office.told(expected_frames(3, 2))
            await office.all_came(made)
            assert second.running
            after = {row.id: row for row in await office.hooks.deliveries(made)}
            assert all(after[row_id] == row for row_id, row in before.items())


async def test_a_hand_over_keeps_the_order_of_each_session(office: Office) -> None:
    office.endpoint.answers["/"] = slow(0.01)
    async with office.status("one") as first:
        await first.ready()
        made = await office.hooks.make(office.endpoint.url())
        publishing = asyncio.create_task(publish(office.bus, range(5)))
        async with office.status("two") as second:
            await second.ready()
            await asyncio.sleep(1)
            await first.drain()
            await publishing
            await office.told(expected_frames(5))
            await office.all_came(made)
