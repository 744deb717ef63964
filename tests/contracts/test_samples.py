"""What crosses the wire, or is stored by one service and read by another, has a sample on disk that stays readable.

A sample is `samples/<module>/<Type>.json`. When a field is added, a further sample `<Type>.2.json` shows it; the old
one is not edited: it stands for what lies in streams and collections already.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from libs.contracts import calls, commands, content, counters, credits, events, records, updates, webhooks
from libs.contracts.updates import CreditsView, Frame, MessageView, SessionView, SubscriptionNotice

SAMPLES = Path(__file__).parent / "samples"
MODULES = {"content": content, "commands": commands, "events": events, "calls": calls}
READ_AS: tuple[Any, ...] = (
    content.Content,
    content.Action,
    commands.SendCommand,
    events.AnyFact,
    calls.DeliverAnswer,
    calls.AnyAsk,
    calls.AnyAskAnswer,
    calls.AnyWebhookAsk,
    calls.AnyWebhookAnswer,
)
"""The unions as which readers decode; a tagged type that is in none of them is read alone."""
READ_ALONE = {calls.Deliver, commands.ReconcileSession}
FRAMES: dict[str, Any] = {
    "Frame_MessageView": Frame[MessageView],
    "Frame_SessionView": Frame[SessionView],
    "Frame_CreditsView": Frame[CreditsView],
    "Frame_SubscriptionNotice": Frame[SubscriptionNotice],
}


def structs_of(module: Any) -> list[type[msgspec.Struct]]:
    """The structs that a module defines."""
    found = inspect.getmembers(module, lambda each: inspect.isclass(each) and issubclass(each, msgspec.Struct))
    return [each for _, each in found if each.__module__ == module.__name__]


@cache
def wire_types() -> dict[str, Any]:
    """Every type that must have a sample, by `<folder>/<name>`."""
    tagged = {
        f"{folder}/{struct.__name__}": struct
        for folder, module in MODULES.items()
        for struct in structs_of(module)
        if not struct.__subclasses__()
    }
    stored = {
        f"{folder}/{each.__name__}": each
        for folder, module in (
            ("records", records),
            ("counters", counters),
            ("credits", credits),
            ("webhooks", webhooks),
        )
        for each in structs_of(module)
        if _is_record(each)
    }
    return tagged | stored | {f"updates/{name}": frame for name, frame in FRAMES.items()}


def _is_record(struct: type[msgspec.Struct]) -> bool:
    return issubclass(struct, records.Record) and struct is not records.Record


def samples_of(name: str) -> list[Path]:
    """The samples of a type, the oldest first."""
    folder, _, stem = name.partition("/")
    return sorted((SAMPLES / folder).glob(f"{stem}.json")) + sorted((SAMPLES / folder).glob(f"{stem}.[0-9]*.json"))


SAMPLE_FILES = [(name, path) for name in wire_types() for path in samples_of(name)]


def shows(whole: Any, part: Any) -> bool:
    """Whether `whole` holds all that `part` holds; it may hold fields that were added later."""
    match whole, part:
        case dict(), dict():
            return all(key in whole and shows(whole[key], value) for key, value in part.items())
        case list(), list():
            return len(whole) == len(part) and all(map(shows, whole, part))
        case _:
            return whole == part


def union_of(struct: Any) -> Any:
    """As what its readers decode it: the union that it is a member of, else the type itself."""
    return next((union for union in READ_AS if struct in (get_args(union) or (union,))), struct)


def decoded(name: str, path: Path) -> msgspec.Struct:
    """The sample, read as its readers read it."""
    return msgspec.json.decode(path.read_bytes(), type=union_of(wire_types()[name]))


def fields_of(struct: Any) -> set[str]:
    """The names of its fields as they are written."""
    return {field.encode_name for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize("name", sorted(wire_types()))
def test_every_wire_type_has_a_sample(name: str) -> None:
    assert samples_of(name), f"tests/contracts/samples/{name}.json is missing"


@pytest.mark.parametrize(("name", "path"), SAMPLE_FILES, ids=lambda each: each if isinstance(each, str) else each.name)
def test_a_sample_decodes_as_its_type(name: str, path: Path) -> None:
    wanted = wire_types()[name]
    assert type(decoded(name, path)) is getattr(wanted, "__origin__", wanted)


@pytest.mark.parametrize(("name", "path"), SAMPLE_FILES, ids=lambda each: each if isinstance(each, str) else each.name)
def test_a_sample_is_written_again_as_it_was(name: str, path: Path) -> None:
    again = msgspec.json.decode(msgspec.json.encode(decoded(name, path)))
    assert shows(again, msgspec.json.decode(path.read_bytes()))


@pytest.mark.parametrize("name", sorted(wire_types()))
def test_the_samples_of_a_type_show_all_its_fields(name: str) -> None:
    shown = {key for path in samples_of(name) for key in msgspec.json.decode(path.read_bytes())}
    wanted = fields_of(wire_types()[name])
    assert wanted <= shown, f"add a sample that shows {sorted(wanted - shown)}"


@pytest.mark.parametrize("name", sorted(f"updates/{name}" for name in FRAMES))
def test_the_samples_of_a_frame_show_all_fields_of_its_data(name: str) -> None:
    shown = {key for path in samples_of(name) for key in msgspec.json.decode(path.read_bytes())["data"]}
    (data,) = get_args(wire_types()[name])
    wanted = fields_of(data)
    assert wanted <= shown, f"add a sample that shows {sorted(wanted - shown)}"


@pytest.mark.parametrize("name", sorted(name for name in wire_types() if name.partition("/")[0] in MODULES))
def test_a_tagged_type_is_read_as_a_member_of_a_union(name: str) -> None:
    """Else nobody would read it: its readers know what has come by the tag alone."""
    struct = wire_types()[name]
    is_tagged = struct.__struct_config__.tag is not None
    assert (union_of(struct) is not struct) == (is_tagged and struct not in READ_ALONE)


def test_no_sample_is_without_its_type() -> None:
    known = {path for name in wire_types() for path in samples_of(name)}
    folders = {name.partition("/")[0] for name in wire_types()}
    assert {path for folder in folders for path in (SAMPLES / folder).iterdir()} == known


@pytest.mark.parametrize("struct", [each for module in MODULES.values() for each in structs_of(module)], ids=str)
def test_fields_that_may_be_left_out_are_left_out(struct: type[msgspec.Struct]) -> None:
    """A type with defaults omits them on the wire, so an older reader meets no field that it does not know."""
    has_defaults = any(not field.required for field in msgspec.structs.fields(struct))
    assert not has_defaults or struct.__struct_config__.omit_defaults


def test_every_frame_type_of_the_contract_has_two_tokens() -> None:
    """Subjects are `updates.<shard>.<customer>.<session>.<type>`: filters count on it."""
    assert all("." not in update for update in (*updates.SESSION_UPDATES, *updates.MESSAGE_UPDATES))
    assert all(notice.count(".") == 1 for notice in updates.NOTICES)
