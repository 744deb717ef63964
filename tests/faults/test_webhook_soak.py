"""A receiver that fails at random, under load, while processes are killed: every frame comes, in order, signed."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from infra.local.ports import free_port
from tests.faults.audience import Audience
from tests.faults.shop import Shop
from tests.faults.witness import Witness
from tests.processes import PATIENCE_S, ROOT, eventually
from tests.receiver import Receiver, Request, receiver, taken
from tests.stack import RunningStack, running_stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_go,
    pytest.mark.asyncio(loop_scope="module"),
]

WEBHOOKS = "/api/customer/whatsapp/webhooks"
EXAMPLE = ROOT / "docs" / "examples" / "webhook_receiver.py"
SETTINGS = {
    "MERPATI_PRIVATE_TARGETS": "true",
    "MERPATI_WEBHOOK_DELAYS_S": ",".join(["0.5"] * 40),
    "MERPATI_WEBHOOK_TIMEOUT_S": "2",
}
"""A test shall take seconds: the schedule is fast, and long enough that nothing is given up."""
SESSIONS = 3
LAGS_S = 0.4
"""By so much the receiver delays each frame of a session, in the mean; a message of each of them has three frames."""


class Scene:
    """A stack with linked sessions, whoever listens to its stream, and an endpoint."""

    def __init__(self, stack: RunningStack, shop: Shop, audience: Audience, endpoint: Receiver) -> None:
        self.stack, self.shop, self.audience, self.endpoint = stack, shop, audience, endpoint

    async def webhook(self, path: str, url: str | None = None, **fields: Any) -> dict[str, Any]:
        """A new webhook: what the API answers."""
        body = {"url": url or self.endpoint.url(path), **fields}
        answer = await self.shop.http.post(WEBHOOKS, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def due(self, since: int) -> dict[str | None, list[int]]:
        """By session, the places of the frames that the stream has shown after this one."""
        by_session: dict[str | None, list[int]] = defaultdict(list)
        for frame in self.audience.frames:
            if _seq(frame) > since:
                by_session[frame["sessionId"]].append(_seq(frame))
        return dict(by_session)

    async def all_came(self, path: str, since: int, within_s: float) -> None:
        """Everything that the stream has shown came to this path too, each session's in order."""

        async def came() -> bool:
            return self.endpoint.by_session(path) == self.due(since)

        try:
            await eventually(came, within_s=within_s)
        except AssertionError:
            assert self.endpoint.by_session(path) == self.due(since)
            raise

    async def told_to(self) -> int:
        """The place of the latest frame in the stream, whoever has heard it."""
        async with Witness(self.stack.ready) as witness:
            return max(await witness.told(), default=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    data = tmp_path_factory.mktemp("webhooks")
    async with (
        receiver() as endpoint,
        running_stack(data, "--networks", "simulator", environment=SETTINGS, hasty=True) as stack,
    ):
        shop = Shop(stack)
        await shop.open(sessions=SESSIONS, contacts=6)
        async with Audience(stack.url, stack.key) as audience:
            first = [await shop.send(number) for number in range(SESSIONS)]
            await audience.all_told(first)  # whatever a session told before is in the stream by then
            yield Scene(stack, shop, audience, endpoint)
        await shop.close()


async def test_the_example_receiver_verifies_and_takes_every_frame(scene: Scene) -> None:
    port = free_port()
    made = await scene.webhook("", url=f"http://127.0.0.1:{port}/", events=["message.*"])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), str(port)),
        env={**os.environ, "WEBHOOK_SECRET": made["secret"]},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await eventually(lambda: _answers(scene, made["data"]["id"]))
        message = await scene.shop.send(0)
        told: list[str] = []
        while "message.delivered" not in told:
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
            frame = msgspec.json.decode(line)
            told.append(frame["type"])
            assert frame["type"] == "webhook.test" or frame["data"]["messageId"] == message
        assert told[0] == "webhook.test"  # and again, if an answer came too late to be believed
        statuses = [type_ for type_ in told if type_ != "webhook.test"]
        assert statuses == ["message.queued", "message.sent", "message.delivered"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await scene.shop.http.delete(f"{WEBHOOKS}/{made['data']['id']}")


@pytest.mark.parametrize(
    ("messages", "victims"),
    [
        pytest.param(40, ("status-1", "nats"), id="short"),
        pytest.param(
            600,
            ("status-1", "nats", "mongod", "status-1", "api-1", "sender-1") * 6,
            id="long",
            marks=[pytest.mark.soak, pytest.mark.timeout(1_800)],
        ),
    ],
)
async def test_a_receiver_that_fails_at_random_gets_every_frame_over_kills(
    scene: Scene, messages: int, victims: tuple[str, ...]
) -> None:
    chance = random.Random(messages)  # noqa: S311
    path = f"/{messages}"
    scene.endpoint.answers[path] = _flaky(chance)
    made = await scene.webhook(path)
    unordered = await scene.webhook(f"{path}/loose", ordered=False)
    scene.endpoint.answers[f"{path}/loose"] = _flaky(chance)
    since = await scene.told_to()
    sending = asyncio.create_task(_send_all(scene.shop, messages, per_second=messages / (2 + 5 * len(victims))))
    for victim in victims:
        await asyncio.sleep(1 + chance.random())
        await scene.stack.restarted(victim, scene.stack.kill(victim))
        await asyncio.sleep(2)
    await sending
    await scene.shop.all_delivered()
    await scene.all_came(path, since, within_s=60 + messages * LAGS_S)
    scene.endpoint.verify(made["secret"], path)

    async def loose_came() -> bool:
        wanted = {seq for seqs in scene.due(since).values() for seq in seqs}
        return {seq for seqs in scene.endpoint.by_session(f"{path}/loose").values() for seq in seqs} == wanted

    await eventually(loose_came, within_s=60)
    scene.endpoint.verify(unordered["secret"], f"{path}/loose")
    for webhook in (made, unordered):
        for status in ("pending", "failed"):
            await eventually(lambda made=webhook["data"]["id"], status=status: _none(scene, made, status))
        await scene.shop.http.delete(f"{WEBHOOKS}/{webhook['data']['id']}")


def _flaky(chance: random.Random) -> Any:
    async def answer(request: Request) -> web.StreamResponse:
        luck = chance.random()
        if luck < 0.1:
            raise web.HTTPInternalServerError
        if luck < 0.2:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "1"})
        if luck < 0.25:
            raise ConnectionResetError  # aiohttp answers 500
        if luck < 0.28:
            await asyncio.sleep(3)  # longer than is waited for
        return await taken(request)

    return answer


async def _send_all(shop: Shop, messages: int, *, per_second: float) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(messages):
            group.create_task(shop.send(number))
            await asyncio.sleep(1 / per_second)


async def _answers(scene: Scene, webhook_id: str) -> bool:
    answer = await scene.shop.http.post(f"{WEBHOOKS}/{webhook_id}/test")
    return answer.status_code == 200 and answer.json()["data"]["delivered"]


async def _none(scene: Scene, webhook_id: str, status: str) -> bool:
    answer = await scene.shop.http.get(f"{WEBHOOKS}/{webhook_id}/deliveries?limit=1&status={status}")
    return answer.status_code == 200 and answer.json()["data"] == []


def _seq(frame: dict[str, Any]) -> int:
    return int(frame["cursor"].partition("-")[2])
