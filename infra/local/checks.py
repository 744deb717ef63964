"""`./merpati check` and `./merpati test`: the commands that CI runs, and what of the tests this machine left out."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from infra.local import golang, machine
from infra.local.checkout import CHECKOUT
from infra.local.screen import Screen

SIDE_BY_SIDE = ("-n", "4", "--dist", "loadfile")
"""Most tests wait for processes, disks and time-outs: four at a time keep two cores busy."""
ALL = "--all"
"""The argument with which the slow tests run too, as in CI."""


def check(screen: Screen) -> int:
    """Format, lint, types, import rules, Go's vet and format; runs all of them, and fails when one did."""
    failed = [name for name, run in _checks() if not _passes(name, run, screen)]
    screen.say(f"\nFailed: {', '.join(failed)}." if failed else "\nAll checks passed.")
    return 1 if failed else 0


def test(screen: Screen, pytest_arguments: list[str]) -> int:
    """pytest: the tests that are named, or else all but the slow ones, and Go's; `--all` runs the slow ones too.

    Other arguments are pytest's, beside `--all` as well. The last line names what did not run here.
    """
    if os.environ.get("CI") and golang.find() is None:
        golang.install_wheel()  # in CI a test that needs Go and finds none is a failure
    code = _call(sys.executable, "-m", "pytest", *_chosen(pytest_arguments))
    go = golang.find()
    if pytest_arguments in ([], [ALL]) and go is not None and code == 0:
        code = _call(str(go), "test", "./...", environment=golang.ENVIRONMENT)
    screen.say(_left_out(pytest_arguments))
    return code


def _chosen(arguments: list[str]) -> list[str]:
    if not arguments:
        return [*SIDE_BY_SIDE, "-m", "not slow"]
    if ALL in arguments:
        return [*SIDE_BY_SIDE, *(each for each in arguments if each != ALL)]
    return arguments


def _checks() -> list[tuple[str, Callable[[], int]]]:
    checks = [
        ("ruff format", lambda: _call(_tool("ruff"), "format", "--check", ".")),
        ("ruff check", lambda: _call(_tool("ruff"), "check", ".")),
        ("pyright", lambda: _call(_tool("pyright"))),
        ("lint-imports", lambda: _call(_tool("lint-imports"))),
    ]
    go = golang.find()
    if go is None:
        return checks
    return [
        *checks,
        ("go vet", lambda: _call(str(go), "vet", "./...", environment=golang.ENVIRONMENT)),
        ("gofmt", lambda: _gofmt(go)),
    ]


def _passes(name: str, run: Callable[[], int], screen: Screen) -> bool:
    screen.say(f"--- {name}")
    return run() == 0


def _gofmt(go: Path) -> int:
    """`gofmt -l` succeeds also when it lists files: a listed file is a failure."""
    gofmt = golang.root(go) / "bin" / "gofmt"
    files = [str(path) for path in golang.go_files()]
    listed = subprocess.run([gofmt, "-l", *files], capture_output=True, text=True, check=False)
    print(listed.stdout + listed.stderr, end="")
    return 1 if listed.stdout or listed.returncode else 0


def _left_out(pytest_arguments: list[str]) -> str:
    lacks = {
        "needs_go": machine.lacks_go(),
        "needs_browser": machine.lacks_browser(),
        "needs_root": machine.lacks_root(),
        "slow": None if pytest_arguments else f"ask with {ALL}",
        "needs_containers": None if "--containers" in pytest_arguments else "ask with --containers",
        "soak": None if "--soak" in pytest_arguments else "ask with --soak",
    }
    left_out = [f"{name} ({reason.rstrip('.')})" for name, reason in lacks.items() if reason]
    return f"Not run here: {', '.join(left_out)}." if left_out else "Nothing was left out."


def _tool(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)


def _call(*command: str, environment: dict[str, str] | None = None) -> int:
    return subprocess.run(command, cwd=CHECKOUT, env=os.environ | (environment or {}), check=False).returncode
