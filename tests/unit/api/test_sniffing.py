"""What files are by their tracks, not by their brands."""

from __future__ import annotations

import pytest

from services.api.media.sniffing import Sniffer
from services.api.media.tracks import MOST_BOXES, Boxes
from tests import media


def sniffed(file: bytes, *, pieces_of: int = 1_000) -> str:
    sniffer = Sniffer()
    for start in range(0, len(file), pieces_of):
        sniffer.feed(file[start : start + pieces_of])
    return sniffer.mimetype(declared="", file_name=None)


SOUND = [
    pytest.param(lambda: media.branded(media.sound("mp4", "aac"), b"mp42"), "audio/mp4", id="mp42"),
    pytest.param(lambda: media.branded(media.sound("mp4", "aac"), b"isom"), "audio/mp4", id="isom"),
    pytest.param(lambda: media.branded(media.sound("mp4", "aac"), b"zzzz"), "audio/mp4", id="a brand of nobody"),
    pytest.param(lambda: media.sound("3gp", "libopencore_amrnb", 1.0, 8_000), "audio/3gpp", id="AMR in 3gp4"),
    pytest.param(lambda: media.sound("mov", "aac"), "audio/mp4", id="QuickTime"),
    pytest.param(
        lambda: media.sound("mp4", "aac", movflags="frag_keyframe+empty_moov"), "audio/mp4", id="in fragments"
    ),
    pytest.param(lambda: media.sound("webm", "libopus"), "audio/webm", id="WebM"),
    pytest.param(lambda: media.sound("matroska", "libopus"), "audio/x-matroska", id="Matroska"),
    pytest.param(lambda: media.sound("amr", "libopencore_amrnb", 1.0, 8_000), "audio/amr", id="AMR"),
    pytest.param(lambda: media.sound("caf", "pcm_s16be"), "audio/x-caf", id="CAF"),
    pytest.param(media.wav, "audio/x-wav", id="WAV"),
]


@pytest.mark.parametrize(("make", "mimetype"), SOUND)
@pytest.mark.parametrize("pieces_of", [7, 1_000, 10_000_000])
def test_what_holds_sound_alone_is_audio(make: object, mimetype: str, pieces_of: int) -> None:
    assert callable(make)
    assert sniffed(make(), pieces_of=pieces_of) == mimetype


@pytest.mark.parametrize(
    ("make", "mimetype"),
    [
        pytest.param(media.film, "video/mp4", id="MP4"),
        pytest.param(lambda: media.film(audible=False), "video/mp4", id="a silent film"),
        pytest.param(lambda: media.branded(media.film(), b"M4A "), "video/mp4", id="under the brand of sound"),
        pytest.param(lambda: media.film("webm", "libvpx"), "video/webm", id="WebM"),
    ],
)
def test_what_holds_pictures_is_video(make: object, mimetype: str) -> None:
    assert callable(make)
    assert sniffed(make()) == mimetype


def test_a_file_that_is_cut_off_anywhere_is_read_without_a_fault() -> None:
    for file in (media.sound("mp4", "aac", 0.1), media.sound("webm", "libopus", 0.1)):
        for end in range(0, len(file), 7):
            assert sniffed(file[:end]).partition("/")[2]


def test_boxes_without_end_are_not_followed() -> None:
    boxes = Boxes()
    boxes.feed(b"\0\0\0\x18ftypmp42" + b"\0" * 12)
    for _ in range(MOST_BOXES * 2):
        boxes.feed(b"\0\0\0\x08moov")
    boxes.feed(b"\0\0\0\x14hdlr" + b"\0" * 8 + b"soun")
    assert boxes.tracks == set()
