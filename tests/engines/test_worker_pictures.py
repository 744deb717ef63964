"""What pictures cost the Go worker, which holds everybody's sockets: they are decoded apart, and within a budget."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from services.sessions.engines import base as engine
from tests import media
from tests.engines.rig import Rig

pytestmark = pytest.mark.needs_go

OURS, OTHERS, THEIRS = "6281200000001", "6281200000002", "6281300000002"
TICKS = os.sysconf("SC_CLK_TCK")
SENDS_MEANWHILE = 20


def stat_of(rig: Rig) -> list[int]:
    """The numbers of /proc/<pid>/stat behind the process's state."""
    assert rig.engine.pid is not None
    return [int(each) for each in Path(f"/proc/{rig.engine.pid}/stat").read_text().rpartition(")")[2].split()[1:]]


def cpu_s(rig: Rig) -> float:
    """The worker's own CPU time."""
    return sum(stat_of(rig)[10:12]) / TICKS


def cpu_of_children_s(rig: Rig) -> float:
    """The CPU time of the processes that it has started and awaited."""
    return sum(stat_of(rig)[12:14]) / TICKS


def most_memory_mb(rig: Rig) -> int:
    """The most that the worker had resident since its start."""
    lines = Path(f"/proc/{rig.engine.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


async def send_pictures(rig: Rig, files: list[bytes]) -> list[engine.Reply]:
    """Each file in a message of its own, all at once."""
    for number, file in enumerate(files):
        rig.store_medium(f"m{number}", file)
    pictures = [engine.ImageContent(media_id=f"m{number}", mimetype="image/jpeg") for number in range(len(files))]
    sends = [rig.send("s1", THEIRS, each, f"3EB0{number:018}") for number, each in enumerate(pictures)]
    return await asyncio.gather(*sends)


async def send_texts(rig: Rig) -> list[engine.Reply]:
    """What another session sends meanwhile."""
    text = engine.TextContent(text="meanwhile")
    return [await rig.send("s2", THEIRS, text, f"3EB1{number:018}") for number in range(SENDS_MEANWHILE)]


async def linked(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.link("s2", OTHERS)
    await rig.phones.make(THEIRS)
    assert isinstance(await rig.send("s2", THEIRS, engine.TextContent(text="first"), "3EB2"), engine.Sent)


async def test_pictures_of_many_scans_cost_the_worker_nothing_and_are_sent(worker: Rig) -> None:
    """Decoding these five takes a minute of CPU time or more."""
    await linked(worker)
    cpu, memory = cpu_s(worker), most_memory_mb(worker)
    files = [media.many_scans((4_000, 4_000 - 8 * number), 600) for number in range(5)]

    pictures, texts = await asyncio.gather(send_pictures(worker, files), send_texts(worker))

    assert {type(reply) for reply in [*pictures, *texts]} == {engine.Sent}
    assert cpu_s(worker) - cpu < 10
    assert cpu_of_children_s(worker) < 1, "beyond the budget nothing is decoded at all"
    assert most_memory_mb(worker) - memory < 100


async def test_pictures_within_the_budget_are_decoded_in_processes_of_their_own(worker: Rig) -> None:
    await linked(worker)
    memory = most_memory_mb(worker)
    files = [media.many_scans((4_000, 4_000 - 8 * number), 20) for number in range(5)]

    pictures, texts = await asyncio.gather(send_pictures(worker, files), send_texts(worker))

    assert {type(reply) for reply in texts} == {engine.Sent}
    assert all(isinstance(reply, engine.Sent | engine.NotSent) for reply in pictures), pictures
    assert cpu_of_children_s(worker) > 0.2, "the pictures are small enough to have thumbnails"
    assert most_memory_mb(worker) - memory < 100
