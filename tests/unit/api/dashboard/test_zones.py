"""The time zones to choose from: places, in the order in which people look for them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from services.api.dashboard.zones import zones_by_region


def test_zones_stand_under_their_regions_in_order() -> None:
    zones = zones_by_region()
    assert list(zones) == sorted(zones)
    assert all(list(names) == sorted(names) for names in zones.values())
    assert {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"} <= set(zones["Asia"])


def test_every_zone_is_one_and_none_is_an_offset_or_an_old_name() -> None:
    names = [name for names in zones_by_region().values() for name in names]
    assert [ZoneInfo(name).key for name in names] == names
    assert not {"GMT", "EST5EDT", "Etc/GMT+7", "Singapore"} & set(names)
