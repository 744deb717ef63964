"""`python -m tests.bench.message_log [rows]`: what lists and searches of one customer's messages cost.

Builds the rows (a million unless told) directly in a mongod of its own, with the indexes of status, and beside them the
text index that was the alternative.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from libs.contracts.ids import new_message_id, whatsapp_id
from libs.contracts.records import HistoryEntry, MessageRow
from libs.runtime.mongo import Database, Document, connect, database
from services.api.messages.store_messages import NEWEST_FIRST, Wanted, listing, messages_newest_first, rarest_word_first
from services.status.store import Change as Stored
from services.status.store import StatusStore, ensure_indexes
from tests.servers import MongoServer

CUSTOMER = "cus_0123456789abcdef0123"
SESSIONS = [f"{number:016x}" for number in range(20)]
VOCABULARY = [f"{a}{b}{c}" for a in ("ba", "ke", "mi", "so", "tu", "ra", "pe", "la", "ni", "gu")
              for b in ("ka", "ri", "ton", "sa", "mu", "lan", "de", "wi", "par", "yo")
              for c in ("", "n", "kan", "i", "nya", "lah", "an", "ti", "ra", "s")]  # fmt: skip
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=80)
BATCH = 2_000
PAGE = 50
REPEATS = 5
SEARCHES: dict[str, dict[str, Any]] = {
    "newest": {},
    "status=failed (1 in 1,000)": {"status": "failed"},
    "type=poll (1 in 10,000)": {"type": "poll"},
    "direction=in (none)": {"direction": "in"},
    "chat": {"chat": "6281200000042"},
    "session": {"sessions": (SESSIONS[3],)},
    "session, status=failed": {"sessions": (SESSIONS[3],), "status": "failed"},
    "a word of every 3rd message": {"words": ("halo",)},
    "a word of every 1,000th": {"words": ("faktur",)},
    "a word of one": {"words": ("unik777",)},
    "no message's word": {"words": ("takada",)},
    "two common words": {"words": ("halo", "bakan")},
    "a common and a rare word": {"words": ("halo", "faktur")},
    "a common word of a session": {"words": ("halo",), "sessions": (SESSIONS[3],)},
    "the beginning of a common word": {"prefix": "hal"},
    "the beginning of a rare word": {"prefix": "fakt"},
    "a common word, failed": {"words": ("halo",), "status": "failed"},
}


def made(number: int, chance: random.Random) -> MessageRow:
    """One message: eight words, the frequent ones more often; 20 sessions, 5,000 contacts."""
    words = [VOCABULARY[int(chance.paretovariate(0.6)) % len(VOCABULARY)] for _ in range(7)]
    words += ["halo"] if number % 3 == 0 else []
    words += ["faktur"] if number % 1_000 == 0 else []
    words += [f"unik{number}"] if number % 7 == 0 else []
    message, session = new_message_id(), SESSIONS[number % len(SESSIONS)]
    chat, at = f"62812000{chance.randrange(5_000):05d}", FIRST + timedelta(seconds=number * 6)
    return MessageRow(
        id=f"{session}/{whatsapp_id(message)}",
        customer_id=CUSTOMER,
        session_id=session,
        shard=number % len(SESSIONS),
        wa_id=whatsapp_id(message),
        direction="out",
        message_id=message,
        type="poll" if number % 10_000 == 0 else "text",
        to=chat,
        chat=chat,
        chat_jid=f"{chat}@s.whatsapp.net",
        text=" ".join(words),
        status="failed" if number % 1_000 == 1 else "read",
        rank=60,
        attempts=1,
        created_at=at,
        sent_at=at,
        history=[HistoryEntry(status=each, at=at, fact_seq=number, fact_id=message) for each in ("queued", "sent")],
        fact_seq=number,
    )


def batches(rows: int) -> Iterator[list[MessageRow]]:
    chance = random.Random(7)  # noqa: S311 - made-up rows
    for start in range(0, rows, BATCH):
        yield [made(number, chance) for number in range(start, min(rows, start + BATCH))]


async def build(db: Database, rows: int) -> None:
    """Store the rows as status does."""
    store, began, spent = StatusStore(db), time.perf_counter(), 0.0
    for batch in batches(rows):
        at = time.perf_counter()
        await store.write_messages([Stored(None, row, 1) for row in batch])
        spent += time.perf_counter() - at
    took = time.perf_counter() - began
    print(f"{rows:,} rows in {took:.0f} s, {spent / rows * 1e6:.0f} us each in MongoDB", flush=True)  # noqa: T201


async def sizes(db: Database) -> None:
    stats = await db.command("collStats", "messages")
    print(f"data {stats['size'] / 1e6:.0f} MB, on disk {stats['storageSize'] / 1e6:.0f} MB", flush=True)  # noqa: T201
    for name, size in stats["indexSizes"].items():
        print(f"  {size / 1e6:8.1f} MB  {name}", flush=True)  # noqa: T201


async def search(db: Database, name: str, asked: dict[str, Any]) -> None:
    wanted = Wanted(customer_id=CUSTOMER, **asked)
    first, deep = await timed(db, wanted, None), None
    after = None
    for _ in range(3):
        after = (await messages_newest_first(db, wanted, after=after, limit=200)).next
        if after is None:
            break
    else:
        deep = await timed(db, wanted, after)
    print(f"| {name} | {first} | {deep or '-'} |", flush=True)  # noqa: T201


async def timed(db: Database, wanted: Wanted, after: str | None) -> str:
    took: list[float] = []
    for _ in range(REPEATS):
        at = time.perf_counter()
        page = await messages_newest_first(db, wanted, after=after, limit=PAGE)
        took.append(time.perf_counter() - at)
    condition = listing(await rarest_word_first(db, wanted), after)
    plan = await db.messages.find(condition).sort(NEWEST_FIRST).limit(PAGE + 1).explain()
    executed, winning = plan["executionStats"], str(plan["queryPlanner"]["winningPlan"])
    sorted_in_memory = ", SORT" if "'SORT'" in winning else ""
    return (
        f"{len(page.rows)} rows, {sorted(took)[REPEATS // 2] * 1e3:.1f} ms, "
        f"{executed['totalKeysExamined']:,} keys{sorted_in_memory}"
    )


async def with_a_text_index(db: Database) -> None:
    messages: AsyncCollection[Document] = db["messages"]
    at = time.perf_counter()
    await messages.create_index([("customerId", 1), ("text", "text"), ("caption", "text")], default_language="none")
    size = (await db.command("collStats", "messages"))["indexSizes"]
    (name,) = (each for each in size if "text_text" in each)
    print(f"text index: {size[name] / 1e6:.0f} MB, built in {time.perf_counter() - at:.0f} s", flush=True)  # noqa: T201
    for word in ("halo", "faktur", "unik777", "takada"):
        at = time.perf_counter()
        found = messages.find({"customerId": CUSTOMER, "$text": {"$search": word}}).sort(NEWEST_FIRST).limit(PAGE)
        rows = await found.to_list()
        print(f"| text index: {word} | {len(rows)} rows, {(time.perf_counter() - at) * 1e3:.1f} ms |", flush=True)  # noqa: T201


async def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="message-log-") as directory:
        server = MongoServer(Path(directory))
        server.start()
        try:
            async with connect(server.url(), app="bench", timeout_ms=600_000) as client:
                db = database(client)
                await ensure_indexes(db, message_days=3_650)
                await build(db, rows)
                await sizes(db)
                for name, asked in SEARCHES.items():
                    await search(db, name, asked)
                await with_a_text_index(db)
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
