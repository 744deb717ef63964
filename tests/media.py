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
