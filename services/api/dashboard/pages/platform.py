"""The pages of the platform's own users: administrators change things there, support reads."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from services.api.dashboard.pages import (
    platform_customer,
    platform_customers,
    platform_letters,
    platform_overview,
    platform_payments,
    platform_plans,
    platform_replicas,
    platform_sessions,
    platform_state,
)

handlers: list[ControllerRouterHandler] = [
    *platform_overview.handlers,
    *platform_customers.handlers,
    *platform_customer.handlers,
    *platform_plans.handlers,
    *platform_payments.handlers,
    *platform_sessions.handlers,
    *platform_replicas.handlers,
    *platform_letters.handlers,
    *platform_state.handlers,
]
