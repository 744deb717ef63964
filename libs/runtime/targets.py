"""The guard of requests that a customer names the target of: which addresses this deployment connects to for them.

Resolve once with `addresses_of` and connect to exactly one of the addresses it returns, for each connection anew, also
after a redirect: then a name that resolves to something else the second time cannot lead inside.
"""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Network = IPv4Network | IPv6Network

_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_MAX_HOST = 253


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(IPv6Network(text) if ":" in text else IPv4Network(text) for text in texts)


INSIDE = _networks(
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"
)
"""Loopback, private and carrier-grade NAT: refused, unless the deployment allows private targets."""
NEVER = _networks(
    "0.0.0.0/8",  # "this network"; Linux connects 0.0.0.0 to itself
    "169.254.0.0/16",  # link-local: where clouds keep their credentials
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",  # Teredo, ORCHID and other protocol assignments
    "2001:db8::/32",
    "2002::/16",  # 6to4 wraps any IPv4 address
    "3fff::/20",
)
"""Special addresses (IANA's registries), where no public server is."""
PUBLIC_IPV6 = IPv6Network("2000::/3")
"""All that is handed out. Mapped and compatible IPv4, NAT64, link-local and multicast lie outside of it."""


PRIVATE = "it lies on this machine or in a private network, which the operator allows by MERPATI_PRIVATE_TARGETS=1"


class TargetRefused(Exception):
    """This target is not connected to; `reason` completes the sentence "The address is refused: ..."."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the address is refused: {reason}")


def fault_of_host(host: str) -> str | None:
    """What is wrong with the spelling of a host, or None.

    Libraries read `2130706433`, `0x7f.1` and `0177.0.0.1` as addresses, so a host that ends in a number has to be one
    of the usual form.
    """
    if not host or len(host) > _MAX_HOST:
        return "it names no host"
    if ":" in host:
        return _fault_of_literal(host)
    last = host.rstrip(".").rpartition(".")[2]
    if not _NUMERIC.fullmatch(last):
        return None
    return _fault_of_literal(host)


def _fault_of_literal(host: str) -> str | None:
    if "%" in host:
        return "an address with a zone is not taken"
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, UnicodeError):
        return "it is not an IP address of the usual form"
    return None


def fault_of_address(text: str, *, private: bool = False) -> str | None:
    """Why nothing connects to this IP address, or None. With `private`, one's own network and machine are allowed."""
    address: IPv4Address | IPv6Address = IPv6Address(text) if ":" in text else IPv4Address(text)
    if any(address in network for network in INSIDE):
        return None if private else PRIVATE
    if any(address in network for network in NEVER):
        return "it is an address for a special purpose"
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return "it is not a public IPv6 address"
    return None


async def addresses_of(host: str, port: int, *, private: bool = False) -> list[str]:
    """The host's addresses that may be connected to, best first.

    Raises TargetRefused when there are none of them, and OSError when the name is not known.
    """
    fault = fault_of_host(host)
    if fault is not None:
        raise TargetRefused(fault)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    faults = {address: fault_of_address(address, private=private) for address in addresses}
    allowed = [address for address, fault in faults.items() if fault is None]
    if not allowed:
        raise TargetRefused(next((fault for fault in faults.values() if fault), "it has no address"))
    return allowed
