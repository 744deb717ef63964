"""The bare stack: nats-py, JetStream and insert_many with nothing of ours between, as the yardstick."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import nats
from nats.js.api import RetentionPolicy, StreamConfig
from pymongo import AsyncMongoClient

IN_FLIGHT = 64
BATCH = 100


async def messages_per_second(nats_url: str, mongodb_url: str, number: int) -> float:
    """Publish with ack, pull, insert_many, publish on, and see it on an ordered consumer: messages/s end to end."""
    client = await nats.connect(nats_url)
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name="BARE", subjects=["bare.>"], retention=RetentionPolicy.LIMITS))
    mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, w="majority", journal=True)
    rows = mongo.get_default_database()["bare"]
    seen = asyncio.Event()
    counted = 0

    async def out(_: Any) -> None:
        nonlocal counted
        counted += 1
        if counted == number:
            seen.set()

    await jetstream.subscribe("bare.out", cb=out, ordered_consumer=True)
    work = asyncio.create_task(_work(jetstream, rows, number))
    payload = json.dumps({"to": "6281234567890", "text": "hello " * 5}).encode()
    jobs = iter(range(number))
    started = time.perf_counter()

    async def publisher() -> None:
        for job in jobs:
            await jetstream.publish("bare.in", payload, headers={"Nats-Msg-Id": f"bare-{job}"})

    await asyncio.gather(*(publisher() for _ in range(IN_FLIGHT)))
    await asyncio.wait_for(seen.wait(), 60)
    took = time.perf_counter() - started
    await work
    await jetstream.delete_stream("BARE")
    await rows.drop()
    await mongo.close()
    await client.close()
    return number / took


async def _work(jetstream: Any, rows: Any, number: int) -> None:
    pull = await jetstream.pull_subscribe("bare.in", durable="bare", stream="BARE")
    done = 0
    while done < number:
        try:
            batch = await pull.fetch(BATCH, timeout=1)
        except TimeoutError:
            continue
        await rows.insert_many([json.loads(message.data) for message in batch])
        await asyncio.gather(*(jetstream.publish("bare.out", message.data) for message in batch))
        for message in batch:
            await message.ack()
        done += len(batch)
