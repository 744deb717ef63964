"""The edge of one process: everything that a request may need, built by `app.build` and reachable as `edge`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection

from libs.runtime.bus import Bus, BusDown
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.health import Health
from libs.runtime.mongo import Client, Database
from services.api.access.key_uses import KeyUses
from services.api.access.limiting import Limiter
from services.api.access.passwords import Passwords
from services.api.access.tokens import Tokens
from services.api.access.watchers import Watchers
from services.api.billing.monthly import MonthlyMessages
from services.api.live.hub import Hub
from services.api.media.decoding import Decoder
from services.api.media.fetching import Fetcher
from services.api.memory import Memory
from services.api.messages.depths import QueueDepths
from services.api.messages.exporting import Exporter
from services.api.messages.publishing import CommandPublisher
from services.api.sessions.owners import Owners
from services.api.sessions.qr import QrPainter
from services.api.settings import Settings


@dataclass(kw_only=True, eq=False)
class Edge:
    """One process's parts; `app.py` starts and stops those that run."""

    settings: Settings
    bus: Bus
    client: Client
    database: Database
    ring: KeyRing
    health: Health
    memory: Memory
    passwords: Passwords
    tokens: Tokens
    painter: QrPainter
    owners: Owners
    crash: CrashPoints
    hub: Hub
    depths: QueueDepths
    commands: CommandPublisher
    fetcher: Fetcher
    decoder: Decoder
    exporter: Exporter
    limiter: Limiter
    uses: KeyUses
    monthly: MonthlyMessages
    watchers: Watchers
    health_port: int = 0
    """Where `/livez` and `/readyz` answer besides; known once it runs."""

    def require_bus(self) -> None:
        """Raises BusDown (503) while NATS is away: then nothing may be accepted, and what is read may be behind."""
        if not self.bus.connected:
            raise BusDown


def edge_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Edge:
    """The edge that serves this connection."""
    edge: Edge = connection.app.state.edge
    return edge


async def provide_edge(request: Request[Any, Any, Any]) -> Edge:
    """Litestar's dependency `edge`."""
    return edge_of(request)
