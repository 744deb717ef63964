"""Settings are read once with all faults together; the key ring seals, opens and refuses."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidTag

from libs.runtime.crypto import KeyRing, KeyRingError
from libs.runtime.settings import CommonSettings, SettingsError, read

ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(CommonSettings, {"NATS_URL": "nats://x", "MERPATI_SHARDS": "many"})
    assert len(caught.value.faults) == 3
    assert any(fault.startswith("MERPATI_SHARDS:") for fault in caught.value.faults)
    assert "MONGODB_URL is not set" in caught.value.faults


def test_an_empty_variable_counts_as_unset() -> None:
    settings = read(
        CommonSettings, {"NATS_URL": "n", "MONGODB_URL": "m", "MERPATI_SECRET_KEYS": "k", "MERPATI_SHARDS": ""}
    )
    assert settings.shards == 32


def test_a_value_is_sealed_for_its_row_alone() -> None:
    ring = KeyRing.parse(f"a:{ONE}")
    sealed = ring.seal(b"secret", about="row-1")
    assert ring.open(sealed, about="row-1") == b"secret"
    with pytest.raises(InvalidTag):
        ring.open(sealed, about="row-2")


def test_an_older_key_still_opens_and_the_first_seals() -> None:
    old = KeyRing.parse(f"a:{ONE}").seal(b"x", about="r")
    ring = KeyRing.parse(f"b:{TWO},a:{ONE}")
    assert ring.open(old, about="r") == b"x"
    assert ring.seal(b"y", about="r").startswith("b.")


@pytest.mark.parametrize("text", ["", "a:short", f":{ONE}", "a:!!!", "a:" + base64.b64encode(b"31 bytes").decode()])
def test_a_wrong_ring_is_refused_in_words(text: str) -> None:
    with pytest.raises(KeyRingError, match="MERPATI_SECRET_KEYS"):
        KeyRing.parse(text)


def test_a_value_of_an_unknown_key_says_which() -> None:
    sealed = KeyRing.parse(f"a:{ONE}").seal(b"x", about="r")
    with pytest.raises(KeyRingError, match="'a'"):
        KeyRing.parse(f"b:{TWO}").open(sealed, about="r")
