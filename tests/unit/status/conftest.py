"""Quiet logs: a property test handles thousands of batches."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def quiet(quiet_logs: None) -> None:
    """Only errors are printed."""
