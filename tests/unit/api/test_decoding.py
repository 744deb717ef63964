"""Decoding in processes of their own, with the real program."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from services.api.errors import Refusal
from services.api.media import decoding
from services.api.media.decoding import Decoder, Sound
from tests import media

ROOT = Path(__file__).parents[3]


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(at_once=2, queue=8, within_s=60)


async def pieces(file: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(file), 4_096):
        yield file[start : start + 4_096]


def written(form: str, frames: int, **options: bool) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("RGB", (16, 16), (number * 9, 0, 0)) for number in range(frames)]
    pictures[0].save(file, form, save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


# --- Sound -----------------------------------------------------------------------------------------------------------

RECORDED: list[object] = [
    pytest.param(lambda: media.sound("mp3", "libmp3lame", 3.0), "audio/mpeg", id="MP3"),
    pytest.param(lambda: media.sound("ipod", "aac", 3.0), "audio/mp4", id="M4A"),
    pytest.param(lambda: media.sound("adts", "aac", 3.0), "audio/aac", id="AAC"),
    pytest.param(lambda: media.wav(3.0), "audio/x-wav", id="WAV"),
    pytest.param(lambda: media.sound("amr", "libopencore_amrnb", 3.0, 8_000), "audio/amr", id="AMR"),
    pytest.param(lambda: media.sound("3gp", "libopencore_amrnb", 3.0, 8_000), "audio/3gpp", id="3GP"),
    pytest.param(lambda: media.sound("webm", "libopus", 3.0), "audio/webm", id="WebM of a browser"),
    pytest.param(
        lambda: media.sound("mp4", "aac", 3.0, movflags="frag_keyframe+empty_moov"), "audio/mp4", id="MP4 in fragments"
    ),
    pytest.param(lambda: media.sound("flac", "flac", 3.0), "audio/x-flac", id="FLAC"),
    pytest.param(lambda: media.sound("caf", "pcm_s16be", 3.0), "audio/x-caf", id="CAF"),
    pytest.param(lambda: media.with_cover(3.0), "audio/mpeg", id="MP3 with a cover"),
]


@pytest.mark.parametrize(("make", "mimetype"), RECORDED)
async def test_sound_becomes_a_voice_note(decoder: Decoder, make: Callable[[], bytes], mimetype: str) -> None:
    found = await decoder.voice_note(pieces(make()), mimetype)
    assert isinstance(found, tuple), found
    heard, note = found
    with av.open(io.BytesIO(note)) as file:
        codec = file.streams.audio[0].codec_context
        assert (file.format.name, codec.name, codec.sample_rate, codec.layout.name) == (
            "ogg",
            "opus",
            48_000,
            "mono",
        )
        played = sum(frame.samples for frame in file.decode(audio=0)) / 48_000
    assert played == pytest.approx(3, abs=0.15)
    assert heard.seconds == 3
    assert len(heard.waveform) == 64
    assert max(heard.waveform) == 100
    assert heard.waveform[-8] > heard.waveform[32] > heard.waveform[8]  # it grows louder


async def test_a_voice_note_is_measured_as_it_is(decoder: Decoder) -> None:
    heard = await decoder.measured(pieces(media.sound("ogg", "libopus", 2.0)), "audio/ogg; codecs=opus")
    assert isinstance(heard, Sound)
    assert heard.seconds == 2
    assert heard.waveform[-8] > heard.waveform[8]


async def test_silence_has_flat_bars(decoder: Decoder) -> None:
    found = await decoder.voice_note(pieces(media.wav(1.0, loudness=0)), "audio/x-wav")
    assert isinstance(found, tuple)
    assert found[0].waveform == bytes(64)


@pytest.mark.parametrize(
    ("file", "mimetype", "fault"),
    [
        pytest.param(b"OggS", "audio/ogg", "damaged", id="a head alone"),
        pytest.param(b"\xff\xfb" + b"\0" * 4_000, "audio/mpeg", "damaged", id="noise"),
        pytest.param(b"#EXTM3U\nfile:///etc/passwd\n", "audio/mpeg", "damaged", id="a play list"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", "audio/x-wav", "damaged", id="a list of files"),
        pytest.param(b"MThd", "audio/midi", "unknown", id="notes"),
    ],
)
async def test_what_is_no_sound_makes_no_note(decoder: Decoder, file: bytes, mimetype: str, fault: str) -> None:
    assert await decoder.voice_note(pieces(file), mimetype) == fault


async def test_a_film_without_sound_makes_no_note(decoder: Decoder) -> None:
    assert await decoder.voice_note(pieces(media.film(audible=False)), "audio/mp4") == "silent"


# --- Pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: media.picture("PNG"), id="PNG"),
        pytest.param(lambda: media.picture("JPEG"), id="JPEG"),
        pytest.param(lambda: media.picture("JPEG", progressive=True), id="progressive"),
        pytest.param(lambda: media.picture("WEBP"), id="WebP"),
        pytest.param(lambda: media.picture("WEBP", lossless=True), id="lossless"),
        pytest.param(lambda: media.picture("GIF"), id="GIF"),
        pytest.param(lambda: written("MPO", 2), id="a camera's two pictures"),
        pytest.param(lambda: written("WEBP", 5, lossless=True), id="a moving sticker"),
        pytest.param(lambda: written("GIF", 5), id="a moving picture"),
        pytest.param(lambda: media.picture("PNG") + b"more", id="with something behind it"),
        pytest.param(lambda: media.picture("JPEG", (8_000, 8_000), progressive=True), id="progressive of most pixels"),
        pytest.param(lambda: media.many_scans((8_000, 8_000), 100), id="of most pixels and scans"),
        pytest.param(lambda: media.many_frames(3_000) + media.DAMAGED_FRAME, id="a frame that nobody looks at"),
    ],
)
async def test_a_picture_is_decoded(decoder: Decoder, make: Callable[[], bytes]) -> None:
    assert await decoder.picture_fault(pieces(make())) is None


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "damaged", id="a head alone"),
        pytest.param(lambda: media.picture("PNG", (300, 300))[:-30], "damaged", id="a PNG cut off"),
        pytest.param(lambda: media.picture("JPEG", (300, 300))[:-300], "damaged", id="a JPEG cut off"),
        pytest.param(lambda: media.picture("WEBP", (300, 300))[:-30], "damaged", id="a WebP cut off"),
        pytest.param(lambda: written("GIF", 9)[:-90], "damaged", id="a moving picture cut off"),
        pytest.param(lambda: media.many_frames(500) + media.DAMAGED_FRAME, "damaged", id="many frames, one damaged"),
        pytest.param(lambda: media.picture("PNG", (9_000, 9_000)), "huge", id="a bomb"),
        pytest.param(lambda: media.many_scans((4_000, 4_000), 101), "scans", id="a scan too many"),
        pytest.param(lambda: media.many_scans((8_000, 8_000), 20_000), "scans", id="hours of scans"),
        pytest.param(lambda: b"GIF89a" + b"\0" * 7 + b";", "damaged", id="without a size"),
        pytest.param(lambda: b"", "damaged", id="nothing"),
    ],
)
async def test_a_picture_that_phones_cannot_show_is_found(
    decoder: Decoder, make: Callable[[], bytes], fault: str
) -> None:
    assert await decoder.picture_fault(pieces(make())) == fault


# --- Bounds ----------------------------------------------------------------------------------------------------------


async def test_what_takes_too_long_is_ended() -> None:
    decoder = Decoder(at_once=1, queue=8, within_s=0.01)
    assert await decoder.picture_fault(pieces(media.picture())) == "slow"
    decoder = Decoder(at_once=1, queue=8, within_s=60)
    assert await decoder.picture_fault(pieces(media.picture())) is None


async def test_a_picture_that_takes_too_much_cpu_time_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit ends the program, which works on for ever: a process under the same limits, without a picture."""
    monkeypatch.setattr(decoding, "PROGRAM", "tests.unit.api.busy_decoder")
    decoder = Decoder(at_once=1, queue=8, within_s=60)
    assert await decoder.picture_fault(pieces(media.picture())) == "slow"


async def test_files_wait_in_turn_and_no_more_than_may_wait(decoder: Decoder) -> None:
    decoder = Decoder(at_once=1, queue=2, within_s=60)
    found = await asyncio.gather(
        *(decoder.picture_fault(pieces(media.picture())) for _ in range(5)), return_exceptions=True
    )
    refused = [each for each in found if isinstance(each, Refusal)]
    assert found.count(None) + len(refused) == 5
    assert found.count(None) >= 2
    assert {each.status for each in refused} == {429}


async def test_who_goes_away_leaves_no_process_behind(decoder: Decoder) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(4_096)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(decoder.picture_fault(endless()))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await decoder.picture_fault(pieces(media.picture())) is None


def test_the_program_opens_nothing_once_it_reads() -> None:
    attempt = """
import resource, socket
from services.api.media.decoder import pictures, sounds
from services.api.media.decoder.limits import confine
sounds.load()
confine()
for forbidden in (lambda: open("/etc/hostname"), socket.socket, lambda: bytearray(2 << 30)):
    try:
        forbidden()
    except (OSError, MemoryError):
        continue
    raise SystemExit(1)
"""
    done = subprocess.run([sys.executable, "-c", attempt], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_edge_starts_without_the_libraries_that_decode() -> None:
    look = "import sys, services.api.app; sys.exit('av' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=False).returncode == 0
