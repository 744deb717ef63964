"""Phones of people on the simulated network, and sessions that are linked to them."""

from __future__ import annotations

import random
from typing import Any

import httpx
import msgspec

from infra.local.customer import Phones
from tests.e2e.tenants import TIMEOUT_S, Tenant
from tests.e2e.wire import BASE, Json
from tests.processes import PATIENCE_S, eventually

WITHIN_S = PATIENCE_S


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant with one linked session."""

    tenant: Tenant
    session: str
    session_name: str
    number: str


def unused_number() -> str:
    """A number that, but for one chance in 100 million, nobody has."""
    return f"62812{random.randrange(10**8):08}"  # noqa: S311 - a made-up number, not a secret


class Network:
    """The simulated network through its control API."""

    def __init__(self, url: str) -> None:
        self.phones = Phones(url)
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        await self.phones.close()
        await self._http.aclose()

    async def person(self, name: str = "Bu Sari") -> str:
        """Somebody with a new phone; the number."""
        number = unused_number()
        await self.phones.add(number, name)
        return number

    async def arrived(self, number: str, count: int = 1) -> list[Json]:
        """What the phone shows once it shows this many messages; never more."""

        async def rows() -> list[Json]:
            shown = await self.phones.inbox(number)
            return shown if len(shown) >= count else []

        shown = await eventually(rows, within_s=WITHIN_S, every_s=0.02)
        assert len(shown) == count
        return shown

    async def devices(self, number: str) -> list[Json]:
        """The devices that are linked to this phone now."""
        return list((await self.called("GET", f"/phones/{number}"))["devices"])

    async def fault(self, **fault: Any) -> None:
        """Break something, until `mended`."""
        await self.called("POST", "/faults", json=fault)

    async def mended(self) -> None:
        """No faults any more."""
        await self._http.delete("/faults")

    async def called(self, method: str, path: str, **more: Any) -> Json:
        """Any other call of the control API; its answer."""
        answer = await self._http.request(method, path, **more)
        assert answer.is_success, answer.text
        return dict(answer.json())


async def linked(http: httpx.AsyncClient, network: Network, name: str) -> tuple[str, str]:
    """A new session that is connected: its id and its number."""
    session = (await http.post(f"{BASE}/sessions", json={"name": name})).json()["session"]["id"]
    return session, await scanned(http, network, session)


async def scanned(http: httpx.AsyncClient, network: Network, session: str) -> str:
    """Links the session to a new phone and waits until it is connected; the number."""
    number = await network.person("Pak Budi")
    await network.phones.scan(number, await qr_code(http, session))
    await in_status(http, session, "CONNECTED")
    return number


async def qr_code(http: httpx.AsyncClient, session: str) -> str:
    """What the session's QR code says; begins the link."""
    answer = await http.get(f"{BASE}/sessions/{session}/qr", params={"format": "raw"})
    assert answer.status_code == 200, answer.text
    return answer.text


async def in_status(http: httpx.AsyncClient, session: str, status: str) -> Json:
    """The session, once it says this."""

    async def seen() -> Json | None:
        found = (await http.get(f"{BASE}/sessions/{session}")).json()["session"]
        return found if found["status"] == status else None

    found = await eventually(seen, within_s=WITHIN_S, every_s=0.02)
    assert found is not None
    return found
