"""What a person who runs this is told of a batch, beside what customers are."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from libs.contracts.events import AnyFact
from tests.unit.status.builders import deliveries, edited, received, revoked, undecryptable
from tests.unit.status.memory import MemoryBus, MemoryStore
from tests.unit.status.owners import Owner

OTHER = "6289876543210"


@pytest.fixture(autouse=True, scope="module")
def quiet() -> None:
    """Not here: what is logged is the subject."""


async def warnings_of(*facts: AnyFact) -> list[str]:
    """What is logged of these facts as a warning."""
    with capture_logs() as logged:
        await Owner(MemoryStore(), MemoryBus()).handle(deliveries(facts))
    assert OTHER not in str(logged)
    return [line["event"] for line in logged if line["log_level"] == "warning"]


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        pytest.param(edited(sender=OTHER), "a change by somebody else was ignored", id="words of another"),
        pytest.param(revoked(sender=OTHER), "a change by somebody else was ignored", id="a message of another"),
        pytest.param(undecryptable(), "a message could not be decrypted", id="what nobody can read"),
    ],
)
async def test_what_customers_are_not_told_is_in_the_log(fact: AnyFact, sentence: str) -> None:
    assert await warnings_of(received(), fact) == [sentence]


async def test_what_its_author_does_is_not_in_the_log() -> None:
    assert await warnings_of(received(), edited(), revoked()) == []
