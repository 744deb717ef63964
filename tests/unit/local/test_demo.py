"""The demo's own parts; that the demo itself works is shown in tests/e2e."""

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra.local.customer import Customer, Phones, Stream
from infra.local.demo import CAPTION, DOCUMENT, TEXT, Demo, DemoFailedError, draw, picture
from infra.local.demo_target import warnings_of
from infra.local.screen import Screen


class FakeSocket:
    """Frames as text, then the end."""

    close_code = 1012
    close_reason = "restart"

    def __init__(self, *frames: str) -> None:
        self._frames = list(frames)

    def __aiter__(self) -> "FakeSocket":
        return self

    async def __anext__(self) -> str:
        if not self._frames:
            raise StopAsyncIteration
        return self._frames.pop(0)


class Inbox(Phones):
    """A contact's phone with these rows in it."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    async def inbox(self, number: str) -> list[dict[str, Any]]:
        return self._rows


def rows() -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": TEXT},
        {"type": "image", "caption": CAPTION, "sha256": hashlib.sha256(picture()).hexdigest()},
        {"type": "document", "fileName": "merpati.txt", "sha256": hashlib.sha256(DOCUMENT).hexdigest()},
    ]


def demo_with(inbox: list[dict[str, Any]], output: io.StringIO | None = None) -> Demo:
    screen = Screen(output or io.StringIO())
    return Demo(Customer("http://127.0.0.1:9", "key"), Inbox(inbox), "simulator", screen)


def test_the_picture_is_one() -> None:
    with Image.open(io.BytesIO(picture())) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (64, 64))


def test_the_code_is_drawn_as_a_square_of_half_blocks() -> None:
    output = io.StringIO()
    draw("2@" + "x" * 230, output)
    lines = output.getvalue().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) in (2 * len(lines), 2 * len(lines) - 1)
    assert set("".join(lines)) <= set("\N{NO-BREAK SPACE} █▀▄")


async def test_an_inbox_with_each_message_once_and_whole_satisfies_the_demo() -> None:
    await demo_with(rows()).check_inbox()


@pytest.mark.parametrize(
    "inbox",
    [
        pytest.param(rows()[:2], id="one is missing"),
        pytest.param([*rows(), rows()[0]], id="one came twice"),
        pytest.param([{**rows()[0], "text": "else"}, *rows()[1:]], id="the text is another"),
        pytest.param([rows()[0], {**rows()[1], "sha256": "0" * 64}, rows()[2]], id="the image is another"),
    ],
)
async def test_the_demo_fails_when_the_contacts_phone_shows_anything_else(inbox: list[dict[str, Any]]) -> None:
    with pytest.raises(DemoFailedError):
        await demo_with(inbox).check_inbox()


async def test_a_frame_says_what_went_out_though_its_id_is_not_known_yet() -> None:
    output = io.StringIO()
    data = {"messageId": "m", "direction": "out", "type": "document", "status": "delivered"}
    demo_with([], output).show_frame(
        {"type": "message.delivered", "occurredAt": "2026-07-14T08:15:30.650Z", "data": data}
    )
    assert output.getvalue() == "  08:15:30.650  message.delivered    document delivered\n"


async def test_a_frame_that_came_before_it_was_waited_for_is_found() -> None:
    stream = Stream()
    await stream.read(FakeSocket('{"type": "message.sent", "data": {"messageId": "m"}}'), lambda _: None)  # type: ignore[arg-type]
    found = await stream.wait_for("message.sent", lambda data: data["messageId"] == "m", 1)
    assert found == {"type": "message.sent", "data": {"messageId": "m"}}


async def test_a_closed_stream_ends_the_wait_at_once() -> None:
    stream = Stream()
    await stream.read(FakeSocket(), lambda _: None)  # type: ignore[arg-type]
    assert await stream.wait_for("message.sent", bool, 60) is None


def test_the_last_warnings_of_each_service_are_told_and_nothing_else(tmp_path: Path) -> None:
    lines = ['{"event": "facts told", "level": "info"}'] + [
        f'{{"event": "warning {number}", "level": "warning"}}' for number in range(9)
    ]
    (tmp_path / "status-1.log").write_text("\n".join(lines))
    (tmp_path / "nats.log").write_text("[INF] Server is ready\n")
    told = warnings_of(tmp_path)
    assert len(told) == 5
    assert told[0] == 'status-1: {"event": "warning 4", "level": "warning"}'
