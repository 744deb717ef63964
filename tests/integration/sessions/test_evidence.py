"""When a session was last seen: noted beside its state, and never taken back by it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from libs.contracts.events import SessionStatus
from libs.contracts.ids import new_session_id
from libs.contracts.records import SessionState
from libs.runtime.shards import Lease, Timing
from services.sessions.store import SessionStore
from tests.integration.sessions.world import World
from tests.processes import eventually

LINKED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def state_of(session: str, status: SessionStatus, last_seen_at: datetime | None) -> SessionState:
    return SessionState(
        id=session,
        customer_id="cus_1",
        network="scripted",
        shard=0,
        epoch=1,
        status=status,
        last_seen_at=last_seen_at,
        updated_at=LINKED_AT,
    )


async def test_a_state_that_is_saved_keeps_what_was_seen_since(world: World) -> None:
    lease = Lease(0, 1, confirmed_at=time.monotonic() + 3600, timing=Timing())
    store = SessionStore(world.database, network="scripted", lease=lease)
    seen, acked = LINKED_AT + timedelta(hours=2), LINKED_AT + timedelta(hours=1)
    await store.save(state_of("s", SessionStatus.CONNECTED, LINKED_AT))
    await store.note_evidence({"s": {"lastSeenAt": seen, "lastAckAt": acked}})

    await store.save(state_of("s", SessionStatus.RECONNECTING, LINKED_AT))

    (kept,) = (await store.states_of_the_shard()).values()
    assert (kept.status, kept.last_seen_at, kept.last_ack_at) == (SessionStatus.RECONNECTING, seen, acked)


async def test_a_session_that_was_never_linked_was_never_seen(world: World) -> None:
    unlinked, linked = new_session_id(), new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.wish(unlinked, running=True, starts=1, name="window")
        await eventually(world.status_is(unlinked, "qr_ready"))
        await world.link(linked)
        assert await world.delivered(linked, "01")

        async def noted() -> bool:
            return (await world.state(linked)).get("lastAckAt") is not None

        await eventually(noted)
        assert (await world.state(unlinked)).get("lastSeenAt") is None
