"""Reads what the edge has published to COMMANDS, as sender would."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from nats.aio.msg import Msg

from libs.contracts.commands import SendCommand, SendMessage
from libs.contracts.ids import COMMANDS
from libs.runtime.bus import Bus
from libs.runtime.replay import ReplayBroken, stored_after
from tests.integration.api.edges import BOUND_S, Site


async def everything(bus: Bus, stream: str, subject: str) -> list[Msg]:
    """What the stream holds of this subject, in order; a server that was slow to tell it is asked again."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                return [message async for _, message in stored_after(bus, stream, subject, 0)]
            except ReplayBroken:
                await asyncio.sleep(0.05)


async def commands(site: Site) -> list[Any]:
    """All commands for sender, in order."""
    stored = await everything(site.edge.bus, COMMANDS, "cmd.send.>")
    return [msgspec.json.decode(message.data, type=SendCommand) for message in stored]


async def only_send(site: Site) -> SendMessage:
    """The one SendMessage there is."""
    (found,) = await commands(site)
    assert isinstance(found, SendMessage)
    return found


async def new_session(site: Site, name: str = "Sales") -> str:
    """The id of a new session."""
    made = await site.call("POST", "/sessions", json={"name": name})
    assert made.status_code == 200, made.text
    return made.json()["session"]["id"]
