"""`./merpati lock`: the hash-locked requirements of every image and of this machine, from pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.local.checkout import CHECKOUT, TOOLS
from infra.local.screen import CannotRunError, Screen

FLAGS = (
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"),
)
WIDEST = "dev"
"""Holds every other group but the tools, so its versions bind theirs."""
WITHIN = ("local", "api", "sessions", "sender", "status")
APART = ("go", "node", "tools")
VENV = TOOLS / "tools"


def lock(screen: Screen, *, upgrade: bool) -> int:
    """Write requirements/*.lock; versions that still fit stay, unless `upgrade`."""
    uv = _uv(screen)
    more = ("--upgrade",) if upgrade else ()
    for group in (WIDEST, *WITHIN, *APART):
        bound = ("--constraint", _path(WIDEST)) if group in WITHIN else ()
        with screen.step(_path(group)):
            _run(
                str(uv),
                "pip",
                "compile",
                *FLAGS,
                *more,
                *bound,
                "--group",
                f"pyproject.toml:{group}",
                "-o",
                _path(group),
            )
    return 0


def _uv(screen: Screen) -> Path:
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        with screen.step("uv"):
            _run(sys.executable, "-m", "venv", str(VENV))
            _run(str(VENV / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", _path("tools"))
    return uv


def _path(group: str) -> str:
    return f"requirements/{group}.lock"


def _run(*command: str) -> None:
    outcome = subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | {"VIRTUAL_ENV": ""}, capture_output=True, text=True, check=False
    )
    if outcome.returncode:
        raise CannotRunError(f"{' '.join(command[:3])} failed: {outcome.stderr.strip()[-1000:]}")
