"""Wrong settings stop the sessions service at its start, with a message that names them."""

from __future__ import annotations

from services.sessions.app import faults_of
from services.sessions.settings import Settings

NEEDED = {"nats_url": "nats://a", "mongodb_url": "mongodb://a/b", "secret_keys": "k", "network": "scripted"}


def test_a_list_of_allowed_proxies_that_cannot_be_read_is_a_fault() -> None:
    assert faults_of(Settings(**NEEDED, proxy_allowed="10.0.0.0/8,proxy.internal")) == []  # type: ignore[arg-type]
    (fault,) = faults_of(Settings(**NEEDED, proxy_allowed="10.0.0.1/8"))  # type: ignore[arg-type]
    assert fault.startswith("MERPATI_PROXY_ALLOWED: '10.0.0.1/8' is no network in CIDR notation")
