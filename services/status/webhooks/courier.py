"""Carries one delivery: waits for a place, signs, posts, and stores what came of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from libs.contracts.updates import Frame
from libs.contracts.webhooks import FAILED, TEST_TYPE, Webhook, WebhookBody, WebhookDelivery
from libs.runtime import logs
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import Lease, LeaseLost
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.health import Healths
from services.status.webhooks.posting import Poster
from services.status.webhooks.schedule import Outcome, after_attempt
from services.status.webhooks.settling import Settlements
from services.status.webhooks.signing import headers_of, opened, secrets_at
from services.status.webhooks.slots import Slots

STORE_AGAIN_S = 0.5
AnyFrame = Frame[msgspec.Raw]


class Courier:
    """The process's way from a delivery to its endpoint."""

    def __init__(
        self,
        *,
        definitions: Definitions,
        settlements: Settlements,
        healths: Healths,
        poster: Poster,
        ring: KeyRing,
        crash: CrashPoints,
        delays_s: Sequence[float],
    ) -> None:
        self._definitions, self._settlements, self._healths = definitions, settlements, healths
        self._poster, self._ring, self._crash, self._delays_s = poster, ring, crash, delays_s
        self._slots = Slots()

    async def attempt(self, row: WebhookDelivery, lease: Lease) -> WebhookDelivery | None:
        """The delivery after one more attempt; None, without one, when its webhook does not work now.

        The answer may get lost with this process: then the request is made again. Raises LeaseLost.
        """
        if self._definitions.working(row.webhook_id) is None:
            return None
        async with self._slots.taken(row.webhook_id, failing=self._healths.is_failing(row.webhook_id)):
            await lease.until_usable()
            webhook = self._definitions.working(row.webhook_id)
            if webhook is None:
                return None
            outcome = await self._post(webhook, row.frame_id, row.payload.encode())
        self._crash.at("status.after_post")
        after = after_attempt(row, outcome, self._delays_s, luck=random.random(), at=_now())  # noqa: S311 - only jitter
        is_ours = await self._stored(after, lease)
        await self._note(webhook, outcome)
        return after if is_ours else replace(after, status=FAILED)

    async def test(self, webhook: Webhook, body: WebhookBody) -> Outcome:
        """Post a test, once, whatever the state of the webhook. Nothing is stored of it."""
        async with self._slots.taken(webhook.id, failing=True):
            return await self._post(webhook, body.id, msgspec.json.encode(body))

    async def until_written(self) -> None:
        """Wait until the outcomes of the attempts that were made before this call are stored."""
        await self._settlements.until_written()

    async def _post(self, webhook: Webhook, frame_id: str, body: bytes) -> Outcome:
        at = _now()
        secrets = opened(secrets_at(webhook.secrets, at), self._ring, webhook.id)
        return await self._poster.post(webhook.url, headers_of(frame_id, int(at.timestamp()), body, secrets), body)

    async def _stored(self, row: WebhookDelivery, lease: Lease) -> bool:
        while True:
            try:
                return await self._settlements.settle(row, lease.epoch)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
            if lease.lost:
                raise LeaseLost(lease.shard, lease.epoch)
            await asyncio.sleep(STORE_AGAIN_S)

    async def _note(self, webhook: Webhook, outcome: Outcome) -> None:
        try:
            await self._healths.note(webhook, outcome)
        except Exception as error:
            if not is_infrastructure(error):
                raise
            logs.get().warning("the health of a webhook was not noted", webhook=webhook.id)


def body_of(frame: AnyFrame, log: str, seq: int) -> WebhookBody:
    """What is posted of this frame, which lies at this place of UPDATES."""
    return WebhookBody(
        id=frame.id,
        cursor=f"{log}-{seq}",
        type=frame.type,
        session_id=frame.session_id,
        occurred_at=frame.occurred_at,
        data=frame.data,
        v=frame.v,
    )


def test_body(frame_id: str, occurred_at: str, webhook: Webhook) -> WebhookBody:
    """What is posted as a test."""
    said = {"webhookId": webhook.id, "message": "This is a test of your webhook."}
    data = msgspec.Raw(msgspec.json.encode(said))
    return WebhookBody(id=frame_id, cursor=None, type=TEST_TYPE, session_id=None, occurred_at=occurred_at, data=data)


def _now() -> datetime:
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
