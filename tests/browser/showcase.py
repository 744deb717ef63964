"""A shop that has used Merpati for a month: what the screenshots show."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from libs.contracts.counters import DAY, EVERY, QUARTER, QUARTER_S
from libs.contracts.records import Allowance
from libs.runtime.mongo import database
from tests.browser import books
from tests.browser.people import Person
from tests.e2e.handsets import Network, linked
from tests.e2e.tenants import make_tenant
from tests.e2e.wire import BASE
from tests.processes import eventually
from tests.receiver import Receiver, refusing
from tests.servers import client_of
from tests.stack import RunningStack

PLAN = Allowance(
    max_sessions=5,
    monthly_messages=20_000,
    is_metered=True,
    prices={"text": 1, "image": 3, "default": 2},
    features=["5 devices", "20,000 messages a month", "Webhooks"],
)
AFTERNOON = 15
"""The hour that it is in the shop, whenever the pictures are taken."""
A_DAY = 96
"""Quarters of an hour."""
CONVERSATIONS = {
    "Bu Sari": (
        ("in", "Selamat pagi, apakah kopi Gayo masih ada?"),
        ("out", "Selamat pagi Bu Sari! Masih ada, 250 g Rp 68.000."),
        ("in", "Saya pesan dua ya, kirim ke alamat biasa."),
        ("out", "Siap, pesanan #1042 kami kirim siang ini."),
    ),
    "Pak Budi": (
        ("out", "Pak Budi, invoice November sudah terbit."),
        ("in", "Terima kasih, sudah saya transfer."),
    ),
    "Dewi Lestari": (
        ("in", "Halo, jam berapa tokonya buka?"),
        ("out", "Setiap hari pukul 08.00 sampai 21.00."),
        ("in", "Oke, besok saya mampir"),
    ),
    "Ahmad": (("out", "Paket Anda sudah tiba di kota tujuan."), ("in", "Mantap, ditunggu!")),
    "Rumah Makan Padang Sederhana Raya": (("in", "Bisa kirim katalog lengkap?"),),
}


async def showcase(stack: RunningStack, network: Network, endpoint: Receiver) -> Person:
    """Its owner; devices, conversations, webhooks, credits and a month of counters are there."""
    person = Person(tenant=await make_tenant(stack, allowance=PLAN))
    await books.granted(stack, person, 2_500, note="Invoice 2026-11")
    endpoint.answers["/old"] = refusing(503)
    async with person.api() as http:
        account = {"name": "Toko Kopi Sinar Jaya", "timeZone": _zone_where_it_is(AFTERNOON)}
        assert (await http.patch("/api/customer/account", json=account)).is_success
        for path, name in (("/orders", "Order system"), ("/old", "Old CRM")):
            body = {"url": endpoint.url(path), "description": name}
            assert (await http.post(f"{BASE}/webhooks", json=body)).is_success
        sales, number = await linked(http, network, "Sales")
        await linked(http, network, "Warehouse")
        await http.post(f"{BASE}/sessions", json={"name": "Marketing"})
        for name, lines in CONVERSATIONS.items():
            await _talked(http, network, sales, number, name, lines)
    await _counted(stack, person.tenant.customer_id, sales)
    return person


async def _talked(http: Any, network: Network, session: str, own: str, name: str, lines: Any) -> None:
    number = await network.person(name)
    for direction, text in lines:
        if direction == "in":
            await network.phones.write(number, own, text)
        else:
            body = {"type": "text", "to": number, "text": text}
            assert (await http.post(f"{BASE}/sessions/{session}/messages", json=body)).is_success
            await network.phones.read(number, own)
        await eventually(lambda text=text: _is_there(http, text), within_s=20)


async def _is_there(http: Any, text: str) -> bool:
    found = (await http.get("/api/customer/whatsapp/messages", params={"limit": 50})).json()["data"]
    return any(each.get("text") == text for each in found)


def _zone_where_it_is(hour: int) -> str:
    """The signs of these zones are those of POSIX: `Etc/GMT-7` is seven hours ahead of Greenwich."""
    ahead = (hour - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


async def _counted(stack: RunningStack, customer_id: str, session: str) -> None:
    """A month of quarters of an hour, as status would have counted them: busy days, quiet nights and Sundays."""
    chance, now = random.Random(2026), int(datetime.now(UTC).timestamp()) // QUARTER_S  # noqa: S311
    quarters = {number: _quarter(number, now, chance) for number in range(now - 30 * A_DAY, now)}
    days: dict[int, Counter[str]] = defaultdict(Counter)
    for number, counts in quarters.items():
        days[number // A_DAY].update(counts)
    rows = [_row(customer_id, session, "text", QUARTER, number, counts) for number, counts in quarters.items()]
    rows += [_row(customer_id, EVERY, EVERY, DAY, number, counts) for number, counts in days.items()]
    async with client_of(stack.ready.mongodb_url) as mongodb:
        await database(mongodb)["counters"].insert_many(rows)


def _quarter(number: int, now: int, chance: random.Random) -> Counter[str]:
    hour, day = (AFTERNOON + (number - now) / 4) % 24, (number - now) // A_DAY
    busy = max(0.0, math.sin((hour - 6) / 16 * math.pi)) * (0.3 if day % 7 == 0 else 1.0)
    sent = round(busy * chance.uniform(4, 12))
    delivered = max(0, sent - (chance.random() < 0.3))
    return Counter(
        queued=sent,
        sent=sent,
        delivered=delivered,
        read=round(delivered * chance.uniform(0.6, 0.95)),
        failed=int(busy > 0 and chance.random() < 0.05),
        received=round(sent * chance.uniform(0.3, 0.8)),
    )


def _row(customer_id: str, session: str, kind: str, span: str, number: int, counts: Counter[str]) -> dict[str, Any]:
    seconds = number * QUARTER_S * (1 if span == QUARTER else A_DAY)
    return {
        "_id": f"{customer_id}/{session}/{kind}/{span}/{number}",
        "customerId": customer_id,
        "shard": 0,
        "sessionId": session,
        "type": kind,
        "span": span,
        "at": datetime.fromtimestamp(seconds, UTC),
        "seq": 0,
        "epoch": 0,
        **counts,
    }
