"""The guard of requests whose target a customer names."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from libs.runtime.address_rules import allow_list_of
from libs.runtime.targets import TargetRefused, addresses_of, fault_of_address, fault_of_host

INSIDE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fd12:3456::1"),
]
NEVER = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9"),  # noqa: S104
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "4000::1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", [*INSIDE, *NEVER])
def test_an_address_inside_or_of_a_special_purpose_is_refused(address: str) -> None:
    assert fault_of_address(address) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert fault_of_address(address) is None


@pytest.mark.parametrize("address", INSIDE)
def test_a_deployment_may_allow_its_own_network(address: str) -> None:
    assert fault_of_address(address, private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_special_addresses_stay_refused_even_then(address: str) -> None:
    assert fault_of_address(address, private=True) is not None


@pytest.mark.parametrize(
    "host",
    [
        *("", "2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.1.", "1.2.3.256"),
        *("0x7f.0.0.1", "example.0x1", "fe80::1%eth0", "1::2::3", "a" * 254),
    ],
)
def test_a_number_that_is_no_address_of_the_usual_form_is_refused(host: str) -> None:
    assert fault_of_host(host) is not None


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "2606:4700::1111", "1.example", "0x7f.example.com"])
def test_a_name_and_a_plain_address_are_looked_at_further(host: str) -> None:
    assert fault_of_host(host) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1", "2130706433"])
async def test_a_host_that_leads_inside_is_refused(host: str) -> None:
    with pytest.raises(TargetRefused):
        await addresses_of(host, 80)


async def test_only_the_public_addresses_of_a_name_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("10.0.0.1", "8.8.8.8", "169.254.169.254")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert await addresses_of("example.com", 80) == ["8.8.8.8"]


async def test_a_name_that_nobody_knows_is_an_error_of_its_own() -> None:
    with pytest.raises(OSError, match=r".+"):
        await addresses_of("nowhere.invalid", 80)


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Lets every name have these addresses."""

    def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


async def test_a_host_that_the_operator_names_may_lie_anywhere_but_where_metadata_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolves_to(monkeypatch, "10.0.0.1", "127.0.0.1", "198.18.0.1", "169.254.169.254", "168.63.129.16")
    allowed = allow_list_of("proxy.internal")
    assert await addresses_of("Proxy.internal.", 80, allowed=allowed) == ["10.0.0.1", "127.0.0.1", "198.18.0.1"]
    with pytest.raises(TargetRefused, match="MERPATI_PROXY_ALLOWED"):
        await addresses_of("other.internal", 80, allowed=allowed)


async def test_a_network_that_the_operator_allows_is_allowed_under_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "10.1.0.1", "10.2.0.1", "192.168.0.1")
    assert await addresses_of("proxy.example", 80, allowed=allow_list_of("10.2.0.0/16")) == ["10.2.0.1"]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_a_name_that_cannot_be_one_is_refused(host: str) -> None:
    with pytest.raises(TargetRefused):
        await addresses_of(host, 80)
