"""What `./merpati up` was asked for, and which networks follow from it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra.local.screen import CannotRunError

NETWORKS = ("whatsapp", "simulator", "scripted")
GO_NETWORKS = frozenset({"whatsapp", "simulator"})
"""Their sockets are held by the engine worker, which is a Go program."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `up`."""

    data: Path
    port: int = 8080
    replicas: dict[str, int]
    simulator: bool = True
    default_engine: str = "whatsapp"
    networks: tuple[str, ...] = ()
    """Exactly these; empty means what the other options imply."""
    fresh: bool = False


def networks_wanted(options: Options) -> tuple[str, ...]:
    """The networks to serve: the real one, the simulated one unless refused, and whatever is the default."""
    simulated = ("simulator",) if options.simulator else ()
    wanted = options.networks or ("whatsapp", *simulated, options.default_engine)
    return tuple(network for network in NETWORKS if network in wanted)


def default_engine_of(options: Options, networks: tuple[str, ...]) -> str:
    """The engine of a session that names none: the one asked for, or the first that runs."""
    return options.default_engine if options.default_engine in networks else networks[0]


def parse_networks(text: str) -> tuple[str, ...]:
    """`simulator,scripted` -> those networks; CannotRunError names the ones there are."""
    asked = tuple(filter(None, (part.strip() for part in text.split(","))))
    for network in asked:
        if network not in NETWORKS:
            raise CannotRunError(f"There is no network {network!r}; the networks are {', '.join(NETWORKS)}.")
    return asked
