"""What a webhook may take, how its secret is replaced, when it begins anew, and how it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook as Verifier

from libs.contracts.webhooks import Webhook, WebhookHealth, WebhookSecret, WebhookStart
from libs.runtime.crypto import KeyRing
from libs.runtime.replay import Log
from services.api.access.callers import Caller
from services.api.errors import Refusal
from services.api.webhooks.definitions import (
    MOST_REPLAYS,
    MOST_SECRETS,
    OVERLAP,
    check_target,
    checked_events,
    may_see,
    new_secret,
    replayed,
    rotated,
    with_fields,
)
from services.api.webhooks.store_webhooks import Kept, stamped
from services.api.webhooks.views import webhook_object

T0 = datetime(2026, 11, 20, 8, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
LOG = Log(name="a", first=1, last=100)
RING = KeyRing.parse("k1:" + "A" * 43 + "=")


def webhook(**fields: Any) -> Webhook:
    given: dict[str, Any] = {
        "id": "whk_1",
        "customer_id": "cus_1",
        "url": "https://example.com/hook",
        "secrets": [WebhookSecret(sealed="first")],
        "start": WebhookStart(number=1, version=3, log="a", since=50),
        "version": 3,
        "enabled_at": T0,
        "created_at": T0,
        "updated_at": T0,
    }
    return Webhook(**(given | fields))


@pytest.mark.parametrize(
    ("events", "stored"),
    [
        ([], []),
        (["*"], []),
        (["message.*"], ["message.*"]),
        (["message.sent", " session.qr", "message.sent"], ["message.sent", "session.qr"]),
        (["webhook.disabled"], ["webhook.disabled"]),
        (["credits.*"], ["credits.*"]),
    ],
    ids=["none", "all", "pattern", "twice", "notice", "notices"],
)
def test_patterns_of_types_are_taken(events: list[str], stored: list[str]) -> None:
    assert checked_events(events) == stored


@pytest.mark.parametrize("event", ["message", "message.snet", "MESSAGE.sent", "message.sent,x", "", "a b", "$where"])
def test_a_pattern_that_fits_no_type_is_refused(event: str) -> None:
    with pytest.raises(Refusal):
        checked_events([event])


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://[::1]/", "http://2130706433/", "ftp://example.com/", "https://a:b@example.com/"],
)
async def test_an_address_that_is_never_posted_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(Refusal):
        await check_target(url, private=False)


async def test_a_host_that_is_not_known_yet_is_taken() -> None:
    await check_target("https://nowhere.invalid/hook", private=False)


def test_a_secret_is_one_of_the_specification_and_stored_sealed() -> None:
    secret, stored = new_secret(RING, "whk_1")
    assert secret.startswith("whsec_")
    assert Verifier(secret).sign("frm_1", T0, "{}").startswith("v1,")
    assert secret not in stored.sealed
    assert RING.open(stored.sealed, about="whk_1").decode() == secret


def test_a_replaced_secret_signs_for_a_day_more() -> None:
    after = rotated(webhook(), WebhookSecret(sealed="second"), T0)
    assert [(each.sealed, each.expires_at) for each in after.secrets] == [("second", None), ("first", T0 + OVERLAP)]


def test_a_secret_that_was_replaced_before_ends_when_it_was_to() -> None:
    after = rotated(webhook(), WebhookSecret(sealed="second"), T0)
    after = rotated(after, WebhookSecret(sealed="third"), T0 + timedelta(hours=20))
    ends = {each.sealed: each.expires_at for each in after.secrets}
    assert ends == {"third": None, "second": T0 + timedelta(hours=44), "first": T0 + OVERLAP}
    after = rotated(after, WebhookSecret(sealed="fourth"), T0 + timedelta(hours=30))
    assert "first" not in {each.sealed for each in after.secrets}


def test_the_secrets_that_overlap_are_few() -> None:
    made = webhook()
    for number in range(20):
        made = rotated(made, WebhookSecret(sealed=str(number)), T0)
    assert len(made.secrets) == MOST_SECRETS
    assert made.secrets[0].sealed == "19"


def test_what_is_changed_begins_nothing_anew() -> None:
    before = webhook()
    after = with_fields(before, {"description": "x", "url": "https://example.com/new"}, LOG, ended=0, at=T0)
    assert (after.start, after.description) == (before.start, "x")


def test_one_that_was_switched_off_begins_from_the_present_when_it_is_switched_on() -> None:
    later = T0 + timedelta(days=1)
    after = stamped(with_fields(webhook(is_enabled=False), {"is_enabled": True}, LOG, ended=0, at=later), 9)
    assert after.start == WebhookStart(number=2, version=9, log="a", since=100)
    assert (after.is_enabled, after.enabled_at) == (True, later)


def test_one_that_its_failures_have_ended_begins_anew_too() -> None:
    after = with_fields(webhook(), {"is_enabled": True}, LOG, ended=1, at=T0)
    assert (after.start.number, after.start.since) == (2, 100)


def test_one_that_works_is_not_begun_by_being_switched_on() -> None:
    before = webhook()
    assert with_fields(before, {"is_enabled": True}, LOG, ended=0, at=T0).start == before.start


def test_replays_are_numbered_on_and_keep_the_start() -> None:
    made = webhook()
    for version in range(4, 4 + MOST_REPLAYS + 3):
        made = stamped(replayed(made, LOG, since=7, at=T0), version)
    assert made.start == webhook().start
    assert [each.number for each in made.replays] == list(range(5, 5 + MOST_REPLAYS))
    assert (made.replays[-1].since, made.replays[-1].until, made.number) == (7, 100, 4 + MOST_REPLAYS)
    assert [each.number for each in made.begun_after(made.version - 2)] == [made.number - 1, made.number]


@pytest.mark.parametrize(
    ("allowed", "sessions", "is_seen"),
    [
        (None, None, True),
        (None, ["s1"], True),
        (("s1", "s2"), ["s1"], True),
        (("s1",), ["s1", "s2"], False),
        (("s1",), None, False),
    ],
    ids=["all", "account", "within", "beyond", "all sessions"],
)
def test_a_key_of_some_sessions_sees_the_webhooks_of_these_alone(
    allowed: tuple[str, ...] | None, sessions: list[str] | None, is_seen: bool
) -> None:
    caller = Caller(customer_id="cus_1", session_ids=allowed)
    assert may_see(caller, webhook(session_ids=sessions)) is is_seen


@pytest.mark.parametrize(
    ("fields", "health", "shown"),
    [
        ({}, None, ("working", True, None)),
        ({}, {"last_success_at": T0}, ("working", True, None)),
        ({}, {"failing_since": T0}, ("failing", True, None)),
        ({}, {"failing_since": T0, "disabled_reason": "FAILING", "disabled_start": 1}, ("disabled", False, "FAILING")),
        ({"is_enabled": False}, None, ("disabled", False, "SWITCHED_OFF")),
        (
            {"start": WebhookStart(number=2, version=5, log="a", since=60)},
            {"disabled_reason": "FAILING", "disabled_start": 1},
            ("working", True, None),
        ),
        ({"enabled_at": LATER}, {"failing_since": T0, "last_failure_at": T0}, ("working", True, None)),
        ({"enabled_at": LATER}, {"failing_since": T0, "last_failure_at": LATER}, ("failing", True, None)),
    ],
    ids=["new", "well", "failing", "given up", "off", "on again", "failed before that", "fails again"],
)
def test_the_state_of_a_webhook_is_shown(
    fields: dict[str, Any], health: dict[str, Any] | None, shown: tuple[str, bool, str | None]
) -> None:
    row = None if health is None else WebhookHealth(id="whk_1", customer_id="cus_1", **health)
    view = webhook_object(Kept(webhook=replace(webhook(), **fields), health=row))
    assert (view.status, view.enabled, view.disabled_reason) == shown
