"""The cases that both guards keep: this one, and that of the engine (`guard_test.go`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.address_rules import EVERYWHERE, allow_list_of, rules
from libs.runtime.targets import PRIVATE, PRIVATE_PROXY, SPECIAL, fault_of_address, fault_of_host

CASES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "contracts" / "address_cases.json").read_text())
ADDRESSES, HOSTS = CASES["addresses"], CASES["hosts"]


@pytest.mark.parametrize("address", ADDRESSES["public"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert fault_of_address(address) is None


@pytest.mark.parametrize("address", ADDRESSES["inside"])
def test_an_address_inside_is_refused_with_the_setting_that_allows_it(address: str) -> None:
    assert fault_of_address(address) == PRIVATE
    assert fault_of_address(address, allowed=allow_list_of("")) == PRIVATE_PROXY
    assert fault_of_address(address, private=True) is None
    assert fault_of_address(address, allowed=EVERYWHERE) is None


@pytest.mark.parametrize("address", ADDRESSES["special"])
def test_a_special_address_is_allowed_by_name_alone(address: str) -> None:
    assert fault_of_address(address) not in (None, PRIVATE)
    assert fault_of_address(address, private=True) is not None
    assert fault_of_address(address, allowed=allow_list_of(address)) is None


@pytest.mark.parametrize("address", ADDRESSES["metadata"])
def test_a_clouds_metadata_is_refused_whatever_is_allowed(address: str) -> None:
    assert fault_of_address(address) == SPECIAL
    assert fault_of_address(address, private=True) == SPECIAL
    assert fault_of_address(address, private=True, allowed=EVERYWHERE) == SPECIAL
    assert fault_of_address(address, allowed=allow_list_of(address)) == SPECIAL


@pytest.mark.parametrize("host", HOSTS["taken"])
def test_a_host_of_the_usual_form_is_looked_at_further(host: str) -> None:
    assert fault_of_host(host) is None


@pytest.mark.parametrize("host", HOSTS["refused"])
def test_a_host_that_could_be_read_in_two_ways_is_refused(host: str) -> None:
    assert fault_of_host(host) not in (None, SPECIAL)


@pytest.mark.parametrize("host", sorted({*HOSTS["metadata"], *rules().metadata_names}))
def test_the_name_of_a_metadata_service_is_refused(host: str) -> None:
    assert fault_of_host(host) == SPECIAL


@pytest.mark.parametrize("case", CASES["allow_lists"])
def test_an_allow_list_has_its_networks_and_hosts_and_no_other(case: dict[str, Any]) -> None:
    allowed = allow_list_of(case["list"])
    for address in case["has_addresses"]:
        assert fault_of_address(address, allowed=allowed) is None, address
    for address in case["lacks_addresses"]:
        assert (fault_of_address(address, allowed=allowed) is None) == (fault_of_address(address) is None), address
    assert [host for host in case["has_hosts"] if not allowed.has_host(host)] == []
    assert [host for host in case["lacks_hosts"] if allowed.has_host(host)] == []


@pytest.mark.parametrize("text", CASES["no_allow_lists"])
def test_an_entry_that_is_neither_network_nor_host_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no network in CIDR notation"):
        allow_list_of(text)
