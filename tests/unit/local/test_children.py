"""Children of the launcher: restarted when they crash, drained when asked, gone when it is gone."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import children
from infra.local.checkout import CHECKOUT
from infra.local.children import Child, trim_log
from infra.local.programs import Program
from infra.local.screen import Screen
from tests.stack import eventually


def child_of(tmp_path: Path, script: str, screen: io.StringIO, changed: Callable[[], None] = lambda: None) -> Child:
    program = Program(name="sender-1", command=(sys.executable, "-c", script))
    return Child(program, logs=tmp_path, screen=Screen(screen), changed=changed)


def is_alive(pid: int) -> bool:
    """Running, and not a zombie that nobody has reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_child_that_crashes_is_named_and_started_again(tmp_path: Path) -> None:
    screen, changes = io.StringIO(), []
    child = child_of(tmp_path, "import time; time.sleep(60)", screen, lambda: changes.append(child.pid))
    await child.start()
    first = child.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: child.pid not in (None, first), 60, "another process")
    assert "sender-1 died (SIGKILL); starting it again in 0.2 s" in screen.getvalue()
    assert changes == [first, None, child.pid]
    await child.stop()
    assert not child.runs()


async def test_a_child_that_does_not_drain_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "DRAIN_S", 0.3)
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
    )
    screen = io.StringIO()
    child = child_of(tmp_path, script, screen)
    await child.start()
    await eventually(lambda: child.log.read_text().endswith("\n"), 60, "the grandchild")
    grandchild = int(child.log.read_text())
    await asyncio.wait_for(child.stop(), 60)
    assert "did not drain" in screen.getvalue()
    await eventually(lambda: not is_alive(grandchild), 60, "the grandchild to be gone")


async def test_a_child_that_is_stopped_between_two_runs_stays_stopped(tmp_path: Path) -> None:
    child = child_of(tmp_path, "raise SystemExit(3)", io.StringIO())
    await child.start()
    await eventually(lambda: child.crashes > 1 and not child.runs(), 60, "a pause between two runs")
    await asyncio.wait_for(child.stop(), 60)
    assert not child.runs()


def test_children_die_with_a_launcher_that_is_killed(tmp_path: Path) -> None:
    says_its_pid = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    script = (
        "import subprocess, sys, time; from infra.local.programs import tethered\n"
        f"subprocess.Popen(tethered((sys.executable, '-c', {says_its_pid!r}))); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout
        pid = int(launcher.stdout.readline())
        assert is_alive(pid)
        launcher.kill()
    asyncio.run(eventually(lambda: not is_alive(pid), 60, "the child to be gone"))


def test_a_long_log_is_cut_and_its_end_kept_while_it_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOG_BYTES", 100)
    log = tmp_path / "api-1.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        trim_log(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "api-1.log.1").stat().st_size == 101
