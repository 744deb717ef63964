"""The other direction: people write to the shop's numbers, and each of their messages comes in once."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter

import httpx

from tests.faults.audience import Audience
from tests.faults.shop import Shop
from tests.processes import eventually

STEP = 7
"""The next message comes from the contact this many further: each pair of number and contact has its turn."""


class Writers:
    """The shop's contacts, writing to its sessions."""

    def __init__(self, shop: Shop, simulator_url: str) -> None:
        self._shop = shop
        self._http = httpx.AsyncClient(base_url=simulator_url, timeout=40, trust_env=False)
        self.written: dict[str, str] = {}
        """WhatsApp id -> text."""

    async def close(self) -> None:
        await self._http.aclose()

    async def write(self, number: int) -> None:
        """Somebody writes message `number`."""
        contact = self._shop.contacts[number * STEP % len(self._shop.contacts)]
        body = {
            "to": self._shop.numbers[number % len(self._shop.numbers)],
            "type": "text",
            "text": f"question {number} of {uuid.uuid4().hex}",
        }
        answer = await self._http.post(f"/phones/{contact}/messages", json=body)
        assert answer.is_success, answer.text
        self.written[answer.json()["id"]] = body["text"]

    async def write_on(self, per_second: float, until: asyncio.Event) -> None:
        """Write at this pace until told to stop."""
        number = 0
        while not until.is_set():
            await self.write(number)
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1 / per_second):
                    await until.wait()

    async def all_heard(self, audience: Audience, within_s: float = 60) -> None:
        """Wait until the audience has heard every message that was written."""

        async def heard() -> bool:
            return self.written.keys() <= audience.received().keys()

        try:
            await eventually(heard, within_s=within_s, every_s=0.5)
        except AssertionError:
            missing = [self.written[id_] for id_ in self.written.keys() - audience.received().keys()]
            raise AssertionError(
                f"{len(missing)} of {len(self.written)} never came in, such as {missing[:3]}"
            ) from None

    def assert_each_came_in_once(self, audience: Audience) -> None:
        """One frame for each message that was written, with its text, and no other."""
        texts = [frame["data"]["text"] for frame in audience.frames if frame["type"] == "message.received"]
        twice = [text for text, times in Counter(texts).items() if times > 1]
        assert not twice, f"{len(twice)} messages came in twice, such as {twice[:3]}"
        assert sorted(texts) == sorted(self.written.values())
