"""Removes media whose time is over; every edge does, and they do not disturb each other."""

from __future__ import annotations

import asyncio
import random

from pymongo.errors import PyMongoError

from libs.runtime import logs
from libs.runtime.mongo import Database
from services.api.media.store_media import drop_media_past
from services.api.times import now

EVERY_S = 3600.0
MOST_AT_ONCE = 100

log = logs.get()


async def keep_media_within_their_time(database: Database) -> None:
    """Remove them once an hour, for ever; the replicas of a deployment drift apart."""
    while True:
        await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads work, guards nothing
        try:
            while (dropped := await drop_media_past(database, now(), most=MOST_AT_ONCE)) > 0:
                log.info("media were removed, their time was over", files=dropped)
        except PyMongoError as error:
            log.warning("media could not be removed; tried again in an hour", reason=type(error).__name__)
