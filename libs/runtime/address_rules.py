"""Kinds of network addresses (`libs/contracts/addresses.json`), and which of them an operator allows."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path

import msgspec

from libs import contracts

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file; each entry says what the network is, or whose."""

    inside: dict[str, str]
    special: dict[str, str]
    public_ipv6: str
    metadata: dict[str, str]
    metadata_names: dict[str, str]
    wrapped_ipv4: dict[str, list[tuple[int, int, int, int]]]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    inside: tuple[Network, ...]
    """This machine, private networks and carrier-grade NAT."""
    special: tuple[Network, ...]
    """IANA's registries: no public server is there."""
    public_ipv6: IPv6Network
    """All that is handed out. Mapped and compatible IPv4, NAT64, link-local and multicast lie outside of it."""
    metadata: tuple[Network, ...]
    """Where clouds keep credentials: refused whatever an operator allows."""
    metadata_names: frozenset[str]
    wrapped_ipv4: dict[IPv6Network, list[tuple[int, int, int, int]]]
    """Networks whose addresses hold an IPv4 address, and at which of their bytes (RFC 3056, 4291, 6052, 8215)."""


class AllowList(msgspec.Struct, frozen=True, kw_only=True):
    """Networks and names of hosts that an operator allows, whatever their addresses are."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def has_address(self, address: Address) -> bool:
        """Whether a network of it holds this address."""
        return any(address in network for network in self.networks)

    def has_host(self, host: str) -> bool:
        """Whether it names this host."""
        return normal_name(host) in self.hosts


EVERYWHERE = AllowList(networks=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))


@cache
def rules() -> Rules:
    """Those of the file, read once in a process."""
    file = Path(contracts.__path__[0]) / "addresses.json"
    listed = msgspec.json.decode(file.read_bytes(), type=_Listed)
    return Rules(
        inside=tuple(map(ip_network, listed.inside)),
        special=tuple(map(ip_network, listed.special)),
        public_ipv6=IPv6Network(listed.public_ipv6),
        metadata=tuple(map(ip_network, listed.metadata)),
        metadata_names=frozenset(listed.metadata_names),
        wrapped_ipv4={IPv6Network(network): places for network, places in listed.wrapped_ipv4.items()},
    )


def is_metadata(address: Address) -> bool:
    """Whether a cloud's metadata service answers there, also when its IPv4 address comes within an IPv6 one."""
    found = [address, *(wrapped_in(address) if isinstance(address, IPv6Address) else ())]
    return any(each in network for each in found for network in rules().metadata)


def wrapped_in(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that it may hold: mapped, compatible, translated, NAT64 and 6to4."""
    packed = address.packed
    return [
        IPv4Address(bytes(packed[place] for place in places))
        for network, wrapped in rules().wrapped_ipv4.items()
        if address in network
        for places in wrapped
    ]


def normal_name(host: str) -> str:
    """The host's name as it is compared."""
    return host.lower().removesuffix(".")


def is_numeric(host: str) -> bool:
    """Whether the host ends in a number, so that some library would read it as an address."""
    return _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None


def allow_list_of(text: str) -> AllowList:
    """`10.0.0.0/8,2001:db8::5,proxy.internal` as a list. Raises ValueError, naming what is neither."""
    networks: list[Network] = []
    hosts: set[str] = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name = normal_name(entry)
        if _NAME.fullmatch(name) and not is_numeric(name):
            hosts.add(name)
        else:
            networks.append(_network_of(entry))
    return AllowList(networks=tuple(networks), hosts=frozenset(hosts))


def _network_of(entry: str) -> Network:
    try:
        if "%" in entry:
            raise ValueError("a zone")
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(f"{entry[:60]!r} is no network in CIDR notation, no address and no host name") from error
