"""The worker's own tests, in Go, with the MongoDB that they need: none of them may be left out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra.local import golang


@pytest.mark.slow
@pytest.mark.needs_go
def test_the_workers_own_tests_pass_and_none_is_skipped(mongodb_url: str, repository: Path) -> None:
    go = golang.find()
    assert go is not None
    environment = os.environ | golang.ENVIRONMENT | {"MONGODB_URL": mongodb_url}
    environment["PATH"] = f"{go.parent}:{environment['PATH']}"  # these tests build the simulator
    command = [go, "test", "-count=1", "-v", "./services/sessions/engine"]

    ran = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    lines = ran.stdout.splitlines()
    said = [line for line in lines if not line.startswith(("=== ", "--- PASS", "    --- PASS"))]
    assert ran.returncode == 0, "\n".join([*said[-60:], ran.stderr[-2000:]])
    assert sum(line.startswith("--- PASS") for line in lines) > 40
    assert [line for line in lines if "--- SKIP" in line] == []
