"""What two looks at the leases tell of the replicas."""

from __future__ import annotations

from typing import Any

from services.api.platform.replicas import LeaseRow, services_of


def row(row_id: str, **fields: Any) -> LeaseRow:
    return LeaseRow(id=row_id, service=row_id.rpartition("/")[0], **fields)


def test_a_replica_lives_when_one_of_its_rows_has_moved() -> None:
    before = [row("sender/00", shard=0, owner="a", epoch=2, beat=5), row("sender/01", shard=1, owner="b", beat=9)]
    after = [row("sender/00", shard=0, owner="a", epoch=2, beat=6), row("sender/01", shard=1, owner="b", beat=9)]
    (sender,) = services_of(before, after)
    assert [(each.name, each.is_beating, each.shards) for each in sender.replicas] == [
        ("a", True, [0]),
        ("b", False, [1]),
    ]


def test_one_row_that_moves_is_enough() -> None:
    before = [row("sender/00", shard=0, owner="a", beat=5), row("sender/01", shard=1, owner="a", beat=5)]
    after = [row("sender/00", shard=0, owner="a", beat=6), row("sender/01", shard=1, owner="a", beat=5)]
    assert services_of(before, after)[0].replicas[0].is_beating


def test_a_replica_without_shards_is_shown_by_its_own_row() -> None:
    own = row("status/@c", owner="c", beat=1, fit=False)
    (status,) = services_of([own], [row("status/@c", owner="c", beat=2, fit=False)])
    (replica,) = status.replicas
    assert (replica.name, replica.is_beating, replica.is_fit, replica.shards) == ("c", True, False, [])


def test_shards_that_nobody_holds_are_named() -> None:
    rows = [row("sessions/scripted/03", shard=3), row("sessions/scripted/01", shard=1)]
    (service,) = services_of(rows, rows)
    assert (service.service, service.free_shards, service.replicas) == ("sessions/scripted", [1, 3], [])


def test_each_service_stands_alone_in_order() -> None:
    rows = [row("status/00", shard=0, owner="a"), row("sender/00", shard=0, owner="a")]
    assert [each.service for each in services_of(rows, rows)] == ["sender", "status"]
