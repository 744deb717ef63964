"""The linked devices of the scripted network: with a database they outlive the process."""

from __future__ import annotations

import msgspec

from libs.runtime.mongo import Database


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One link: the session's link number `link` is device `device` of `number`."""

    session: str
    link: int
    number: str
    device: int

    @property
    def jid(self) -> str:
        """The device's JID."""
        return f"{self.number}:{self.device}@s.whatsapp.net"


class Links:
    """Devices by session and link number. Those of a database are known once somebody asked for them."""

    def __init__(self, database: Database | None) -> None:
        self._stored = database["scripted_devices"] if database is not None else None
        self._known: dict[tuple[str, int], Device] = {}
        self._of_number: dict[str, dict[tuple[str, int], Device]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def find(self, session: str, link: int) -> Device | None:
        """The device of this link, if it is one."""
        if (session, link) not in self._known and self._stored is not None:
            doc = await self._stored.find_one({"_id": f"{session}/{link}"})
            if doc is not None:
                self._keep(_device(doc))
        return self._known.get((session, link))

    def of(self, number: str) -> list[Device]:
        """The known devices of a number."""
        return list(self._of_number.get(number, {}).values())

    async def all_of(self, number: str) -> list[Device]:
        """Every device of a number, those in the database too."""
        if self._stored is not None:
            async for doc in self._stored.find({"number": number}):
                self._keep(_device(doc))
        return self.of(number)

    async def add(self, session: str, link: int, number: str) -> Device:
        """Link; the device's number is the lowest free one."""
        taken = {device.device for device in await self.all_of(number)}
        free = next(n for n in range(1, len(taken) + 2) if n not in taken)
        device = Device(session=session, link=link, number=number, device=free)
        if self._stored is not None:
            row = {"number": number, "session": session, "device": device.device}
            await self._stored.replace_one({"_id": f"{session}/{link}"}, row, upsert=True)
        self._keep(device)
        return device

    async def remove(self, session: str, link: int) -> None:
        """The link is over. May run twice."""
        device = self._known.pop((session, link), None)
        if device is not None:
            self._of_number.get(device.number, {}).pop((session, link), None)
        if self._stored is not None:
            await self._stored.delete_one({"_id": f"{session}/{link}"})

    def _keep(self, device: Device) -> None:
        self._known[device.session, device.link] = device
        self._of_number.setdefault(device.number, {})[device.session, device.link] = device


def _device(doc: dict[str, object]) -> Device:
    session, _, link = str(doc["_id"]).rpartition("/")
    return Device(session=session, link=int(link), number=str(doc["number"]), device=int(str(doc.get("device", 1))))
