"""Examples of the JSON bodies about users, sign-ins and API keys."""

from __future__ import annotations

from typing import Any

_PASSWORD = "correct horse battery"  # noqa: S105 - an example

ACCOUNTS: dict[str, dict[str, Any]] = {
    "change_password": {"both": {"currentPassword": _PASSWORD, "newPassword": "horse battery staple"}},
    "create_user": {
        "member": {"name": "Bu Sari", "email": "sari@example.com", "password": _PASSWORD},
        "owner": {"name": "Pak Budi", "email": "budi@example.com", "password": _PASSWORD, "role": "owner"},
    },
    "update_user": {"promote": {"role": "owner"}, "switch off": {"isActive": False}},
    "reset_user_password": {"password": {"password": _PASSWORD}},
    "create_key": {
        "short": {"name": "Shop"},
        "narrow": {
            "name": "Till",
            "scopes": ["send"],
            "sessions": ["shop"],
            "addresses": ["203.0.113.0/24", "2001:db8::/48"],
            "expiresAt": "2030-01-01T00:00:00Z",
            "requestsPerMinute": 600,
            "messagesPerMinute": 60,
        },
    },
    "update_key": {"slower": {"messagesPerMinute": 20}, "from anywhere": {"addresses": None}},
    "sign_up": {
        "shop": {"name": "Bu Sari", "email": "sari@example.com", "password": _PASSWORD, "company": "Toko Kopi"}
    },
    "create_admin": {"reader": {"username": "rina", "password": _PASSWORD, "role": "ADMIN"}},
    "update_admin": {"promote": {"role": "SUPER_ADMIN"}},
    "set_admin_password": {"password": {"password": _PASSWORD}},
    "create_api_token": {"with an end": {"name": "Till", "expiresAt": "2030-01-31"}},
    "reset_any_password": {"given": {"password": _PASSWORD}, "made up": {}},
    "rotate_key": {"with an overlap": {"overlap": 3600}},
}
