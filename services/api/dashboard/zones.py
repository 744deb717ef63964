"""The time zones that people choose from."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from zoneinfo import available_timezones

REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
"""Those that are places; the others are older names of them, or offsets."""


@cache
def zones_by_region() -> dict[str, tuple[str, ...]]:
    """Names such as `Asia/Jakarta`, under their regions, all in the order of the alphabet."""
    places = sorted(name for name in available_timezones() if _region_of(name) in REGIONS)
    return {region: tuple(names) for region, names in groupby(places, _region_of)}


def _region_of(name: str) -> str:
    return name.partition("/")[0]
