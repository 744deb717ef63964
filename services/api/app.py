"""Builds and runs the edge: the only place that constructs its parts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import AsyncGenerator

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.types import ASGIApp

from libs.runtime import logs
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.health import Health, HealthServer
from libs.runtime.mongo import connect, database
from libs.runtime.settings import SettingsError
from libs.runtime.tasks import end
from libs.runtime.topology import drift
from services.api.access.auth import provide_caller, provide_me, provide_operator
from services.api.access.guard import give_rules, guard
from services.api.access.key_uses import KeyUses
from services.api.access.limiting import Limiter
from services.api.access.passwords import Passwords
from services.api.access.tokens import Tokens
from services.api.access.watchers import Watchers
from services.api.billing.monthly import MonthlyMessages
from services.api.billing.notices import keep_telling
from services.api.context import Edge, provide_edge
from services.api.dashboard.mounting import mount
from services.api.description.openapi import openapi_config
from services.api.errors import handlers
from services.api.live.hub import Hub
from services.api.media.decoding import Decoder
from services.api.media.fetching import Fetcher
from services.api.media.retention import keep_media_within_their_time
from services.api.memory import Memory
from services.api.messages.depths import QueueDepths
from services.api.messages.exporting import Exporter
from services.api.messages.publishing import CommandPublisher
from services.api.routes import (
    account,
    admin_w,
    admins,
    api_tokens,
    apikeys,
    audit,
    auth,
    billing,
    chats,
    contacts,
    credits,
    exports,
    groups,
    health,
    keys,
    logins,
    media,
    messages,
    pairing,
    platform,
    platform_credits,
    platform_users,
    public,
    purchases,
    queues,
    sessions,
    signup,
    single,
    stats,
    stream,
    system,
    templates,
    users,
    webhooks,
)
from services.api.serving import Server, listening_socket
from services.api.sessions.owners import Owners
from services.api.sessions.qr import QrPainter
from services.api.settings import Settings, load
from services.api.web.bodies import TEXT_BYTES, EdgeRequest
from services.api.web.connections import THIS_MACHINE, Crowd
from services.api.web.door import Door
from services.api.web.rawpath import RawPath

GC_THRESHOLDS = (20_000, 20, 50)
"""A request makes hundreds of objects and hardly a cycle: with Python's 700 the collector took a fifth of its time."""


def build(settings: Settings) -> Litestar:
    """The Litestar application; its edge is at `app.state.edge`. Starts nothing before its lifespan."""
    app = application(settings.body_bytes, settings.dashboard_assets)
    app.state.edge = build_edge(settings)
    return app


def application(body_bytes: int, dashboard_assets: str) -> Litestar:
    """Every route, without the edge that answers: requests find that at `app.state.edge`."""
    app = Litestar(
        route_handlers=routers(body_bytes),
        dependencies={
            "edge": Provide(provide_edge),
            "caller": Provide(provide_caller),
            "operator": Provide(provide_operator),
            "me": Provide(provide_me),
        },
        exception_handlers={**handlers()},
        guards=[guard],
        lifespan=[_running],
        logging_config=None,
        openapi_config=openapi_config(),
        request_class=EdgeRequest,
        request_max_body_size=TEXT_BYTES,
    )
    mount(app, dashboard_assets)
    give_rules(app)
    return app


def build_edge(settings: Settings) -> Edge:
    """The parts of one edge, none of them started."""
    bus = Bus(settings.nats_url, name=settings.replica)
    client = connect(settings.mongodb_url, app=settings.replica, timeout_ms=settings.database_timeout_ms)
    ring = KeyRing.parse(settings.secret_keys)
    edge = Edge(
        settings=settings,
        bus=bus,
        client=client,
        database=database(client),
        ring=ring,
        health=Health(),
        memory=Memory(bus, life_s=settings.cache_s, entries=settings.cache_entries),
        passwords=Passwords(at_once=settings.password_checks, queue=settings.password_queue),
        tokens=Tokens(ring),
        painter=QrPainter(),
        owners=Owners(),
        crash=CrashPoints(settings.crash_at),
        hub=Hub(bus),
        depths=QueueDepths(database(client)),
        commands=CommandPublisher(bus),
        fetcher=Fetcher(private=settings.private_targets),
        decoder=Decoder(at_once=settings.decodes, queue=settings.decode_queue, within_s=settings.decode_s),
        exporter=Exporter(database(client)),
        limiter=Limiter(database(client)),
        uses=KeyUses(database(client)),
        monthly=MonthlyMessages(database(client)),
        watchers=Watchers(),
    )
    _add_checks(edge)
    return edge


def routers(body_bytes: int) -> list[Router]:
    """Every router of the edge. Media come within the JSON of messages, up to `body_bytes`."""
    return [
        account.router,
        auth.router,
        apikeys.router,
        billing.router,
        contacts.router,
        credits.router,
        exports.router,
        groups.router,
        health.router,
        keys.router,
        logins.router,
        media.router,
        Router(path="/", route_handlers=[messages.sending], request_max_body_size=body_bytes),
        messages.router,
        pairing.router,
        queues.router,
        platform_credits.router,
        public.router,
        purchases.router,
        sessions.router,
        stats.router,
        stream.router,
        system.router,
        webhooks.router,
        templates.single_session_router,
        chats.router,
        templates.router,
        admins.router,
        api_tokens.router,
        platform_users.router,
        signup.router,
        users.router,
        *audit.routers,
        *platform.routers,
        *admin_w.routers,
        *single.routers,
    ]


def front(app: Litestar) -> ASGIApp:
    """The application as it is served: the door around the raw paths around Litestar."""
    edge: Edge = app.state.edge
    return Door(RawPath(app), origins=edge.settings.origins(), proxies=edge.settings.proxies())


def _add_checks(edge: Edge) -> None:
    async def mongodb() -> str | None:
        await edge.client.admin.command("ping")
        return None

    async def streams() -> str | None:
        return await drift(edge.bus.jetstream)

    edge.health.add("nats", edge.bus.fault)
    edge.health.add("mongodb", mongodb)
    edge.health.add("streams", streams)
    edge.health.add("live", edge.hub.fault)


@contextlib.asynccontextmanager
async def _running(app: Litestar) -> AsyncGenerator[None]:
    """Connects in the background, so that the edge answers 503, and /livez, while NATS is not there yet."""
    edge: Edge = app.state.edge
    server = HealthServer(edge.health, host=edge.settings.health_host, port=edge.settings.health_port)
    edge.health_port = await server.start()
    tasks = (
        asyncio.create_task(_connect(edge), name="connect"),
        asyncio.create_task(keep_media_within_their_time(edge.database), name="retention"),
        asyncio.create_task(keep_telling(edge), name="notices"),
    )
    try:
        yield
    finally:
        await end(*tasks)
        await edge.hub.stop()
        await edge.memory.stop()
        await edge.uses.stop()
        await edge.bus.close()
        await edge.client.close()
        await server.stop()


async def _connect(edge: Edge) -> None:
    await edge.bus.connect()
    edge.hub.start()
    await edge.memory.start()


# --- The process -----------------------------------------------------------------------------------------------------


def server_of(app: Litestar, settings: Settings) -> Server:
    """What serves the application; its end asks everybody who waits to end."""
    edge: Edge = app.state.edge
    crowd = Crowd(most=settings.connections_per_address, exempt=(*settings.proxies(), *THIS_MACHINE))
    return Server(front(app), crowd=crowd, drain_s=settings.drain_s, end_waits=edge.hub.begin_to_end)


def main() -> int:
    """Run until SIGTERM; 2 when the settings are wrong."""
    try:
        settings = load(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(service="api", replica=settings.replica, level=settings.log_level)
    app = build(settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with listening_socket(settings.host, settings.port) as listener:
        serving = server_of(app, settings)
        serving.run(sockets=[listener])
    return 0 if serving.started else 1


if __name__ == "__main__":
    sys.exit(main())
