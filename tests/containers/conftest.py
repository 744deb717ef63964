"""The deployment that the container tests share: built once, gone without a trace afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.composition import Composition


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    """The compose project with its images built, nothing started."""
    composition = Composition(tmp_path_factory.mktemp("compose"))
    composition.build()
    return composition


@pytest.fixture(scope="session")
def composition(built: Composition) -> Iterator[Composition]:
    """The compose project, up and healthy with one replica of each service."""
    try:
        built.up()
        yield built
    finally:
        built.down("-v")
    assert built.leftovers() == []
