"""`python -m infra.topology` against a NATS that stands still, or is not there."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from infra.local.ports import free_port
from infra.topology import make_streams
from libs.runtime.bus import PUBLISH_TIMEOUT_S, Bus
from tests.servers import NatsServer


async def test_streams_are_made_though_the_server_stands_still_for_a_while(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect = Bus.connect

    async def and_stand_still(bus: Bus) -> None:
        await connect(bus)
        os.kill(nats_server.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(PUBLISH_TIMEOUT_S + 1, os.kill, nats_server.pid, signal.SIGCONT)

    monkeypatch.setattr(Bus, "connect", and_stand_still)
    assert await make_streams(nats_server.url) == 0
    assert "COMMANDS: missing -> made so" in capsys.readouterr().out
    monkeypatch.setattr(Bus, "connect", connect)
    assert await make_streams(nats_server.url) == 0
    assert capsys.readouterr().out == "streams are as the contract says\n"


async def test_a_server_that_is_not_there_is_waited_for_in_vain() -> None:
    with pytest.raises(TimeoutError):
        await make_streams(f"nats://127.0.0.1:{free_port()}", timeout_s=0.5)
