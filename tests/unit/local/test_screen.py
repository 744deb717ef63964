"""What the person at the terminal sees."""

import io

from infra.local.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_step_ends_with_its_time() -> None:
    output = io.StringIO()
    with Screen(output).step("mongod"):
        pass
    assert output.getvalue() == "  ok  mongod (0.0 s)\n"


def test_on_a_terminal_the_waiting_is_shown() -> None:
    output = Terminal()
    with Screen(output).step("build") as tick:
        tick()
    assert "... build 0 s" in output.getvalue()


def test_a_terminal_that_went_away_stops_nothing() -> None:
    Screen(BrokenPipe()).say("still here")
