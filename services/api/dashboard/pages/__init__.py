"""The pages, one module each, under both languages."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from services.api.dashboard.failing import answer
from services.api.dashboard.pages import (
    audit,
    chats,
    devices,
    keys,
    messages,
    overview,
    plan,
    platform,
    playground,
    settings,
    signin,
    signup,
    simulated,
    team,
    webhook,
    webhooks,
)
from services.api.dashboard.visitors import provide_customer, provide_operator, provide_visitor
from services.api.dashboard.words import LANGUAGES

HANDLERS: list[ControllerRouterHandler] = [
    *signin.handlers,
    *signup.handlers,
    *settings.handlers,
    *audit.handlers,
    *team.handlers,
    *overview.handlers,
    *devices.handlers,
    *keys.handlers,
    *simulated.handlers,
    *playground.handlers,
    *messages.handlers,
    *chats.handlers,
    *platform.handlers,
    *webhook.handlers,
    *webhooks.handlers,
    *plan.handlers,
]


def routers() -> list[Router]:
    """A router for each language."""
    return [
        Router(
            path=f"/{language}/dashboard",
            route_handlers=HANDLERS,
            dependencies={
                "visitor": Provide(provide_visitor),
                "customer": Provide(provide_customer),
                "operator": Provide(provide_operator),
            },
            exception_handlers={Exception: answer},
            include_in_schema=False,
        )
        for language in LANGUAGES
    ]
