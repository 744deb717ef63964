"""Where a request comes from, and what an address list lets through."""

from __future__ import annotations

import pytest

from services.api.web.addresses import address_of, block_of, client_of, is_among, networks_of

PROXIES = networks_of(("10.0.0.0/8", "2001:db8:ff::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("203.0.113.7", "", "203.0.113.7", id="no proxy at all"),
        pytest.param("203.0.113.7", "198.51.100.1", "203.0.113.7", id="a stranger's word is not believed"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="one proxy"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1", id="two proxies"),
        pytest.param("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1", id="what the client wrote is passed by"),
        pytest.param("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1", id="nonsense ends the search"),
        pytest.param("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2", id="nothing but proxies: the first of them"),
        pytest.param("::ffff:10.0.0.1", "[2001:db8::1]:443", "2001:db8::1", id="IPv6 forms"),
        pytest.param("2001:db8:ff::1", "198.51.100.1:4711", "198.51.100.1", id="with a port"),
        pytest.param("", "198.51.100.1", "", id="a peer without an address"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_proxy(peer: str, forwarded: str, expected: str) -> None:
    assert client_of(peer, forwarded, PROXIES) == expected


def test_without_trusted_proxies_nothing_forwarded_is_believed() -> None:
    assert client_of("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "allowed", "expected"),
    [
        pytest.param("203.0.113.7", ("203.0.113.7",), True, id="itself"),
        pytest.param("203.0.113.7", ("203.0.113.0/24",), True, id="its network"),
        pytest.param("203.0.114.7", ("203.0.113.0/24",), False, id="another network"),
        pytest.param("203.0.113.7", ("198.51.100.0/24", "203.0.113.0/24"), True, id="the second of two"),
        pytest.param("::ffff:203.0.113.7", ("203.0.113.0/24",), True, id="IPv4 dressed as IPv6"),
        pytest.param("2001:db8::5", ("2001:db8::/32",), True, id="IPv6"),
        pytest.param("2001:db8::5", ("0.0.0.0/0",), False, id="all of IPv4 is not IPv6"),
        pytest.param("", ("0.0.0.0/0", "::/0"), False, id="no address"),
        pytest.param("203.0.113.7", (), False, id="nobody is allowed"),
    ],
)
def test_an_address_is_among_networks(address: str, allowed: tuple[str, ...], expected: bool) -> None:
    assert is_among(address, allowed) is expected


@pytest.mark.parametrize("text", ["", "300.1.1.1", "203.0.113.0/33", "203.0.113.7/24", "example.com", "1", "0x7f.1"])
def test_what_is_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="no IP address and no network"):
        networks_of((text,))


@pytest.mark.parametrize("text", ["", "nonsense", "1.2.3", "1.2.3.4.5", "[nonsense]", ":::"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert address_of(text) is None


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", "unknown"),
    ],
    ids=["IPv4", "IPv6", "IPv4 dressed as IPv6", "none"],
)
def test_attempts_are_counted_by_what_one_machine_has(address: str, block: str) -> None:
    assert block_of(address) == block
