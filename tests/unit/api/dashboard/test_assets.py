"""Built files: found by their names in the sources, served in the smallest form that a browser takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.api.dashboard.assets import Assets, NotBuilt, load


@pytest.fixture
def built(tmp_path: Path) -> Assets:
    (tmp_path / "manifest.json").write_text('{"app.js": "app-1a2b.js"}')
    for ending in ("", ".br", ".gz"):
        (tmp_path / f"app-1a2b.js{ending}").write_text(f"script{ending}")
    (tmp_path / "secret.txt").write_text("no file of ours")
    return load(str(tmp_path))


def test_a_page_names_the_file_that_was_built(built: Assets) -> None:
    assert built.url("app.js") == "/dashboard/assets/app-1a2b.js"


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [("gzip, deflate, br", "br", b"script.br"), ("gzip;q=0.8", "gzip", b"script.gz"), ("", "", b"script")],
    ids=["brotli", "gzip", "plain"],
)
def test_the_smallest_form_that_the_browser_takes_is_served(
    built: Assets, accepted: str, encoding: str, content: bytes
) -> None:
    file = built.file("app-1a2b.js")
    assert file is not None
    assert file.best_for(accepted) == (encoding, content)


@pytest.mark.parametrize("name", ["secret.txt", "manifest.json", "app.js", "../app-1a2b.js", "app-1a2b.js.br"])
def test_nothing_else_is_served(built: Assets, name: str) -> None:
    assert built.file(name) is None


@pytest.mark.parametrize("folder", ["", "{empty}"], ids=["unset", "empty"])
def test_what_was_not_built_is_said_so(tmp_path: Path, folder: str) -> None:
    with pytest.raises(NotBuilt, match=r"\./merpati up builds it"):
        load(folder.format(empty=tmp_path))
