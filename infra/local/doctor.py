"""`./merpati doctor`: what this machine has and lacks, and how a running stack is."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import httpx

from infra.local import dashboard, golang, machine, node, ready
from infra.local.checkout import CHECKOUT
from infra.local.ports import is_free
from infra.local.screen import Screen

DISK_NEEDED = 2 * 1024**3
LOCKS = ("local", "dev")


def doctor(data: Path, port: int, screen: Screen) -> int:
    """Print it all; exit code 1 when the stack could not run here, or runs and is not ready."""
    screen.say(f"Machine: Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors")
    needed = [_show("mongod", machine.lacks_mongod(), screen), _show("nats-server", machine.lacks_nats(), screen)]
    needed.append(_show("disk", _lacks_disk(data), screen))
    _show("Go", machine.lacks_go(), screen)
    _show("engine and simulator", _lacks_go_programs(), screen)
    _show("Node", _lacks_node(), screen)
    _show("dashboard", _lacks_dashboard(), screen)
    _show("browser (tests)", machine.lacks_browser(), screen)
    _show("root (tests)", machine.lacks_root(), screen)
    _show("containers (tests)", machine.lacks_containers(), screen)
    for lock in LOCKS:
        _show(f"packages of {lock}.lock", _lacks_packages(lock), screen)
    screen.say()
    return 0 if all(needed) and _stack_is_well(data, port, screen) else 1


def _show(name: str, lack: str | None, screen: Screen) -> bool:
    screen.say(f"  {'has ' if lack is None else 'LACKS'}  {name}{f': {lack}' if lack else ''}")
    return lack is None


def _lacks_disk(data: Path) -> str | None:
    place = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(place).free
    return None if free > DISK_NEEDED else f"only {free // 1024**2} MB free at {place}; 2 GB are wanted."


def _lacks_go_programs() -> str | None:
    missing = [program.name for program in (golang.ENGINE, golang.SIMULATOR) if golang.built(program) is None]
    return f"{' and '.join(missing)} not built from these sources yet; ./merpati up does it." if missing else None


def _lacks_node() -> str | None:
    return None if node.find() else f"no Node {node.MINIMUM} or later; ./merpati up installs one."


def _lacks_dashboard() -> str | None:
    return None if dashboard.built() else "not built from these sources yet; ./merpati up does it."


def _lacks_packages(lock: str) -> str | None:
    """`dev` holds all of `local`, so having it is having both."""
    if any(_is_installed(name) for name in {lock, "dev"}):
        return None
    return "not installed, or older than the lock; the next command that needs them does it."


def _is_installed(lock: str) -> bool:
    wanted, had = CHECKOUT / "requirements" / f"{lock}.lock", CHECKOUT / ".venv" / f"installed.{lock}.lock"
    return had.exists() and had.read_bytes() == wanted.read_bytes()


def _stack_is_well(data: Path, port: int, screen: Screen) -> bool:
    running = ready.of_running_stack(data / "ready.json")
    if running is None:
        screen.say(f"No stack is running in {data}.")
        _show(f"port {port}", None if is_free(port) else "taken; choose another with --port.", screen)
        return True
    screen.say(f"A stack is running in {data}: {running.url}, networks {', '.join(running.networks)}")
    for name, pid in sorted(running.pids.items()):
        screen.say(f"  {name:24} {pid:8} {_state(pid)}")
    answer = _readiness(running.url)
    screen.say(f"  /readyz: {answer or 'ready'}")
    return answer is None


def _state(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "gone"
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return f"{int(fields.get('VmRSS', '0 kB').split()[0]) // 1024} MB"


def _readiness(url: str) -> str | None:
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5, trust_env=False)
    except httpx.TransportError as error:
        return f"no answer ({type(error).__name__})"
    return None if answer.is_success else f"{answer.status_code} {answer.text[:300]}"
