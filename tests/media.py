"""Small real media, made anew for each test: sound, films and pictures as people have them."""

from __future__ import annotations

import io
import math
import struct
import wave
from fractions import Fraction
from typing import Any

import av
from PIL import Image

WAV_RATE = 16_000


def samples(seconds: float, rate: int, *, loudness: float = 0.5) -> bytes:
    """A tone of 440 Hz that grows louder, 16 bits, mono."""
    count = int(seconds * rate)
    wave_of = (loudness * at / max(1, count) * math.sin(2 * math.pi * 440 * at / rate) for at in range(count))
    return struct.pack(f"<{count}h", *(int(32_000 * each) for each in wave_of))


def wav(seconds: float = 1.0, rate: int = WAV_RATE, *, loudness: float = 0.5) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples(seconds, rate, loudness=loudness))
    return file.getvalue()


def sound(form: str, codec: str, seconds: float = 1.0, rate: int = 48_000, **options: str) -> bytes:
    """A file with sound alone: `form` and `codec` are FFmpeg's names, `options` those of the container."""
    file = io.BytesIO()
    with av.open(file, "w", format=form, options=options) as out, av.open(io.BytesIO(wav(seconds, rate))) as heard:
        stream: Any = out.add_stream(codec, rate=rate)
        if codec.startswith("libopencore"):
            stream.layout = "mono"
            stream.bit_rate = 12_200
        _encode(heard, stream, out)
    return file.getvalue()


def _encode(heard: Any, stream: Any, out: Any) -> None:
    for frame in heard.decode(audio=0):
        frame.pts = None
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def with_cover(seconds: float = 1.0) -> bytes:
    """An MP3 with a picture beside its sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as out, av.open(io.BytesIO(wav(seconds, 48_000))) as heard:
        spoken: Any = out.add_stream("libmp3lame", rate=48_000)
        seen: Any = out.add_stream("mjpeg", rate=1)
        seen.width, seen.height, seen.pix_fmt = 16, 16, "yuvj420p"
        out.mux(seen.encode(av.VideoFrame(16, 16, "yuvj420p")))
        out.mux(seen.encode(None))
        _encode(heard, spoken, out)
    return file.getvalue()


def film(form: str = "mp4", codec: str = "mpeg4", *, audible: bool = True) -> bytes:
    """A film of a few pictures, with sound or without."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out, av.open(io.BytesIO(wav(0.2, 48_000))) as heard:
        seen: Any = out.add_stream(codec, rate=Fraction(10))
        seen.width, seen.height, seen.pix_fmt = 32, 32, "yuv420p"
        spoken: Any = out.add_stream("libopus" if form == "webm" else "aac", rate=48_000) if audible else None
        for _ in range(3):
            out.mux(seen.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(seen.encode(None))
        if spoken is not None:
            _encode(heard, spoken, out)
    return file.getvalue()


def branded(file: bytes, brand: bytes) -> bytes:
    """The MP4 file under another brand."""
    return file[:8] + brand + file[12:]


def picture(form: str = "PNG", size: tuple[int, int] = (8, 8), **options: Any) -> bytes:
    """A picture; `form` is Pillow's name of its format."""
    file = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(file, form, **options)
    return file.getvalue()


def many_scans(size: tuple[int, int], scans: int) -> bytes:
    """A grey picture in a progressive JPEG of any number of scans.

    Each scan but the first says of every block that it is empty, 16,384 blocks with one code of 15 bits, so that a few
    bytes make a decoder walk through the whole picture.
    """
    width, height = size
    blocks = -(-width // 8) * -(-height // 8)
    one_code = bytes([1] + [0] * 15)  # of one bit: 0
    segments = [
        _segment(0xDB, bytes([0]) + bytes([1] * 64)),
        _segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])),
        _segment(0xC4, b"\x00" + one_code + b"\x00"),  # DC: no difference to the block before
        _segment(0xC4, b"\x10" + one_code + b"\xe0"),  # AC: 2^14 empty blocks, and 14 bits more
        _segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8 + 1),
    ]
    empty = _segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + bytes((blocks // 16_384 + 1) * 15 // 8 + 1)
    return b"\xff\xd8" + b"".join([*segments, *[empty] * (scans - 1)]) + b"\xff\xd9"


DAMAGED_FRAME = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x0d\x02\x44\x01\x00"
"""Of a GIF: no code is that long."""


def many_frames(count: int) -> bytes:
    """A GIF of one pixel and many frames, without its end."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * count


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
