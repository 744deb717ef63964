"""What the engine answered, as the edge hears it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libs.contracts import calls
from services.sessions.answers import FAILURES, answer_of, failure_of, fitting
from services.sessions.engines import base as engine


def group(number: int, members: int) -> calls.Group:
    people = [calls.GroupMember(jid=f"62{number}{each:09d}@s.whatsapp.net") for each in range(members)]
    return calls.Group(jid=f"1203{number}@g.us", subject="team", members=people)


def test_a_group_keeps_its_people_and_its_date() -> None:
    member = engine.GroupMember(jid="1@s.whatsapp.net", lid="9@lid", role="owner")
    wired = engine.Group(jid="1@g.us", subject="team", members=[member], created_ms=1_700_000_000_000)

    answer = answer_of(engine.Groups(groups=[wired]))

    assert answer == calls.GroupsFound(
        groups=[
            calls.Group(
                jid="1@g.us",
                subject="team",
                members=[calls.GroupMember(jid="1@s.whatsapp.net", lid="9@lid", role="owner")],
                created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            )
        ]
    )


@pytest.mark.parametrize("code", FAILURES)
def test_what_failed_says_so_in_our_words(code: str) -> None:
    failure = failure_of(engine.Failed(code=code, message="internal 0x7f words"))
    assert failure.detail.endswith(".")
    assert "0x7f" not in failure.detail


ADD = engine.ChangeParticipants(session="s", group="1@g.us", action="add", participants=[])
PAIR = engine.PairPhone(session="s", phone="1")


@pytest.mark.parametrize(
    ("status", "to", "says"),
    [
        pytest.param(403, ADD, "not an administrator", id="a group of others"),
        pytest.param(404, ADD, "no such group", id="a group that is not there"),
        pytest.param(429, PAIR, "no more codes", id="too many codes"),
        pytest.param(403, PAIR, "(code 403)", id="of no code of its own"),
        pytest.param(429, None, "limits how often", id="too often"),
        pytest.param(421, None, "WhatsApp refused this (code 421).", id="a code not known here"),
        pytest.param(0, None, "WhatsApp refused this.", id="by an engine of the version before"),
    ],
)
def test_a_refusal_says_why_in_our_words(status: int, to: engine.Request | None, says: str) -> None:
    answer = answer_of(engine.Failed(code="refused", message="item-not-found", status=status), to=to)
    assert isinstance(answer, calls.AskFailed)
    assert (answer.code, says in answer.detail) == ("REFUSED", True)


@pytest.mark.parametrize(
    "reply", [None, engine.Pong(open_sessions=1), engine.Failed(code="new", message="x")], ids=["none", "odd", "new"]
)
def test_what_is_not_understood_may_have_been_done(reply: engine.Reply | None) -> None:
    answer = answer_of(reply)
    assert isinstance(answer, calls.AskFailed)
    assert answer.code == "INTERRUPTED"


def test_a_list_of_groups_that_does_not_fit_leaves_out_the_members_of_the_largest() -> None:
    found = calls.GroupsFound(groups=[group(1, 5), group(2, 500)])

    answer = fitting(found, 5_000)

    assert isinstance(answer, calls.GroupsFound)
    assert [(len(each.members), each.size) for each in answer.groups] == [(5, None), (0, 500)]
    assert fitting(found, 1_000_000) is found


def test_what_does_not_fit_in_any_way_is_refused() -> None:
    answer = fitting(calls.GroupsFound(groups=[group(number, 1) for number in range(100)]), 1_000)
    assert isinstance(answer, calls.AskFailed)
