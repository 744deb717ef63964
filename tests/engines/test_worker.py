"""What only the Go worker can show: media, keys at rest, the deaths of processes and servers, WhatsApp's odd ends."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from services.sessions.engines import base as engine
from services.sessions.engines.worker import WorkerEngine
from tests.engines.rig import Recorder, Rig
from tests.processes import PATIENCE_S, eventually

pytestmark = pytest.mark.needs_go

OURS, THEIRS = "6281200000001", "6281300000002"
FIRST, SECOND = "3EB0000000000000000001", "3EB0000000000000000002"


def keys_of(rig: Rig) -> list[dict[str, Any]]:
    """Every row of the key store."""
    with MongoClient[dict[str, Any]](rig.mongodb_url) as client:
        return list(client.get_default_database()["device_keys"].find())


# --- Media ------------------------------------------------------------------------------------------------------------

MEDIA = {
    "image": (engine.ImageContent(media_id="m1", mimetype="image/png", caption="look"), "look", None),
    "document": (
        engine.DocumentContent(media_id="m1", mimetype="application/pdf", file_name="bill.pdf", caption="yours"),
        "yours",
        "bill.pdf",
    ),
    "video": (engine.VideoContent(media_id="m1", mimetype="video/mp4"), None, None),
    "audio": (engine.AudioContent(media_id="m1", mimetype="audio/mpeg"), None, None),
}


@pytest.mark.parametrize("kind", MEDIA)
async def test_a_medium_arrives_unchanged(worker: Rig, kind: str) -> None:
    content, caption, file_name = MEDIA[kind]
    body = os.urandom(300_000)
    worker.store_medium("m1", body)
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)

    assert isinstance(await worker.send("s1", THEIRS, content, FIRST), engine.Sent)

    (row,) = await worker.phones.inbox(THEIRS)
    assert (row["type"], row.get("caption") or None, row.get("fileName") or None) == (kind, caption, file_name)
    assert row["sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_large_document_is_streamed_and_arrives(worker: Rig) -> None:
    body = os.urandom(20 << 20)
    worker.store_medium("big", body)
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    content = engine.DocumentContent(media_id="big", mimetype="application/zip", file_name="big.zip")

    assert isinstance(await worker.send("s1", THEIRS, content, FIRST), engine.Sent)

    (row,) = await worker.phones.inbox(THEIRS)
    assert row["sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_missing_medium_is_not_sent(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)

    reply = await worker.send("s1", THEIRS, engine.ImageContent(media_id="none", mimetype="image/png"), FIRST)

    assert isinstance(reply, engine.NotSent)
    assert reply.reason == "media"


async def test_an_incoming_image_tells_where_it_lies(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    body = {"to": OURS, "type": "image", "media": "aGVsbG8=", "caption": "see"}

    await worker.phones.call("POST", f"/phones/{THEIRS}/messages", **body)

    message = await worker.seen.next(engine.Message)
    assert (message.content_class, message.caption) == ("image", "see")
    assert message.media is not None
    assert message.media.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert message.media.ref


# --- Links ------------------------------------------------------------------------------------------------------------


async def test_a_pairing_code_links_too(worker: Rig) -> None:
    await worker.phones.make(OURS)
    await worker.open("s1")
    await worker.seen.next(engine.Qr)

    reply = await worker.engine.call(engine.PairPhone(session="s1", phone=OURS), timeout_s=20)
    assert isinstance(reply, engine.PairCodeReply)
    await worker.phones.call("POST", f"/phones/{OURS}/scan", pairCode=reply.code)

    assert (await worker.seen.next(engine.Connected)).jid.startswith(OURS)


async def test_a_link_survives_a_server_that_closes_too_early(worker: Rig) -> None:
    """The library hangs now and then when the socket closes right behind the stanza that asks for a reconnect."""
    await worker.phones.call("POST", "/faults", kind="closeAtOnce")

    for number in range(8):
        await worker.link(f"s{number}", f"62812000000{number:02d}")


async def test_a_new_link_sees_nothing_of_the_old_one(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.engine.call(engine.Logout(session="s1"), timeout_s=20)
    old = {row["_id"] for row in keys_of(worker)}
    before = len(worker.seen.events)
    connection = await worker.open("s1", link=2)

    codes = await worker.seen.next(engine.Qr, lambda e: e.connection == connection, after=before)
    await worker.phones.call("POST", f"/phones/{OURS}/scan", qr=codes.codes[0])
    await worker.seen.next(engine.Connected, after=before)

    assert all(name.startswith("s1/1/") for name in old)
    assert any(row["_id"].startswith("s1/2/addr/") or row["_id"] == "s1/2/device" for row in keys_of(worker))


async def test_an_ended_link_is_told_again_to_whoever_opens_it(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.call("POST", f"/phones/{OURS}/unlink")
    await worker.seen.next(engine.LoggedOut)
    before = len(worker.seen.events)

    await worker.open("s1")

    assert (await worker.seen.next(engine.LoggedOut, after=before)).code == 401


async def test_forgetting_a_link_deletes_every_key(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.engine.call(engine.Close(session="s1"), timeout_s=10)
    fence = worker.open_request("s1").fence

    reply = await worker.engine.call(engine.Forget(session="s1", link=1, fence=fence), timeout_s=20)

    assert reply == engine.Done()
    assert keys_of(worker) == []


async def test_an_old_link_is_forgotten_while_the_new_one_is_open(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.engine.call(engine.Logout(session="s1"), timeout_s=20)
    await worker.open("s1", link=2)
    fence = worker.open_request("s1").fence

    old = await worker.engine.call(engine.Forget(session="s1", link=1, fence=fence), timeout_s=20)
    open_one = await worker.engine.call(engine.Forget(session="s1", link=2, fence=fence), timeout_s=20)

    assert old == engine.Done()
    assert not any(row["_id"].startswith("s1/1/") for row in keys_of(worker))
    assert isinstance(open_one, engine.Failed)


async def test_nothing_readable_lies_in_the_key_store(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.send("s1", THEIRS, engine.TextContent(text="keep this to yourself"), FIRST)
    await worker.phones.write(THEIRS, OURS, "and this")
    await worker.seen.next(engine.Message)

    rows = keys_of(worker)

    values = b"".join(bytes(row["v"]) for row in rows if "v" in row)
    assert b"keep this" not in values
    assert b"and this" not in values
    assert {row["kid"] for row in rows if "v" in row} == {"test"}


# --- Ends -------------------------------------------------------------------------------------------------------------

LOGIN_ENDS = {
    401: (engine.LoggedOut, {"code": 401}),
    403: (engine.LoggedOut, {"code": 403}),
    402: (engine.Banned, {"code": 101}),
    405: (engine.Outdated, {}),
    409: (engine.Disconnected, {"reason": "server_error:409"}),
    503: (engine.Disconnected, {"reason": "dropped"}),
}


@pytest.mark.parametrize("code", LOGIN_ENDS)
async def test_a_refused_login_is_told_by_its_kind(worker: Rig, code: int) -> None:
    kind, fields = LOGIN_ENDS[code]
    await worker.link("s1", OURS)
    await worker.engine.call(engine.Close(session="s1"), timeout_s=10)
    await worker.phones.call("POST", "/faults", kind="loginFailure", phone=OURS, code=code, expireS=3600)
    before = len(worker.seen.events)

    connection = await worker.open("s1")

    end = await worker.seen.next(kind, after=before)
    assert end.connection == connection
    assert {name: getattr(end, name) for name in fields} == fields
    if isinstance(end, engine.Banned):
        assert end.until_ms is not None
        assert 3_500_000 < end.until_ms - time.time() * 1000 < 3_700_000


async def test_a_replaced_connection_is_told_as_such(worker: Rig) -> None:
    await worker.link("s1", OURS)

    await worker.phones.call("POST", "/faults", kind="streamError", phone=OURS, code=409, conflict="replaced")

    await worker.seen.next(engine.Replaced)
    assert worker.seen.all(engine.Disconnected) == []


STREAM_ENDS = {
    "replaced": ({"code": 409, "conflict": "replaced"}, engine.Replaced, {}),
    "removed": ({"code": 401, "conflict": "device_removed"}, engine.LoggedOut, {"code": 401}),
    "unknown": ({"code": 516}, engine.Disconnected, {"reason": "server_error:516"}),
    "restarts": ({"code": 503}, engine.Disconnected, {"reason": "dropped"}),
}


@pytest.mark.parametrize("name", STREAM_ENDS)
async def test_the_end_of_a_stream_is_told_when_the_socket_closes_right_behind_it(worker: Rig, name: str) -> None:
    """The library drops the stanza in about half of the cases, so each is tried a few times."""
    fault, kind, fields = STREAM_ENDS[name]
    for number in range(6):
        session, phone = f"s{number}", f"62812000001{number:02d}"
        await worker.link(session, phone)
        await worker.phones.call("POST", "/faults", kind="closeAtOnce", phone=phone)
        before = len(worker.seen.events)

        await worker.phones.call("POST", "/faults", kind="streamError", phone=phone, **fault)

        end = await worker.seen.next(kind, after=before)
        assert end.session == session
        assert {field: getattr(end, field) for field in fields} == fields


async def test_an_unanswered_send_is_unknown_and_its_repeat_shows_one_message(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", deliver=False)  # a receipt would tell
    await worker.phones.call("POST", "/faults", kind="withholdAck", phone=OURS, count=1)
    request = engine.Send(
        session="s1",
        message_id=FIRST,
        to=f"{THEIRS}@s.whatsapp.net",
        content=engine.TextContent(text="once"),
        deadline_ms=int(time.time() * 1000) + 4000,
    )

    assert isinstance(await worker.engine.call(request, timeout_s=30), engine.Unknown)
    again = await eventually(lambda: _sent(worker, "once"))

    assert again
    (row,) = await worker.phones.inbox(THEIRS)
    assert row["copies"] >= 2


async def _sent(worker: Rig, text: str) -> bool:
    return isinstance(await worker.send("s1", THEIRS, engine.TextContent(text=text), FIRST), engine.Sent)


# --- Deaths -----------------------------------------------------------------------------------------------------------


async def test_a_killed_worker_comes_back_with_a_higher_start_and_the_links_open_without_a_code(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.send("s1", THEIRS, engine.TextContent(text="before"), FIRST)
    began = time.monotonic()

    os.kill(worker_pid(worker), signal.SIGKILL)
    await eventually(lambda: _is(worker.seen.downs == [2] and worker.engine.up))
    back_s = time.monotonic() - began
    before = len(worker.seen.events)
    await worker.reopen("s1")
    reply = await worker.send("s1", THEIRS, engine.TextContent(text="after"), SECOND)

    assert back_s < 20  # 2 s on a machine that is not busy otherwise
    assert isinstance(reply, engine.Sent)
    assert not any(isinstance(event, engine.Qr) for event in worker.seen.events[before:])
    assert [row["text"] for row in await worker.phones.inbox(THEIRS)] == ["before", "after"]


async def test_a_worker_killed_while_a_message_is_handled_gets_it_again(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    reached, released = asyncio.Event(), asyncio.Event()

    async def stuck(_: engine.Event) -> bool:
        reached.set()
        await released.wait()
        return True

    worker.seen.answer = stuck
    await worker.phones.write(THEIRS, OURS, "do not lose me")
    await asyncio.wait_for(reached.wait(), PATIENCE_S)
    os.kill(worker_pid(worker), signal.SIGKILL)
    await eventually(lambda: _is(worker.engine.up and worker.engine.worker_start == 2))
    worker.seen.answer = None
    released.set()  # its yes comes too late: the worker that asked is dead
    before = len(worker.seen.events)
    await worker.reopen("s1")

    message = await worker.seen.next(engine.Message, after=before)
    await worker.phones.write(THEIRS, OURS, "and the next")

    assert message.text == "do not lose me"
    assert (await worker.seen.next(engine.Message, lambda e: e.text == "and the next")).from_me is False


async def test_requests_in_flight_learn_that_the_worker_died(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("POST", "/faults", kind="withholdAck", phone=OURS)
    sending = asyncio.create_task(worker.send("s1", THEIRS, engine.TextContent(text="x"), FIRST))
    await eventually(lambda: worker.phones.inbox(THEIRS))

    os.kill(worker_pid(worker), signal.SIGKILL)

    with pytest.raises(engine.EngineDown):
        await sending


HANGS_UP = """#!{python}
import os, socket, sys, time
from pathlib import Path

door = Path(sys.argv[2])
while (pid := door.with_name("engine.pid")).read_text() != str(os.getpid()):
    time.sleep(0.01)
with socket.socket(socket.AF_UNIX) as knocking:
    knocking.connect(str(door))
sys.stdin.read()
"""


async def test_a_worker_that_hangs_up_is_killed_at_once_and_collected_though_the_engine_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sessions.engines.worker.PONG_WITHIN_S", 3600)
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*command, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    binary = tmp_path / "hangs-up"
    binary.write_text(HANGS_UP.format(python=sys.executable))
    binary.chmod(0o700)
    worker = WorkerEngine(binary=binary, runtime_dir=tmp_path / "run", environment={})
    starting = asyncio.create_task(worker.start(Recorder().handle, nobody_told))
    await eventually(lambda: _is(worker.pid is not None), every_s=0)
    await eventually(lambda: _is(worker.pid is None), every_s=0)

    await worker.stop()

    assert started
    assert all(process.returncode is not None for process in started)
    await starting


async def nobody_told() -> None:
    """For `on_down`."""


async def test_a_worker_that_is_faster_than_its_owner_is_let_in(worker: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec

    async def slowly(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*command, **options)
        await asyncio.sleep(1)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    other = worker.another()
    await other.start(Recorder().handle, nobody_told)
    try:
        assert (other.up, other.worker_start) == (True, 1)
    finally:
        await other.stop()


async def test_a_silent_worker_is_not_up(worker: Rig) -> None:
    os.kill(worker_pid(worker), signal.SIGSTOP)
    try:
        await eventually(lambda: _is(not worker.engine.up))
    finally:
        os.kill(worker_pid(worker), signal.SIGCONT)

    await eventually(lambda: _is(worker.engine.up))


OWNER = """
import asyncio
from pathlib import Path
from services.sessions.engines.worker import WorkerEngine

async def main():
    worker = WorkerEngine(binary=Path({binary!r}), runtime_dir=Path({folder!r}), environment={environment!r})
    await worker.start(None, None)
    print(worker.pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_a_worker_does_not_outlive_its_owner(worker: Rig, tmp_path: Path, repository: Path) -> None:
    """Another process starts a worker and is killed."""
    script = OWNER.format(folder=str(tmp_path / "own"), binary=str(worker.binary), environment=worker.environment)
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=repository, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    pid = int(await asyncio.wait_for(owner.stdout.readline(), PATIENCE_S))

    owner.kill()
    await owner.wait()

    await eventually(lambda: _is(not Path(f"/proc/{pid}/exe").exists()))


async def test_the_socket_is_this_users_alone(worker: Rig, tmp_path: Path) -> None:
    folder = (tmp_path / "run").stat()

    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert int((tmp_path / "run" / "engine.pid").read_text()) == worker_pid(worker)


async def test_another_replica_with_a_higher_fence_takes_over_and_the_former_owner_is_fenced(worker: Rig) -> None:
    """The former owner still believes in its lease: its next write is refused, nothing of it leaves."""
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.send("s1", THEIRS, engine.TextContent(text="from the first"), FIRST)
    other = Rig("worker", worker.another(), worker.phones, worker.mongodb_url, worker.another)
    await other.start()
    try:
        await other.reopen("s1", epoch=2, connection=50)
        reply = await other.send("s1", THEIRS, engine.TextContent(text="from the second"), SECOND)
        assert isinstance(reply, engine.Sent)

        before = len(worker.seen.events)
        again = await worker.engine.call(worker.open_request("s1", epoch=1), timeout_s=20)

        assert isinstance(again, engine.Failed)
        assert again.code == "fenced"
        assert not any(isinstance(event, engine.Connected) for event in worker.seen.events[before:])
        assert [row["text"] for row in await worker.phones.inbox(THEIRS)] == ["from the first", "from the second"]
    finally:
        await other.engine.stop()


def worker_pid(rig: Rig) -> int:
    """The process id of the worker."""
    pid = rig.engine.pid
    assert pid is not None
    return pid


async def _is(true: bool) -> bool:
    return true
