"""The guard of requests that a customer names the target of: which addresses this deployment connects to for them.

Resolve once with `addresses_of` and connect to exactly one of the addresses it returns, for each connection anew, also
after a redirect: then a name that resolves to something else the second time cannot lead inside.
"""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address

from libs.runtime.address_rules import EVERYWHERE, AllowList, is_metadata, is_numeric, normal_name, rules

_MAX_HOST = 253
_HOST = re.compile(r"[\w.-]+")

PRIVATE = "it lies on this machine or in a private network, which the operator allows by MERPATI_PRIVATE_TARGETS=1"
PRIVATE_PROXY = "it lies on this machine or in a private network, which the operator allows by MERPATI_PROXY_ALLOWED"
SPECIAL = "it is an address for a special purpose"
NO_HOST = "it names no host"


class TargetRefused(Exception):
    """This target is not connected to; `reason` completes the sentence "The address is refused: ..."."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the address is refused: {reason}")


def fault_of_host(host: str) -> str | None:
    """What is wrong with a host as it is written, or None.

    Libraries read `2130706433`, `0x7f.1` and `0177.0.0.1` as addresses, so a host that ends in a number has to be one
    of the usual form.
    """
    if not host or len(host) > _MAX_HOST:
        return NO_HOST
    if ":" in host or is_numeric(host):
        return _fault_of_literal(host)
    if not _HOST.fullmatch(host):
        return "it holds characters that no host has"
    return SPECIAL if normal_name(host) in rules().metadata_names else None


def _fault_of_literal(host: str) -> str | None:
    if "%" in host:
        return "an address with a zone is not taken"
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, UnicodeError):
        return "it is not an IP address of the usual form"
    return None


def fault_of_address(text: str, *, private: bool = False, allowed: AllowList | None = None) -> str | None:
    """Why nothing connects to this IP address, or None.

    With `private`, one's own network and machine are allowed. `allowed` are proxies that the operator allows.
    """
    address: IPv4Address | IPv6Address = IPv6Address(text) if ":" in text else IPv4Address(text)
    if is_metadata(address):
        return SPECIAL
    if allowed is not None and allowed.has_address(address):
        return None
    if any(address in network for network in rules().inside):
        return None if private else PRIVATE if allowed is None else PRIVATE_PROXY
    if any(address in network for network in rules().special):
        return SPECIAL
    if isinstance(address, IPv6Address) and address not in rules().public_ipv6:
        return "it is not a public IPv6 address"
    return None


async def addresses_of(host: str, port: int, *, private: bool = False, allowed: AllowList | None = None) -> list[str]:
    """The host's addresses that may be connected to, best first.

    Raises TargetRefused when there are none of them, and OSError when the name is not known.
    """
    fault = fault_of_host(host)
    if fault is not None:
        raise TargetRefused(fault)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a part of the name is too long
        raise TargetRefused(NO_HOST) from error
    if allowed is not None and allowed.has_host(host):
        allowed = EVERYWHERE
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    faults = {address: fault_of_address(address, private=private, allowed=allowed) for address in addresses}
    usable = [address for address, fault in faults.items() if fault is None]
    if not usable:
        raise TargetRefused(next((fault for fault in faults.values() if fault), "it has no address"))
    return usable
