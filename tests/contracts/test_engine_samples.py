"""The engine port's samples on disk read as the Python side reads them; Go's tests read the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from services.sessions.engines import base, wire

SAMPLES = Path(__file__).parent / "samples" / "engine"
UNIONS: dict[str, Any] = {"requests": base.Request, "replies": base.Reply, "events": base.Event}
FILES = [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in sorted(SAMPLES.glob("*/*.json"))]


def of_the_sample(written: Any, sample: Any) -> Any:
    """What was written, without the keys that the sample's writer did not know yet or left out."""
    match written, sample:
        case dict(), dict():
            return {name: of_the_sample(written.get(name), inner) for name, inner in sample.items()}
        case list(), list() if len(written) == len(sample):
            return [of_the_sample(one, inner) for one, inner in zip(written, sample, strict=True)]
    return written


@pytest.mark.parametrize("file", FILES)
def test_a_sample_reads_and_writes_itself_again(file: Path) -> None:
    message = msgspec.json.decode(file.read_bytes(), type=UNIONS[file.parent.name])

    written, sample = msgspec.json.decode(msgspec.json.encode(message)), msgspec.json.decode(file.read_bytes())

    assert of_the_sample(written, sample) == sample
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=UNIONS[file.parent.name]) == message


@pytest.mark.parametrize("folder", UNIONS)
def test_every_type_has_a_sample(folder: str) -> None:
    sampled = {msgspec.json.decode(file.read_bytes())["type"] for file in (SAMPLES / folder).glob("*.json")}

    assert sampled == {kind.__struct_config__.tag for kind in get_args(UNIONS[folder])}


def test_every_kind_of_content_has_a_sample() -> None:
    sends = [msgspec.json.decode(file.read_bytes()) for file in (SAMPLES / "requests").glob("send.*.json")]

    assert {send["content"]["type"] for send in sends} == {
        kind.__struct_config__.tag for kind in get_args(base.Content)
    }


def test_a_key_that_may_be_missing_reads_as_its_default() -> None:
    minimal = msgspec.json.decode((SAMPLES / "requests" / "open.minimal.json").read_bytes(), type=base.Request)

    assert minimal == base.Open(
        session="0190d2a1-7b1e-7c3a-9f00-0123456789ab", link=1, fence=1048577, connection=1, device_name="Merpati"
    )


def test_frames_are_four_bytes_of_length_and_a_map() -> None:
    packed = wire.pack(wire.RequestFrame(id=7, op=base.Ping()))

    assert int.from_bytes(packed[:4], "big") == len(packed) - 4
    assert msgspec.msgpack.decode(packed[4:]) == {"kind": "request", "id": 7, "op": {"type": "ping"}}
