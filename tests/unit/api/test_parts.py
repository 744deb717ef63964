"""The edge's small parts: passwords, tokens, QR codes and settings."""

from __future__ import annotations

import asyncio
import base64
import io
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from PIL import Image

from libs.contracts.errors import ApiError
from libs.runtime.crypto import KeyRing
from libs.runtime.settings import SettingsError
from services.api.access.passwords import Passwords
from services.api.access.tokens import TokenRefused, Tokens
from services.api.errors import Refusal
from services.api.sessions import qr
from services.api.sessions.qr import QrPainter
from services.api.settings import load
from services.api.times import now

OLD = "old:" + base64.b64encode(b"o" * 32).decode()
NEW = "new:" + base64.b64encode(b"n" * 32).decode()
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NEEDED = {"NATS_URL": "nats://127.0.0.1:1", "MONGODB_URL": "mongodb://127.0.0.1:1/x", "MERPATI_SECRET_KEYS": NEW}


# --- Passwords -------------------------------------------------------------------------------------------------------


async def test_only_the_right_password_matches() -> None:
    passwords = Passwords(at_once=1, queue=5, hasher=FAST)
    stored = await passwords.hashed("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(stored, "wrong")


async def test_without_a_stored_password_a_decoy_is_checked_and_nothing_matches() -> None:
    checked: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            checked.append(str(hash))
            return super().verify(hash, password)

    passwords = Passwords(at_once=1, queue=5, hasher=Watched(time_cost=1, memory_cost=8, parallelism=1))
    assert not await passwords.matches(None, "decoy")
    assert checked[0].startswith("$argon2id$")


async def test_too_many_waiting_sign_ins_are_refused() -> None:
    passwords = Passwords(at_once=1, queue=2, hasher=FAST)
    stored = await passwords.hashed("x")
    answers = await asyncio.gather(*(passwords.matches(stored, "x") for _ in range(5)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [refusal.code for refusal in refused] == [ApiError.RATE_LIMITED] * 3
    assert await passwords.matches(stored, "x")


# --- Tokens ----------------------------------------------------------------------------------------------------------


def token_of(ring: str, *, life: timedelta = timedelta(days=7)) -> str:
    at = now()
    return Tokens(KeyRing.parse(ring)).issue(
        login_id="log_1", user_id="usr_1", role="owner", issued_at=at, expires_at=at + life
    )


def test_a_token_tells_its_login() -> None:
    assert Tokens(KeyRing.parse(NEW)).login_id_of(token_of(NEW)) == "log_1"


def test_a_token_of_an_older_key_of_the_ring_is_still_read() -> None:
    assert Tokens(KeyRing.parse(f"{NEW},{OLD}")).login_id_of(token_of(OLD)) == "log_1"


@pytest.mark.parametrize(
    "token",
    [token_of(OLD), token_of(NEW, life=timedelta(seconds=-1)), "nonsense", "", "a.b.c", token_of(NEW)[:-4]],
    ids=["other ring", "over", "nonsense", "empty", "three parts", "cut"],
)
def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(TokenRefused):
        Tokens(KeyRing.parse(NEW)).login_id_of(token)


# --- QR codes --------------------------------------------------------------------------------------------------------


async def test_a_code_is_a_png_with_a_quiet_border() -> None:
    url = await QrPainter().data_url("2@" + "a" * 200)
    image = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    side, border = image.size[0], qr.BORDER_BOXES * qr.BOX_PIXELS
    assert image.size[0] == image.size[1]
    assert image.convert("L").getpixel((border - 1, side // 2)) == 255
    assert image.convert("L").getpixel((border + 1, border + 1)) == 0


async def test_a_code_is_drawn_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(code: str) -> bytes:
        drawn.append(code)
        return b"png"

    monkeypatch.setattr(qr, "_png", draw)
    painter = QrPainter()
    assert set(await asyncio.gather(*(painter.png("2@x") for _ in range(20)))) == {b"png"}
    assert drawn == ["2@x"]


async def test_a_client_that_goes_away_does_not_end_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    painter = QrPainter()
    first = asyncio.create_task(painter.svg("2@x"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await asyncio.wait_for(painter.svg("2@x"), 10)).startswith(b"<?xml")


# --- Settings --------------------------------------------------------------------------------------------------------


def test_the_deployment_key_has_two_names() -> None:
    assert load({**NEEDED, "API_KEY": "a"}).api_key == "a"
    assert load({**NEEDED, "API_KEY": "a", "MERPATI_API_KEY": "b"}).api_key == "b"


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        load({**NEEDED, "MERPATI_ENGINES": "telegraph", "MERPATI_DEFAULT_ENGINE": "whatsapp"})
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(("text", "is_open"), [("1", True), ("0", False), ("true", True), ("", False)])
def test_the_single_session_opens_by_a_flag(text: str, is_open: bool) -> None:
    assert load({**NEEDED, "MERPATI_OPEN_SINGLE_SESSION": text}).open_single_session is is_open


def test_a_list_of_allowed_proxies_that_cannot_be_read_is_a_fault() -> None:
    with pytest.raises(SettingsError, match=r"MERPATI_PROXY_ALLOWED: '10\.0\.0\.0/33' is no network"):
        load({**NEEDED, "MERPATI_PROXY_ALLOWED": "proxy.internal, 10.0.0.0/33"})


def test_a_trusted_proxy_that_is_no_address_is_a_fault() -> None:
    with pytest.raises(SettingsError, match="'proxy-example' is no IP address"):
        load({**NEEDED, "MERPATI_TRUSTED_PROXIES": "10.0.0.0/8, proxy-example"})
