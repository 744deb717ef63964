"""Makes the indexes of every collection that api writes."""

from __future__ import annotations

from types import ModuleType

from libs.runtime.mongo import Database
from services.api.access import store_attempts, store_keys, store_rates
from services.api.accounts import store_audit, store_customers, store_users
from services.api.billing import monthly, store_plans, store_transactions
from services.api.chats import store_groups
from services.api.media import store_media
from services.api.messages import idempotency, store_templates
from services.api.platform import store_fleet
from services.api.sessions import store_sessions
from services.api.webhooks import store_webhooks

STORES: tuple[ModuleType, ...] = (
    idempotency,
    monthly,
    store_attempts,
    store_audit,
    store_customers,
    store_fleet,
    store_groups,
    store_keys,
    store_media,
    store_plans,
    store_rates,
    store_sessions,
    store_templates,
    store_transactions,
    store_users,
    store_webhooks,
)
"""Each has `INDEXES`: collection name -> index models."""


async def make_indexes(database: Database) -> None:
    """Make what is missing. May run twice, and at the same time."""
    for store in STORES:
        for collection, models in store.INDEXES.items():
            await database[collection].create_indexes(models)
