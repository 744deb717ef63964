"""Ports on loopback."""

import socket
from pathlib import Path

import pytest

from infra.local.ports import LOOPBACK, PortBook, free_port, is_free
from infra.local.screen import CannotRunError


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_port_shared_by_address_reuse_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0), reuse_port=True) as server:
        assert not is_free(server.getsockname()[1])


def test_a_name_keeps_its_port_over_a_restart(tmp_path: Path) -> None:
    first = PortBook(tmp_path / "ports.json")
    port = first.port("nats")
    first.save()
    assert PortBook(tmp_path / "ports.json").port("nats") == port


def test_a_port_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    first = PortBook(tmp_path / "ports.json")
    port = first.port("nats")
    first.save()
    with socket.create_server((LOOPBACK, port)):
        assert PortBook(tmp_path / "ports.json").port("nats") != port


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(f'{{"nats": {free_port()}}}')
    book = PortBook(tmp_path / "ports.json")
    names = [f"name-{number}" for number in range(50)]
    assert len({book.port(name) for name in ["nats", *names]}) == 51


def test_the_port_that_a_person_chose_is_given_to_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = free_port()
    (tmp_path / "ports.json").write_text(f'{{"nats": {chosen}}}')
    monkeypatch.setenv("MERPATI_PORTS", f"{chosen}-{chosen + 50}")
    book = PortBook(tmp_path / "ports.json", reserved=chosen)
    ports = {book.port(name) for name in ("nats", *(f"name-{number}" for number in range(20)))}
    assert chosen not in ports
    assert max(ports) <= chosen + 50


def test_a_port_on_which_nobody_listens_yet_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    monkeypatch.setenv("MERPATI_PORTS", f"{first}-{first}")
    with pytest.raises(OSError, match="no free port"):
        free_port()


@pytest.mark.parametrize("given", ["abc-def", "30000-29000", "30000", "80-90", "60000-70000"])
def test_what_is_no_range_of_ports_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MERPATI_PORTS", given)
    with pytest.raises(CannotRunError, match=f"MERPATI_PORTS is {given}; it is a first and a last port"):
        free_port()


def test_a_damaged_book_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert PortBook(tmp_path / "ports.json").port("nats") > 0
