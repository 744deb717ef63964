"""Puts the dashboard into the application: all of it, or one route that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from litestar import Litestar, Request, Response, Router
from litestar.exceptions import NotFoundException

from libs.runtime import logs
from services.api.dashboard import pages, serving
from services.api.dashboard.assets import NotBuilt, load
from services.api.dashboard.failing import is_read_by_a_person, unknown_page
from services.api.dashboard.rendering import Pages

log = logs.get()


def mount(app: Litestar, folder: str) -> None:
    """Add the routes; without built files the API goes on, and its log says that there are no pages."""
    try:
        app.state.pages = Pages(load(folder))
        added: list[Router] = [serving.router, *pages.routers()]
        show_unknown_pages(app)
    except NotBuilt as reason:
        log.error("there is no dashboard", reason=str(reason))
        added = [serving.unbuilt_router(reason)]
    for router in added:
        app.register(router)


def show_unknown_pages(app: Litestar) -> None:
    """Answers an address that nobody serves with a page where a browser asks, and as before where a program does."""
    as_before = cast("Callable[[Request[Any, Any, Any], Exception], Response[Any]]", app.exception_handlers[Exception])

    def answer(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
        return unknown_page(request) if is_read_by_a_person(request) else as_before(request, error)

    app.exception_handlers[NotFoundException] = answer
