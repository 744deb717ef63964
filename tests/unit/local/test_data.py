"""The data directory: whose it is, and what may be deleted in it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import keys, ready
from infra.local.checkout import CHECKOUT
from infra.local.data import DATABASES, DataDirectory
from infra.local.screen import CannotRunError


def test_a_second_launcher_is_refused_while_the_first_one_lives(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.open()
    second = (
        "from pathlib import Path; from infra.local.data import DataDirectory; "
        f"DataDirectory(Path({str(tmp_path / 'data')!r})).open()"
    )
    outcome = subprocess.run([sys.executable, "-c", second], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert "Another launcher is using" in outcome.stderr
    data.close()
    subprocess.run([sys.executable, "-c", second], cwd=CHECKOUT, check=True)


def test_fresh_deletes_the_databases_and_nothing_else(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.open()
    for name in DATABASES:
        (data.database(name) / "file").write_text("stored")
    (tmp_path / "secrets.env").write_text("kept")
    (tmp_path / "holiday.jpg").write_text("somebody's own")
    data.delete_databases()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["holiday.jpg", "launcher.lock", "logs", "secrets.env"]
    data.close()


@pytest.mark.parametrize("name", DATABASES)
def test_a_directory_that_was_not_made_here_is_neither_used_nor_deleted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("somebody's own")
    data = DataDirectory(tmp_path)
    data.delete_databases()
    with pytest.raises(CannotRunError, match="was not made by Merpati"):
        data.database(name)
    assert (tmp_path / name / "mine").read_text() == "somebody's own"


def test_a_unix_socket_fits_however_deep_the_data_directory_lies(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    data = DataDirectory(deep)
    data.open()
    runtime = data.runtime("sessions-simulator-1")
    assert len(os.fsencode(runtime / "engine.sock")) < 108
    data.close()
    assert not runtime.exists()


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    made = keys.load_or_make(tmp_path / "secrets.env")
    assert keys.load_or_make(tmp_path / "secrets.env") == made
    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600
    assert len(set(made.values())) == len(made)


def test_a_secret_added_by_a_later_version_leaves_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("# mine\nMERPATI_ADMIN_PASSWORD=hunter2\n")
    made = keys.load_or_make(tmp_path / "secrets.env")
    assert made["MERPATI_ADMIN_PASSWORD"] == "hunter2"
    assert made["MERPATI_SECRET_KEYS"].startswith("k1:")


def test_the_file_of_a_launcher_that_was_killed_is_no_running_stack(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as launcher:
        words = ("url", "email", "password", "api_key", "customer_id", "admin_email", "admin_password")
        said = ready.Ready(**dict.fromkeys(words, ""), simulator_url=None, pids={"launcher": launcher.pid})
        ready.write(tmp_path / "ready.json", said)
        assert ready.of_running_stack(tmp_path / "ready.json") == said
        launcher.kill()
    assert ready.of_running_stack(tmp_path / "ready.json") is None
