"""Decodes sound: makes a voice note of it, and measures what phones show of one."""

from __future__ import annotations

import io
import wave
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.error import EOFError as EndOfFile
from av.error import FFmpegError, InvalidDataError

RATE = 48_000
BIT_RATE = 24_000
FRAME = 960
"""Samples of 20 ms, Opus' own measure."""
MOST_S = 3_600
BARS, TOP = 64, 100
EVERY = 16
"""Of so many samples one is looked at for the bars."""

_DEMUXERS = {
    "audio/mpeg": "mp3",
    "audio/mp4": "mov",
    "audio/3gpp": "mov",
    "audio/ogg": "ogg",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/webm": "matroska",
    "audio/x-matroska": "matroska",
    "audio/x-flac": "flac",
    "audio/x-aiff": "aiff",
    "audio/x-caf": "caf",
}
"""Never guessed: FFmpeg also reads play lists, which lead to other files."""


def load() -> None:
    """Have the libraries open all that they open late, by converting a moment of silence."""
    silence = io.BytesIO()
    with wave.open(silence, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * FRAME))
    heard(silence.getvalue(), mimetype="audio/x-wav", convert=True)


def heard(file: bytes, *, mimetype: str, convert: bool) -> tuple[dict[str, Any], bytes]:
    """Length and bars of the sound, and with `convert` the voice note made of it.

    Else `fault`: `silent`, `long`, `damaged`, `unknown`.
    """
    demuxer = _DEMUXERS.get(mimetype.partition(";")[0])
    if demuxer is None:
        return {"fault": "unknown"}, b""
    loudness, samples, out = array("L"), 0, io.BytesIO()
    note = _Note(out) if convert else None
    try:
        with av.open(io.BytesIO(file), "r", format=demuxer) as source:
            for frame in _frames(source):
                samples += frame.samples
                if samples > MOST_S * RATE:
                    return {"fault": "long"}, b""
                loudness.append(_loudness(frame))
                if note is not None:
                    note.add(frame)
    except FFmpegError:
        return {"fault": "damaged"}, b""
    if samples == 0:
        return {"fault": "silent"}, b""
    if note is not None:
        note.end()
    return {"seconds": max(1, round(samples / RATE)), "waveform": _bars(loudness)}, out.getvalue()


def _frames(source: Any) -> Iterator[Any]:
    """The first track in frames of 20 ms, mono; what is damaged within it is left out, as players do."""
    if not source.streams.audio:
        return
    track = source.streams.audio[0]
    track.codec_context.thread_count = 1
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=FRAME)
    for packet in source.demux(track):
        try:
            for frame in packet.decode():
                yield from resampler.resample(frame)
        except InvalidDataError:
            continue
    try:
        yield from resampler.resample(None)
    except (EndOfFile, ValueError):
        return


def _loudness(frame: Any) -> int:
    """The mean of what is heard in a frame, from 0 to 32,768."""
    samples = memoryview(frame.planes[0])[: frame.samples * 2].cast("h")[::EVERY].tolist()
    return sum(map(abs, samples)) // max(1, len(samples))


def _bars(loudness: array[int]) -> list[int]:
    """64 bars from 0 to 100, the loudest 100, as phones draw them."""
    spans = [(at * len(loudness) // BARS, (at + 1) * len(loudness) // BARS) for at in range(BARS)]
    means = [sum(loudness[start : max(end, start + 1)]) // max(1, end - start) for start, end in spans]
    return [mean * TOP // max(1, max(means)) for mean in means]


class _Note:
    """A voice note on its way: Ogg with Opus, mono."""

    def __init__(self, out: io.BytesIO) -> None:
        self._file = av.open(out, "w", format="ogg")
        self._stream: Any = self._file.add_stream("libopus", rate=RATE, layout="mono")
        self._stream.bit_rate = BIT_RATE
        self._stream.options = {"application": "voip"}
        self._samples = 0

    def add(self, frame: Any) -> None:
        frame.pts, frame.time_base = self._samples, Fraction(1, RATE)
        self._samples += frame.samples
        self._file.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._file.mux(self._stream.encode(None))
        self._file.close()
