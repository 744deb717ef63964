"""The simulated network as a fault run uses it: its faults, the manners of its people, and what its phones counted."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]


class SimulatedNetwork:
    """The control API of `infra/simulator` (or of the scripted network, which takes the same calls)."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), timeout=40, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def breaks(self, kind: str, **how: Any) -> int:
        """Begin a fault: `phone`, `count`, `for` (as `for_ms`) and what the kind needs; how many it struck at once."""
        if "for_ms" in how:
            how["for"] = how.pop("for_ms")
        return int((await self._call("POST", "/faults", json={"kind": kind, **how}))["hit"])

    async def mended(self) -> None:
        """End every fault."""
        await self._call("DELETE", "/faults")

    async def add(self, number: str, name: str) -> None:
        """A person with a phone."""
        await self._call("POST", "/phones", json={"number": number, "name": name})

    async def has_met(self, kind: str, times: int = 1) -> bool:
        """Whether a fault of this kind has struck so often, or is used up."""
        standing = [fault for fault in (await self._call("GET", "/faults"))["faults"] if fault["kind"] == kind]
        return not standing or await self.hits(kind) >= times

    async def hits(self, kind: str) -> int:
        """How often the standing faults of this kind have struck."""
        faults = (await self._call("GET", "/faults"))["faults"]
        return sum(fault["hit"] for fault in faults if fault["kind"] == kind)

    async def is_online(self, number: str) -> bool:
        """Whether a device that is linked to this phone is connected now."""
        return any(device["connected"] for device in (await self._call("GET", f"/phones/{number}"))["devices"])

    async def behave(self, number: str, **manners: Any) -> None:
        """Change how a person's phone behaves: `deliver`, `online`, `readAfterMs`, `onWhatsApp`."""
        await self._call("PATCH", f"/phones/{number}", json=manners)

    async def write(self, number: str, to: str, text: str) -> str:
        """The person writes a text; its WhatsApp id."""
        answer = await self._call("POST", f"/phones/{number}/messages", json={"to": to, "type": "text", "text": text})
        return str(answer["id"])

    async def sent(self, number: str) -> list[Json]:
        """What the person wrote, and how far it came, as the phone was told."""
        rows = (await self._call("GET", f"/phones/{number}/messages"))["messages"]
        return [dict(row) for row in rows]

    async def scan(self, number: str, code: str) -> None:
        """The person scans a QR code."""
        await self._call("POST", f"/phones/{number}/scan", json={"qr": code})

    async def shown(self, number: str) -> list[Json]:
        """What the phone shows of others, decrypted, in order."""
        rows = (await self._call("GET", f"/phones/{number}/inbox"))["messages"]
        return [row for row in rows if not row.get("fromMe")]

    async def stats(self) -> Json:
        """What the network has counted."""
        return await self._call("GET", "/stats")

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        answer = await self._http.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}
