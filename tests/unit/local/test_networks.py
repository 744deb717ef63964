"""Which networks a stack serves."""

from pathlib import Path

import pytest

from infra.local.options import Options, default_engine_of, networks_wanted, parse_networks
from infra.local.replicas import parse_replicas
from infra.local.screen import CannotRunError


def options(**changes: object) -> Options:
    return Options(data=Path("data"), replicas=parse_replicas(""), **changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, ("whatsapp", "simulator"), id="the simulator runs beside the real network"),
        pytest.param({"simulator": False}, ("whatsapp",), id="without the simulator"),
        pytest.param({"default_engine": "scripted"}, ("whatsapp", "simulator", "scripted"), id="the default runs too"),
        pytest.param({"simulator": False, "default_engine": "simulator"}, ("whatsapp", "simulator"), id="so here"),
        pytest.param({"networks": ("scripted",)}, ("scripted",), id="exactly those named"),
    ],
)
def test_the_networks_follow_from_the_options(changes: dict[str, object], expected: tuple[str, ...]) -> None:
    assert networks_wanted(options(**changes)) == expected


def test_a_default_engine_that_does_not_run_gives_way_to_one_that_does() -> None:
    assert default_engine_of(options(default_engine="whatsapp"), ("scripted",)) == "scripted"


def test_an_unknown_network_is_refused_by_name() -> None:
    with pytest.raises(CannotRunError, match="'telegram'"):
        parse_networks("simulator,telegram")
