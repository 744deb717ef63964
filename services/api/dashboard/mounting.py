"""Puts the dashboard into the application: all of it, or one route that says why there is none."""

from __future__ import annotations

from litestar import Litestar, Router

from libs.runtime import logs
from services.api.dashboard import pages, serving
from services.api.dashboard.assets import NotBuilt, load
from services.api.dashboard.rendering import Pages

log = logs.get()


def mount(app: Litestar, folder: str) -> None:
    """Add the routes; without built files the API goes on, and its log says that there are no pages."""
    try:
        app.state.pages = Pages(load(folder))
        added: list[Router] = [serving.router, *pages.routers()]
    except NotBuilt as reason:
        log.error("there is no dashboard", reason=str(reason))
        added = [serving.unbuilt_router(reason)]
    for router in added:
        app.register(router)
