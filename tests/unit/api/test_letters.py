"""How a dead letter is put back on its way: its own headers, a new id, and what it died of so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.api.platform.letters import MOST_HISTORY, Failure, Letter, NotRedrivable, headers_again, redrive

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


def letter(**fields: Any) -> Letter:
    given: dict[str, Any] = {
        "sequence": 7,
        "at": AT,
        "service": "sender",
        "subject": "cmd.send.07.a1b2",
        "stream": "COMMANDS",
        "stream_sequence": 41,
        "error": "ValueError('no')",
        "history": [],
        "payload": b"{}",
        "headers": {"Request-Id": "r1", "Dead-Error": "x", "Dead-Subject": "cmd.send.07.a1b2", "Nats-Time-Stamp": "t"},
    }
    return Letter(**(given | fields))


def test_it_keeps_its_own_headers_and_gets_a_new_id() -> None:
    headers = headers_again(letter())
    assert headers["Request-Id"] == "r1"
    assert set(headers) == {"Request-Id", "Dead-History", "Nats-Msg-Id"}
    assert headers["Nats-Msg-Id"] == headers_again(letter())["Nats-Msg-Id"]


@pytest.mark.parametrize("other", [{"sequence": 8}, {"at": AT.replace(second=8)}], ids=["another", "of another stream"])
def test_another_letter_has_another_id(other: dict[str, Any]) -> None:
    assert headers_again(letter(**other))["Nats-Msg-Id"] != headers_again(letter())["Nats-Msg-Id"]


def test_it_carries_what_it_died_of_before_the_latest_ten() -> None:
    before = [Failure(sequence=number, at="t", error=f"no {number}") for number in range(MOST_HISTORY)]
    told = msgspec.json.decode(headers_again(letter(history=before))["Dead-History"], type=list[Failure])
    assert [each.sequence for each in told] == [*range(1, MOST_HISTORY), 7]
    assert told[-1].error == "ValueError('no')"


def test_a_header_holds_ascii_alone() -> None:
    assert headers_again(letter(error="kö\n"))["Dead-History"].isascii()
    assert "\n" not in headers_again(letter(error="kö\n"))["Dead-History"]


@pytest.mark.parametrize(
    "fields", [{"stream": "UPDATES"}, {"stream": ""}, {"subject": ""}], ids=["frame", "?", "where"]
)
async def test_what_customers_would_see_twice_is_not_published_twice(fields: dict[str, Any]) -> None:
    nothing: Any = None
    with pytest.raises(NotRedrivable):
        await redrive(nothing, letter(**fields))
