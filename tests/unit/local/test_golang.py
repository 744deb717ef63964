"""When the Go programs are built again."""

from pathlib import Path

import pytest

from infra.local import golang


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(golang, "CHECKOUT", tmp_path)
    monkeypatch.setattr(golang, "BINARIES", tmp_path / "bin")
    for name in ("go.mod", "go.sum", "infra/main.go"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "engine").write_text("binary")
    (tmp_path / "bin" / "engine.sources").write_text(golang.sources_digest())
    return tmp_path


def test_the_same_sources_are_not_built_again(checkout: Path) -> None:
    assert golang.built(golang.ENGINE) == checkout / "bin" / "engine"


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "infra/main.go", "services/new.go", *golang.EMBEDDED])
def test_a_changed_or_new_source_is_built_again(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("changed")
    assert golang.built(golang.ENGINE) is None


def test_a_changed_test_builds_nothing(checkout: Path) -> None:
    (checkout / "infra" / "main_test.go").write_text("changed")
    assert golang.built(golang.ENGINE) is not None


def test_a_program_that_was_never_built_is_built(checkout: Path) -> None:
    assert golang.built(golang.SIMULATOR) is None


@pytest.mark.parametrize(
    ("said", "expected"), [("go version go1.26.8 linux/amd64", (1, 26)), ("go version devel", (0, 0)), ("", (0, 0))]
)
def test_the_version_is_what_go_says(tmp_path: Path, said: str, expected: tuple[int, int]) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho '{said}'\n")
    go.chmod(0o755)
    assert golang.version(go) == expected
