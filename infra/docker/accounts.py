"""The settings of the first accounts; passwords that nobody set come from the key ring."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from infra.bootstrap import BootstrapSettings
from libs.runtime.crypto import KeyRing
from libs.runtime.settings import read

PASSWORD_BYTES = 15


def account_settings(environ: Mapping[str, str]) -> BootstrapSettings:
    """Read from the environment. Raises SettingsError, KeyRingError."""
    ring_text = environ.get("MERPATI_SECRET_KEYS", "")
    derived = _passwords(KeyRing.parse(ring_text)) if ring_text else {}
    return read(BootstrapSettings, derived | {name: value for name, value in environ.items() if value})


def _passwords(ring: KeyRing) -> dict[str, str]:
    """A deployment starts with its secret keys alone, and still no two have the same password.

    From the oldest key, the last of the ring: a new first key changes no password.
    """
    variables = {"MERPATI_ADMIN_PASSWORD": "password/admin", "MERPATI_CUSTOMER_PASSWORD": "password/owner"}
    return {
        name: base64.urlsafe_b64encode(ring.derive_all(purpose)[-1][:PASSWORD_BYTES]).decode()
        for name, purpose in variables.items()
    }
