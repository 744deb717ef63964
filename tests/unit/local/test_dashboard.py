"""When the dashboard is built again, and what its lock of packages holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from infra.local import dashboard, node

LOCK = dashboard.SOURCES / "web" / "package-lock.json"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "dashboard"
    monkeypatch.setattr(dashboard, "SOURCES", root)
    monkeypatch.setattr(dashboard, "BUILT", tmp_path / "built")
    for name in ("web/js/app.js", "templates/page.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    target = tmp_path / "built" / dashboard.sources_digest()
    target.mkdir(parents=True)
    (target / "manifest.json").write_text("{}")
    return root


def test_the_same_sources_are_not_built_again(sources: Path) -> None:
    assert dashboard.built() is not None


@pytest.mark.parametrize("name", ["web/js/app.js", "templates/page.html", "web/css/new.css"])
def test_a_changed_or_new_source_is_built_again(sources: Path, name: str) -> None:
    (sources / name).parent.mkdir(exist_ok=True)
    (sources / name).write_text("changed")
    assert dashboard.built() is None


def test_packages_that_lie_among_the_sources_build_nothing(sources: Path) -> None:
    (sources / "web" / "node_modules").mkdir()
    (sources / "web" / "node_modules" / "index.js").write_text("theirs")
    assert dashboard.built() is not None


def test_the_lock_says_what_is_right_and_not_where_it_lies() -> None:
    packages = msgspec.json.decode(LOCK.read_bytes())["packages"]
    fetched = {name: package for name, package in packages.items() if name and "inBundle" not in package}
    assert len(fetched) > 10
    assert [name for name, package in fetched.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


@pytest.mark.parametrize(("said", "expected"), [("v20.20.2", 20), ("v24.19.0", 24), ("", 0), ("node", 0)])
def test_the_version_is_what_node_says(tmp_path: Path, said: str, expected: int) -> None:
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    assert node.version(program) == expected
