"""The dashboard's scripts and styles: built by Node from the sources in services/api/dashboard, once for each state."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.local import building, node
from infra.local.checkout import CHECKOUT, TOOLS

SOURCES = CHECKOUT / "services" / "api" / "dashboard"
FOLDERS = ("web", "templates")
"""What is built, and the templates in which the styles' names stand."""
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
BUILT = TOOLS / "dashboard"
TIMEOUT_S = 300
DIGITS = 16


class BuildError(Exception):
    """npm or the build said no; the message is its last words."""


def built() -> Path | None:
    """What was built from exactly these sources, or None."""
    target = BUILT / sources_digest()
    return target if (target / "manifest.json").exists() else None


def build(with_node: Path, tick: Callable[[], None]) -> Path:
    """Build it (a few seconds; packages are fetched once for each lock). May run twice at once. Raises BuildError."""
    target = BUILT / sources_digest()
    packages = _packages(with_node, tick)
    work = packages / f"work-{os.getpid()}"
    try:
        for folder in FOLDERS:
            shutil.copytree(SOURCES / folder, work / folder, ignore=shutil.ignore_patterns("node_modules"))
        _run([str(with_node), str(work / "web" / "build.mjs"), str(work / "out")], with_node, work, tick)
        _put(work / "out", target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def packages() -> Path:
    """Where the packages of the present lock are, or would be."""
    digest = building.digest_of(SOURCES, (SOURCES / "web" / name for name in PACKAGE_FILES))
    return BUILT / f"packages-{digest[:DIGITS]}"


def sources_digest() -> str:
    """One hash over every file that the build reads, with their paths."""
    return building.digest_of(SOURCES, _sources())[:DIGITS]


def _sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((SOURCES / folder).rglob("*")):
            if path.is_file() and "node_modules" not in path.parts:
                yield path


def _packages(with_node: Path, tick: Callable[[], None]) -> Path:
    target = packages()
    if target.exists():
        return target
    partial = BUILT / f"packages.{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    try:
        for name in PACKAGE_FILES:
            shutil.copy(SOURCES / "web" / name, partial / name)
        _run([str(node.npm(with_node)), "ci", "--loglevel=error"], with_node, partial, tick)
        _put(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _put(made: Path, target: Path) -> None:
    """Whole or not at all; who comes second finds that it is there."""
    try:
        made.rename(target)
    except OSError:
        if not target.exists():
            raise


def _run(command: list[str], with_node: Path, where: Path, tick: Callable[[], None]) -> None:
    environment = node.environment(with_node)
    try:
        said = building.complaint_of(command, where=where, environment=environment, within_s=TIMEOUT_S, tick=tick)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} took more than {TIMEOUT_S} s") from error
    if said is not None:
        raise BuildError("\n    ".join(said.strip().splitlines()[-6:] or [f"{command[0]} said nothing"]))
