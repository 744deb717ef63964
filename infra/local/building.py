"""What the builds of programs and pages have in common: a hash over sources, tools from wheels, and running them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

TICK_S = 0.25


def digest_of(root: Path, paths: Iterable[Path]) -> str:
    """One hash over these files, with their paths below the root."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def install_wheel(lock: Path, venv: Path) -> None:
    """Install what this lock names into a venv of its own; CalledProcessError when that cannot be fetched."""
    pip = venv / "bin" / "pip"
    if not pip.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    subprocess.run([pip, "install", "--quiet", "--require-hashes", "-r", lock], check=True, capture_output=True)


def complaint_of(
    command: list[str], *, where: Path, environment: Mapping[str, str], within_s: float, tick: Callable[[], None]
) -> str | None:
    """Run it, with `tick` called meanwhile: what it wrote to stderr when it failed, None when it did not.

    Raises subprocess.TimeoutExpired when it was not done `within_s`; then it is killed.
    """
    with subprocess.Popen(
        command,
        cwd=where,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(int(within_s / TICK_S)):
            try:
                _, said = process.communicate(timeout=TICK_S)
            except subprocess.TimeoutExpired:
                tick()
                continue
            return said if process.returncode else None
        process.kill()
    raise subprocess.TimeoutExpired(command, within_s)
