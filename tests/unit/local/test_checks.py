"""What `./merpati test` hands to pytest."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from infra.local import checks, golang
from infra.local.screen import Screen


@pytest.mark.parametrize(
    ("asked", "handed"),
    [
        pytest.param([], [*checks.SIDE_BY_SIDE, "-m", "not slow"], id="nothing"),
        pytest.param(["--all"], [*checks.SIDE_BY_SIDE], id="all"),
        pytest.param(["--all", "-x"], [*checks.SIDE_BY_SIDE, "-x"], id="all-and-more"),
        pytest.param(["tests/unit", "-q"], ["tests/unit", "-q"], id="named"),
    ],
)
def test_pytest_is_given_what_was_asked_for(
    asked: list[str], handed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []

    def run(command: list[str] | tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        called.append(list(command))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(golang, "find", lambda: None)
    monkeypatch.delenv("CI", raising=False)

    assert checks.test(Screen(), asked) == 0

    assert called[0][3:] == handed
