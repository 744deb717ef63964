"""Network addresses: which one a request comes from, and whether it is among those that are allowed."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from services.api.remembering import remembered

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MOST_HOPS = 20
MOST_CHARACTERS = 64
"""An address has no more, with its port; longer texts are not remembered."""


def networks_of(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks in `203.0.113.0/24`, `2001:db8::/32` or `203.0.113.7`. Raises ValueError, naming what is none."""
    return tuple(_network(text.strip()) for text in texts)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is no IP address and no network in CIDR notation") from error


@lru_cache(maxsize=1024)
def _known_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return networks_of(texts)


def is_among(address: str, allowed: tuple[str, ...]) -> bool:
    """Whether the address lies in one of these networks; one that cannot be read lies in none."""
    found = address_of(address)
    return found is not None and any(found in network for network in _known_networks(allowed))


@remembered(most=4096, longest=MOST_CHARACTERS)
def address_of(text: str) -> Address | None:
    """The address in `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1` or `[2001:db8::1]:1234`, else None.

    An IPv4 address that comes dressed as IPv6 (`::ffff:203.0.113.7`) is the IPv4 address.
    """
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def block_of(text: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 network of an IPv6 one, which one machine has to itself."""
    found = address_of(text)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return str(found) if found is not None else "unknown"


def client_of(peer: str, forwarded_for: str, proxies: tuple[Network, ...]) -> str:
    """The address of the client: `peer`, unless that is one of our proxies, which told it in `X-Forwarded-For`.

    Each proxy appends whom it heard from, so the list is read from its end, past our own proxies; what stands before
    the first address that is not ours was written by the client, and is not believed.
    """
    nearest = address_of(peer)
    if nearest is None:
        return ""
    if not proxies or not _is_ours(nearest, proxies):
        return str(nearest)
    for hop in reversed(forwarded_for.split(",")[-MOST_HOPS:]):
        told = address_of(hop)
        if told is None:
            break
        nearest = told
        if not _is_ours(told, proxies):
            break
    return str(nearest)


def _is_ours(address: Address, proxies: tuple[Network, ...]) -> bool:
    return any(address in network for network in proxies)
