"""When a replica doubts that it reaches WhatsApp."""

from __future__ import annotations

from services.sessions.fitness import DOUBTED_FOR_S, ENOUGH_FAILURES, LONGEST_DOUBT_S, Fitness


def doubtful(now: float = 0.0) -> Fitness:
    fitness = Fitness()
    for _ in range(ENOUGH_FAILURES):
        fitness.failed(now)
    return fitness


def test_a_replica_is_fit_until_attempts_fail() -> None:
    assert Fitness().is_fit(0.0)


def test_a_single_failure_is_no_reason_to_doubt() -> None:
    fitness = Fitness()
    fitness.failed(0.0)
    assert fitness.is_fit(0.0)


def test_a_replica_of_which_every_connect_fails_is_unfit() -> None:
    assert not doubtful().is_fit(0.0)


def test_a_replica_with_a_connected_session_is_fit_whatever_else_fails() -> None:
    fitness = Fitness()
    fitness.online("s")
    for _ in range(100):
        fitness.failed(0.0)
    assert fitness.is_fit(0.0)


def test_losing_the_last_connection_makes_the_next_failure_count() -> None:
    fitness = doubtful()
    fitness.online("s")
    fitness.offline("s")
    assert fitness.is_fit(0.0)
    for _ in range(ENOUGH_FAILURES):
        fitness.failed(1.0)
    assert not fitness.is_fit(1.0)


def test_whatever_whatsapp_answers_ends_the_doubt() -> None:
    fitness = doubtful()
    fitness.reached()
    assert fitness.is_fit(0.0)


def test_a_doubt_ends_by_itself_and_lasts_longer_each_time() -> None:
    fitness, now, lasted = Fitness(), 0.0, []
    for _ in range(6):
        for _ in range(ENOUGH_FAILURES):
            fitness.failed(now)
        doubted_at = now
        while not fitness.is_fit(now):
            now += 10
        lasted.append(now - doubted_at)
    assert lasted[:3] == [DOUBTED_FOR_S, DOUBTED_FOR_S * 2, DOUBTED_FOR_S * 4]
    assert max(lasted) == LONGEST_DOUBT_S


def test_attempts_in_vain_keep_the_doubt_alive() -> None:
    fitness = doubtful()
    fitness.failed(DOUBTED_FOR_S - 1)
    assert not fitness.is_fit(DOUBTED_FOR_S + 1)
