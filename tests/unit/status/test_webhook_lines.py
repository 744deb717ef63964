"""Deliveries leave in order, each once, and none waits for another session's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from libs.contracts.webhooks import FAILED, WebhookDelivery
from services.status.webhooks.lines import AT_ONCE, LOOK_AHEAD
from tests.unit.status.deliveries import T0, delivery
from tests.unit.status.post_office import PostOffice, delivered, frames, later


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    office = PostOffice()
    yield office
    await office.lines.stop()


def ids(numbers: range | list[int]) -> list[str]:
    return [f"whk_1/frm_{number}" for number in numbers]


async def until_sent(office: PostOffice, *wanted: str) -> None:
    async with asyncio.timeout(60):
        while not set(wanted) <= set(office.sent):  # noqa: ASYNC110 - one step of the loop
            await asyncio.sleep(0)


async def test_a_sessions_frames_leave_one_by_one_in_order(office: PostOffice) -> None:
    office.offer(*frames(range(1, 6)))
    await office.until_settled()
    assert office.sent == ids(range(1, 6))
    assert office.most_at_once == 1


async def test_what_is_offered_needs_no_read(office: PostOffice) -> None:
    office.offer(*frames(range(1, 6)))
    await office.until_settled()
    assert office.reads == 0


async def test_what_a_former_owner_left_is_read(office: PostOffice) -> None:
    office.put(*frames(range(1, LOOK_AHEAD * 2 + 3)))
    office.lines.look_at("whk_1", "s1", ordered=True)
    await office.until_settled()
    assert office.sent == ids(range(1, LOOK_AHEAD * 2 + 3))


@pytest.mark.parametrize("seed", range(20))
async def test_frames_that_are_offered_at_any_moment_leave_once_and_in_order(office: PostOffice, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    office.put(*frames(range(1, chance.choice([2, LOOK_AHEAD, LOOK_AHEAD + 5]))))
    office.lines.look_at("whk_1", "s1", ordered=True)
    number = len(office.rows) + 1
    while number < 300:
        size = chance.randint(1, 80)
        rows = office.put(*frames(range(number, number + size)))
        for _ in range(chance.randint(0, 30)):  # stored, and not yet offered
            await asyncio.sleep(0)
        office.lines.offer("whk_1", ordered=True, rows=rows)
        number += size
        for _ in range(chance.randint(0, 200)):
            await asyncio.sleep(0)
    await office.until_settled()
    assert office.sent == ids(range(1, number))


async def test_what_is_offered_during_a_read_is_not_forgotten(office: PostOffice) -> None:
    office.put(*frames([1]))
    office.may_answer.clear()
    office.lines.look_at("whk_1", "s1", ordered=True)
    await asyncio.wait_for(office.reading.wait(), 60)
    office.offer(*frames([2, 3]))
    office.may_answer.set()
    await office.until_settled()
    assert office.sent == ids([1, 2, 3])


async def test_a_frame_that_is_not_taken_holds_back_its_session_alone(office: PostOffice) -> None:
    office.decide = lambda row: later(row) if row.id == "whk_1/frm_1" else delivered(row)
    office.offer(*frames([1, 2]))
    office.offer(*frames([3, 4], session="s2"))
    await office.until_settled(*ids([3, 4]))
    assert sorted(office.sent) == ids([1, 3, 4])


async def test_after_a_frame_is_given_up_the_next_goes_on(office: PostOffice) -> None:
    office.decide = lambda row: replace(row, status=FAILED) if row.seq == 1 else delivered(row)
    office.offer(*frames([1, 2]))
    await office.until_settled()
    assert office.sent == ids([1, 2])


async def test_a_frame_is_tried_again_when_its_wait_is_over(office: PostOffice) -> None:
    office.decide = lambda row: later(row, 0.01) if row.seq == 1 and row.failures < 3 else delivered(row)
    office.offer(*frames([1, 2]))
    await office.until_settled()
    assert office.sent == ids([1, 1, 1, 1, 2])


async def test_a_waiting_frame_that_is_to_be_tried_at_once_is(office: PostOffice) -> None:
    office.decide = later
    office.offer(*frames([1, 2]))
    await until_sent(office, "whk_1/frm_1")
    await asyncio.sleep(0)
    office.decide = delivered
    office.put(replace(office.rows["whk_1/frm_1"], next_at=T0))
    office.lines.look_at("whk_1", "s1", ordered=True)
    await office.until_settled()
    assert office.sent == ids([1, 1, 2])


async def test_a_frame_that_is_redelivered_goes_before_newer_ones(office: PostOffice) -> None:
    office.gates["whk_1/frm_5"] = asyncio.Event()
    office.offer(*frames([5, 6]))
    await until_sent(office, "whk_1/frm_5")
    office.put(delivery(1))
    office.lines.look_at("whk_1", "s1", ordered=True)
    office.gates["whk_1/frm_5"].set()
    await office.until_settled()
    assert office.sent == ids([5, 1, 6])


async def test_unordered_frames_wait_for_none(office: PostOffice) -> None:
    office.decide = lambda row: later(row) if row.seq == 1 else delivered(row)
    office.offer(*frames(range(1, 10)), ordered=False)
    await office.until_settled(*ids(range(2, 10)))
    assert sorted(office.sent) == sorted(ids(range(1, 10)))
    assert office.most_at_once > 1


async def test_unordered_frames_are_bounded_and_each_sent_once(office: PostOffice) -> None:
    office.put(*frames(range(1, AT_ONCE * 3)))
    office.lines.look_at("whk_1", "s1", ordered=False)
    await office.until_settled()
    assert sorted(office.sent) == sorted(ids(range(1, AT_ONCE * 3)))
    assert office.most_at_once <= AT_ONCE


async def test_an_unordered_frame_is_tried_again_when_its_wait_is_over(office: PostOffice) -> None:
    office.decide = lambda row: later(row, 0.01) if row.failures < 2 else delivered(row)
    office.offer(*frames([1]), ordered=False)
    await office.until_settled()
    assert office.sent == ids([1, 1, 1])


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
async def test_what_is_held_is_not_sent_until_it_is_released(office: PostOffice, ordered: bool) -> None:
    office.lines.hold("whk_1")
    office.offer(*frames([1, 2]), ordered=ordered)
    office.lines.look_at("whk_1", "s1", ordered=ordered)
    office.offer(*frames([3], webhook_id="whk_2"), ordered=ordered)
    await office.until_settled("whk_2/frm_3")
    assert office.sent == ["whk_2/frm_3"]
    office.lines.release("whk_1", [], ordered=ordered)
    await office.until_settled()
    assert sorted(office.sent) == [*ids([1, 2]), "whk_2/frm_3"]


async def test_a_request_on_its_way_is_given_up_when_its_webhook_is_held(office: PostOffice) -> None:
    office.gates["whk_1/frm_1"] = asyncio.Event()
    office.offer(*frames([1]))
    await until_sent(office, "whk_1/frm_1")
    office.lines.hold("whk_1")
    await office.lines.until_quiet()
    assert office.at_once == 0


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
async def test_a_webhook_that_stops_working_ends_its_lines_and_keeps_its_frames(
    office: PostOffice, ordered: bool
) -> None:
    def nothing(row: WebhookDelivery) -> None:
        return None

    office.decide = nothing
    office.offer(*frames([1, 2]), ordered=ordered)
    await until_sent(office, "whk_1/frm_1")
    for _ in range(50):
        await asyncio.sleep(0)
    office.decide = delivered
    sent = len(office.sent)
    office.lines.look_at("whk_1", "s1", ordered=ordered)
    await office.until_settled()
    assert sorted(office.sent[sent:]) == ids([1, 2])
