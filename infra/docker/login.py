"""`python -m infra.docker.login`: prints the logins and the API key of the first accounts, as JSON, for a person."""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from infra import bootstrap
from infra.docker.accounts import account_settings
from libs.runtime.crypto import KeyRingError
from libs.runtime.settings import SettingsError


class Logins(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `./merpati up` writes to ready.json of them. A password is the first one: its owner may have changed it."""

    email: str
    password: str
    api_key: str
    customer_id: str
    admin_email: str
    admin_password: str


def main() -> int:
    """2 when the settings are wrong."""
    try:
        settings = account_settings(os.environ)
        done = asyncio.run(bootstrap.run(settings))
    except (SettingsError, KeyRingError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logins = Logins(
        email=done.email,
        password=settings.customer_password,
        api_key=done.api_key,
        customer_id=done.customer_id,
        admin_email=done.admin_email,
        admin_password=settings.admin_password,
    )
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(logins)).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
