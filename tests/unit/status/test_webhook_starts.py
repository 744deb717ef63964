"""Whenever a webhook is made, heard of or replayed, and whoever dies then: it gets every frame, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from services.status.webhooks import shard
from tests.unit.status.webhook_world import World

SESSIONS = ("s1", "s2", "s3")


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World()
    monkeypatch.setattr(shard, "log_of", made.log_of)
    monkeypatch.setattr(shard, "stored_after", made.stored_after)
    yield made
    await made.die()


def first_times(world: World, webhook_id: str) -> dict[str, list[int]]:
    """By session, the frames that came, each the first time."""
    came = dict.fromkeys((session, seq) for hook, session, seq in world.sent if hook == webhook_id)
    return {session: [seq for name, seq in came if name == session] for session in SESSIONS}


def due(world: World, since: int) -> dict[str, list[int]]:
    """By session, the frames after this one."""
    placed = list(enumerate(world.frames, start=1))
    return {session: [seq for seq, (_, f) in placed if f.session_id == session and seq > since] for session in SESSIONS}


async def pause(chance: random.Random) -> None:
    for _ in range(chance.randint(0, 25)):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(40))
async def test_a_webhook_gets_every_frame_from_its_start_on(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    since: dict[str, int] = {}
    await world.claim()
    for _ in range(60):
        match chance.choice(["tell"] * 6 + ["make", "look", "die"]):
            case "tell":
                world.tell(chance.choice(SESSIONS))
            case "make" if len(since) < 4:
                name = f"whk_{len(since)}"
                since[name] = world.make(name, ordered=chance.random() < 0.8).start.since
            case "look":
                await world.look()
            case "die" if chance.random() < 0.5:
                await world.die()
                await world.claim()
            case _:
                pass
        await pause(chance)
    await world.look()
    await world.settled()
    for name, start in since.items():
        came, wanted = first_times(world, name), due(world, start)
        if not world.webhooks[name].ordered:
            came = {session: sorted(seqs) for session, seqs in came.items()}
        assert came == wanted


@pytest.mark.parametrize("seed", range(30))
async def test_a_replay_sends_everything_after_its_cursor_once_more(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    await world.claim()
    world.make("whk_1")
    for _ in range(chance.randint(5, 30)):
        world.tell(chance.choice(SESSIONS))
        await pause(chance)
    await world.look()
    await world.settled()
    last, since = len(world.frames), chance.randint(0, len(world.frames))
    before = list(world.sent)
    world.replay("whk_1", since)
    for _ in range(chance.randint(0, 10)):
        world.tell(chance.choice(SESSIONS))
        await pause(chance)
    if chance.random() < 0.3:
        await world.die()
        await world.claim()
    await world.look()
    await world.settled()
    again = [seq for _, _, seq in world.sent[len(before) :]]
    assert set(range(since + 1, last + 1)) <= set(again)
    assert first_times(world, "whk_1") == due(world, 0)


async def test_a_replay_that_is_asked_for_before_the_start_is_made_up_for_takes_nothing_from_it(world: World) -> None:
    await world.claim()
    world.make("whk_1")
    for _ in range(10):
        world.tell("s1")
        await asyncio.sleep(0)
    world.replay("whk_1", 8)
    await world.look()
    await world.settled()
    assert first_times(world, "whk_1")["s1"] == list(range(1, 11))


async def test_without_a_death_no_frame_comes_twice(world: World) -> None:
    chance = random.Random(1)  # noqa: S311
    await world.claim()
    for number in range(200):
        if number == 50:
            world.make("whk_1")
        if number % 40 == 0:
            await world.look()
        world.tell(chance.choice(SESSIONS))
        await pause(chance)
    await world.settled()
    assert len(world.sent) == len(set(world.sent))
