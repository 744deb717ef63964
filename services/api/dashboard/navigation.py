"""What stands in the sidebar: groups of pages, and who sees them."""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A page: its address below `/<language>/dashboard`, or from the root; the key of its word; its icon.

    `scope` is what a person needs to have it; empty: nothing.
    """

    key: str
    path: str
    icon: str
    from_root: bool = False
    scope: str = ""

    def address(self, language: str) -> str:
        """Where it is."""
        return self.path if self.from_root else f"/{language}/dashboard/{self.path}"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Pages under one heading."""

    key: str
    items: tuple[Item, ...]


WHATSAPP = Group(
    key="nav.whatsapp",
    items=(
        Item(key="nav.overview", path="whatsapp", icon="layout-dashboard"),
        Item(key="nav.devices", path="whatsapp/devices", icon="smartphone"),
        Item(key="nav.messages", path="whatsapp/messages", icon="messages-square"),
        Item(key="nav.chats", path="whatsapp/chats", icon="message-circle"),
        Item(key="nav.playground", path="whatsapp/playground", icon="send"),
        Item(key="nav.webhooks", path="whatsapp/webhooks", icon="webhook", scope="webhooks"),
        Item(key="nav.plan", path="whatsapp/plan", icon="wallet"),
    ),
)
PLATFORM = Group(
    key="nav.platform",
    items=(
        Item(key="nav.platform_overview", path="platform", icon="gauge"),
        Item(key="nav.platform_customers", path="platform/customers", icon="users"),
        Item(key="nav.platform_plans", path="platform/plans", icon="package"),
        Item(key="nav.platform_payments", path="platform/payments", icon="receipt"),
        Item(key="nav.platform_sessions", path="platform/sessions", icon="smartphone"),
        Item(key="nav.platform_replicas", path="platform/replicas", icon="network"),
        Item(key="nav.platform_letters", path="platform/letters", icon="mail-x"),
        Item(key="nav.platform_state", path="platform/state", icon="database"),
    ),
)
"""What the platform's own users see in the place of the services."""
STARTS = ("whatsapp", "platform")
"""Pages whose addresses begin those of others."""
ACCOUNT = Group(
    key="nav.account",
    items=(
        Item(key="nav.settings", path="settings", icon="settings"),
        Item(key="nav.team", path="team", icon="users", scope="admin"),
    ),
)
HELP = Group(key="nav.help", items=(Item(key="nav.docs", path="/docs", icon="book-open", from_root=True),))
SERVICES: tuple[Group, ...] = (WHATSAPP,)
"""The groups below "Services"."""
