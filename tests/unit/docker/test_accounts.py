"""The first passwords of a deployment that was given nothing but its secret keys."""

from __future__ import annotations

import pytest

from infra.docker.accounts import account_settings
from libs.runtime.crypto import KeyRingError
from libs.runtime.settings import SettingsError

ONE = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "k2:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def environment(keys: str, **more: str) -> dict[str, str]:
    return {"MONGODB_URL": "mongodb://mongo/merpati", "MERPATI_SECRET_KEYS": keys} | more


def test_unset_passwords_are_the_same_at_every_start_and_differ_from_each_other() -> None:
    first, again = account_settings(environment(ONE)), account_settings(environment(ONE))
    assert (first.admin_password, first.customer_password) == (again.admin_password, again.customer_password)
    assert first.admin_password != first.customer_password
    assert len(first.admin_password) == 20


def test_two_deployments_have_different_passwords() -> None:
    assert account_settings(environment(ONE)).admin_password != account_settings(environment(OTHER)).admin_password


def test_a_new_first_key_changes_no_password() -> None:
    rotated = account_settings(environment(f"{OTHER},{ONE}"))
    assert rotated.admin_password == account_settings(environment(ONE)).admin_password


@pytest.mark.parametrize("given", ["", "chosen"])
def test_a_password_that_was_set_counts_and_an_empty_one_does_not(given: str) -> None:
    settings = account_settings(environment(ONE, MERPATI_ADMIN_PASSWORD=given))
    assert (settings.admin_password == "chosen") is (given == "chosen")
    assert settings.admin_password


def test_without_secret_keys_the_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="MERPATI_SECRET_KEYS"):
        account_settings(environment(""))


def test_a_broken_key_ring_is_refused() -> None:
    with pytest.raises(KeyRingError):
        account_settings(environment("k1:short"))
