"""What customers set of a session beside its name: proxy, device name and pacing; checked, and turned into fields."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from libs.contracts.records import Pacing
from libs.runtime.address_rules import AllowList
from libs.runtime.crypto import KeyRing
from libs.runtime.targets import TargetRefused, addresses_of
from services.api.errors import invalid

PROXY_SCHEMES = ("http", "https", "socks5")
MOST_PROXY = 512
RESOLVE_S = 2.0
"""How long a proxy's name is looked up when it is set."""

Proxy = Annotated[
    str, Meta(max_length=MOST_PROXY, description="http, https or socks5 URL; never shown again but as `set`.")
]
DeviceName = Annotated[str, Meta(max_length=50, description="How the phone lists this device; from the next link on.")]


class PacingWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How fast messages leave. `perMinute` 0: as fast as they can; `jitter`: each pause is longer by up to this share;
    `newContacts`: a young link writes to few new contacts a day."""

    per_minute: Annotated[int, Meta(ge=0, le=600)]
    burst: Annotated[int, Meta(ge=1, le=100)] = 5
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.3
    new_contacts: bool = True


class SettingsWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of a body that sets a session; what is left out stays, null goes back to the default."""

    proxy: Proxy | UnsetType | None = UNSET
    device_name: DeviceName | UnsetType | None = UNSET
    pacing: PacingWish | UnsetType | None = UNSET

    def is_empty(self) -> bool:
        """Whether nothing is wished."""
        return self.proxy is UNSET and self.device_name is UNSET and self.pacing is UNSET


def settings_of(wish: SettingsWish, session_id: str, ring: KeyRing) -> dict[str, Any]:
    """The fields of the session's record that are wished, by their names there. Raises Refusal VALIDATION_FAILED."""
    fields: dict[str, Any] = {}
    if wish.proxy is not UNSET:
        fields["proxy"] = None if not wish.proxy else ring.seal(checked_proxy(wish.proxy).encode(), about=session_id)
    if wish.device_name is not UNSET:
        fields["device_name"] = None if not wish.device_name else checked_device_name(wish.device_name)
    if wish.pacing is not UNSET:
        fields["pacing"] = None if wish.pacing is None else msgspec.convert(wish.pacing, Pacing, from_attributes=True)
    return fields


def checked_proxy(text: str) -> str:
    """The proxy, when it is one. Raises Refusal VALIDATION_FAILED, which never repeats it: it may hold a password."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise invalid("proxy", "it is not a URL") from error
    if parts.scheme not in PROXY_SCHEMES:
        raise invalid("proxy", f"it begins with one of {', '.join(scheme + '://' for scheme in PROXY_SCHEMES)}")
    if not parts.hostname or port is None:
        raise invalid("proxy", "it names a host and a port, such as socks5://proxy.example:1080")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise invalid("proxy", "it ends after its port")
    if not unquote(url).isprintable() or " " in url:
        raise invalid("proxy", "it holds characters that no URL has")
    return url


async def check_proxy_target(wish: SettingsWish, *, private: bool, allowed: AllowList) -> None:
    """Raises Refusal VALIDATION_FAILED for a proxy that is not connected to.

    The engine looks again at each connection. A name that is not known yet is taken.
    """
    if isinstance(wish.proxy, UnsetType) or not wish.proxy:
        return
    parts = urlsplit(checked_proxy(wish.proxy))
    try:
        async with asyncio.timeout(RESOLVE_S):
            await addresses_of(parts.hostname or "", parts.port or 0, private=private, allowed=allowed)
    except TargetRefused as error:
        raise invalid("proxy", f"the address is refused: {error.reason}") from error
    except (OSError, TimeoutError):
        return


def checked_device_name(text: str) -> str:
    """The name without the spaces around it. Raises Refusal VALIDATION_FAILED."""
    name = text.strip()
    if not name or not name.isprintable():
        raise invalid("deviceName", "a device's name has printable characters")
    return name
