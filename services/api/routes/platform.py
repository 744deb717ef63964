"""The routes of the platform's own users, below `/api/platform`: administrators write, support reads."""

from __future__ import annotations

from services.api.routes import (
    platform_customers,
    platform_letters,
    platform_operation,
    platform_plans,
    platform_subscriptions,
    platform_transactions,
)

routers = (
    platform_customers.router,
    platform_plans.router,
    platform_subscriptions.router,
    platform_transactions.router,
    platform_letters.router,
    platform_operation.router,
)
