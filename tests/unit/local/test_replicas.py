"""What `--replicas` means."""

import pytest

from infra.local.replicas import parse_replicas
from infra.local.services import replica_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {"api": 1, "sessions": 1, "sender": 1, "status": 1}, id="nothing named is one of each"),
        pytest.param("api=2", {"api": 2, "sessions": 1, "sender": 1, "status": 1}, id="one named"),
        pytest.param("api=2, status=3,", {"api": 2, "sessions": 1, "sender": 1, "status": 3}, id="spaces and a comma"),
        pytest.param("sender=32", {"api": 1, "sessions": 1, "sender": 32, "status": 1}, id="as many as shards"),
    ],
)
def test_replicas_are_counted_by_service(text: str, expected: dict[str, int]) -> None:
    assert parse_replicas(text) == expected


@pytest.mark.parametrize("text", ["apis=2", "api=0", "api=33", "api=two", "api", "api=-1", "=2"])
def test_a_count_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"there is no service|takes a number of replicas from 1 to 32"):
        parse_replicas(text)


def test_two_sessions_are_two_of_each_network_but_one_of_the_scripted() -> None:
    names = [name for name, _ in replica_names("sessions", 2, ("whatsapp", "scripted"))]
    assert names == ["sessions-whatsapp-1", "sessions-whatsapp-2", "sessions-scripted-1"]


def test_other_services_know_no_networks() -> None:
    assert replica_names("sender", 2, ("whatsapp", "simulator")) == [("sender-1", ""), ("sender-2", "")]
