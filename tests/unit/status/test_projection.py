"""What each fact makes of a row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.content import Document
from libs.contracts.events import AnyFact
from libs.contracts.ids import is_message_id
from libs.contracts.records import MessageRow
from services.status.contents import incoming_message_id
from services.status.projection import project, rows_of
from tests.unit.status.builders import (
    MESSAGE,
    PHONE,
    ROW,
    SESSION,
    T0,
    WA_ID,
    at,
    changed,
    held,
    progressed,
    queued,
    receipt,
    received,
)

OWN = "551187654321@s.whatsapp.net"
"""The account's own number, where another was dialled."""


def after(facts: Iterable[AnyFact], row: MessageRow | None = None, first_seq: int = 1) -> MessageRow:
    """The one row that these facts concern, after them."""
    for seq, fact in enumerate(facts, start=first_seq):
        (row_id,) = rows_of(fact)
        row = project(row, fact, seq, row=row_id, shard=7)
    assert row is not None
    return row


def statuses(row: MessageRow) -> list[str]:
    return [entry.status for entry in row.history]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([queued()], ["queued"], id="queued"),
        pytest.param(
            [queued(), progressed("sending"), progressed("sent"), receipt("delivered"), receipt("read")],
            ["queued", "sending", "sent", "delivered", "read"],
            id="the whole way",
        ),
        pytest.param([queued(), progressed("sent"), progressed("sending")], ["queued", "sent"], id="late sending"),
        pytest.param(
            [queued(), receipt("delivered"), progressed("sent")],
            ["queued", "sent", "delivered"],
            id="a receipt before the answer",
        ),
        pytest.param(
            [queued(), receipt("read"), receipt("delivered")], ["queued", "sent", "read"], id="delivered after read"
        ),
        pytest.param(
            [queued(), receipt("delivered"), receipt("delivered", "other device")],
            ["queued", "sent", "delivered"],
            id="two devices",
        ),
        pytest.param([queued(), queued()], ["queued"], id="published twice"),
        pytest.param(
            [queued(), progressed("failed"), progressed("cancelled")], ["queued", "failed"], id="two final statuses"
        ),
        pytest.param(
            [queued(), progressed("failed"), receipt("delivered")],
            ["queued", "failed", "sent", "delivered"],
            id="evidence after failure",
        ),
        pytest.param(
            [queued(), progressed("expired"), progressed("sent")], ["queued", "expired", "sent"], id="sent after expiry"
        ),
        pytest.param(
            [queued(), receipt("delivered"), progressed("failed")],
            ["queued", "sent", "delivered"],
            id="failure after evidence",
        ),
        pytest.param([receipt("delivered"), queued()], ["queued", "sent", "delivered"], id="a receipt outruns its row"),
        pytest.param(
            [progressed("sending"), receipt("read"), queued(), progressed("sent")],
            ["queued", "sending", "sent", "read"],
            id="all outrun the row",
        ),
        pytest.param(
            [queued(), progressed("failed"), queued("q2"), progressed("sending", "s2", attempts=2)],
            ["queued", "failed", "queued", "sending"],
            id="retry",
        ),
        pytest.param(
            [queued(), progressed("failed"), queued("q2"), queued(), progressed("failed"), queued("q2")],
            ["queued", "failed", "queued"],
            id="a retry and everything before it told twice",
        ),
        pytest.param(
            [
                queued(),
                progressed("sending"),
                progressed("sending", "again", attempts=2),
                progressed("failed"),
                queued("q2", attempts=2),
                progressed("sending", "again", attempts=2),
            ],
            ["queued", "sending", "failed", "queued"],
            id="an old attempt told again after the retry",
        ),
        pytest.param(
            [queued(), progressed("failed"), queued("q2"), receipt("delivered")],
            ["queued", "failed", "queued", "sent", "delivered"],
            id="an old attempt's receipt after the retry",
        ),
        pytest.param(
            [queued(), progressed("sent"), queued("q2")], ["queued", "sent"], id="what was sent is not queued again"
        ),
    ],
)
def test_history_holds_what_rose_in_the_order_of_rising(facts: list[AnyFact], expected: list[str]) -> None:
    assert statuses(after(facts)) == expected


def test_a_queued_row_holds_the_message() -> None:
    content = Document(media_id="m1", mimetype="application/pdf", file_name="a.pdf", caption="see")
    row = after([queued(content=content, accepted_at=at(-1))])
    assert (row.id, row.message_id, row.wa_id, row.direction, row.shard) == (ROW, MESSAGE, WA_ID, "out", 7)
    assert (row.to, row.chat, row.chat_jid) == (PHONE, PHONE, f"{PHONE}@s.whatsapp.net")
    assert (row.type, row.text, row.caption, row.file_name) == ("document", None, "see", "a.pdf")
    assert (row.media_id, row.mimetype, row.created_at) == ("m1", "application/pdf", at(-1))


def test_a_group_is_named_by_its_jid() -> None:
    assert after([queued(to="120363000000000000@g.us")]).to == "120363000000000000@g.us"


def test_dates_say_when_each_rise_happened() -> None:
    row = after([queued(), progressed("sent", seconds=1), receipt("delivered", seconds=2), receipt("read", seconds=3)])
    assert (row.sent_at, row.delivered_at, row.read_at) == (at(1), at(2), at(3))


def test_what_was_read_was_delivered_and_sent() -> None:
    row = after([queued(), receipt("read", seconds=3)])
    assert (row.sent_at, row.delivered_at, row.read_at) == (at(3), at(3), at(3))
    assert statuses(row) == ["queued", "sent", "read"]


def test_a_rise_is_never_shown_as_earlier_than_the_one_it_follows() -> None:
    """WhatsApp's times are whole seconds, so a message is sent and delivered before it was queued, by its clock."""
    row = after([queued(at=at(0.65)), progressed("sent", seconds=0), receipt("delivered", seconds=0)])
    assert [entry.at for entry in row.history] == [at(0.65)] * 3
    assert (row.sent_at, row.delivered_at) == (at(0.65), at(0.65))


def test_times_are_kept_as_mongodb_keeps_them() -> None:
    row = after([queued(at=T0 + timedelta(microseconds=1999))])
    assert row.history[0].at == T0 + timedelta(microseconds=1000)


def test_a_failure_says_why_and_evidence_takes_that_back() -> None:
    failed = after([queued(), progressed("failed", code="REFUSED", detail="No.", attempts=3)])
    assert (failed.code, failed.detail, failed.attempts) == ("REFUSED", "No.", 3)
    assert (failed.history[-1].reason, failed.history[-1].detail) == ("REFUSED", "No.")
    risen = after([receipt("delivered")], failed, first_seq=3)
    assert (risen.status, risen.code, risen.detail) == ("delivered", None, None)
    assert [entry.reason for entry in risen.history] == [None, "REFUSED", None, None]


def test_a_fact_that_is_in_the_row_already_changes_nothing() -> None:
    row = after([queued(), progressed("failed"), queued("q2")])
    assert project(row, progressed("cancelled"), 2, row=ROW, shard=7) is row


def test_a_row_that_only_a_receipt_made_is_not_to_be_told() -> None:
    row = after([receipt("delivered")])
    assert (row.message_id, row.type, row.history[0].due_seq) == (None, None, 0)


def test_what_outran_the_message_is_due_with_its_content() -> None:
    row = after([receipt("delivered"), receipt("read"), queued()])
    assert [(entry.status, entry.fact_seq, entry.due_seq) for entry in row.history] == [
        ("queued", 3, 3),
        ("sent", 1, 3),
        ("delivered", 1, 3),
        ("read", 2, 3),
    ]
    assert (row.status, row.message_id, row.text) == ("read", MESSAGE, "halo")


def test_a_message_stands_in_the_chat_of_the_number_that_whatsapp_knows() -> None:
    facts = [queued(to="5511987654321@s.whatsapp.net"), progressed("sent", to=OWN)]
    row = after(facts)
    assert (row.chat, row.chat_jid, row.to) == ("551187654321", OWN, "5511987654321")
    assert after([facts[0], receipt("delivered", chat=OWN)]).chat == "551187654321", "a receipt may outrun that word"
    assert after([facts[0], receipt("delivered", chat="1@lid"), facts[1]]).chat == "551187654321"
    assert statuses(row) == ["queued", "sent"]


def test_later_attempts_are_counted_without_a_rise() -> None:
    row = after([queued(), progressed("sending", attempts=1), progressed("sending", "s2", attempts=2)])
    assert (row.attempts, statuses(row)) == (2, ["queued", "sending"])


def test_a_held_message_says_what_it_waits_for_until_it_rises() -> None:
    waiting = after([queued(), held("restriction", resume_at=at(60))])
    assert (waiting.waiting_for, waiting.resume_at, statuses(waiting)) == ("restriction", at(60), ["queued"])
    sent = after([progressed("sent")], waiting, first_seq=3)
    assert (sent.waiting_for, sent.resume_at) == (None, None)


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "expired"])
def test_a_message_that_is_over_waits_for_nothing(status: str) -> None:
    assert after([queued(), progressed(status), held("session")]).waiting_for is None


def test_one_receipt_may_concern_many_messages_but_each_once() -> None:
    assert rows_of(receipt(wa_ids=["A", "B", "A"])) == (f"{SESSION}/A", f"{SESSION}/B")


def test_a_fact_about_a_session_concerns_no_message() -> None:
    assert rows_of(changed()) == ()
    assert project(None, changed(), 1, row=ROW, shard=7) is None


def test_an_incoming_message_has_its_row_and_a_message_id() -> None:
    row = after([received()])
    assert (row.id, row.direction, row.status, row.from_, row.to) == (
        f"{SESSION}/in/in1",
        "in",
        "received",
        PHONE,
        None,
    )
    assert (row.type, row.text, row.wa_id, row.sent_at) == ("text", "apa kabar", "ABCDEF0123456789", None)
    assert row.message_id == incoming_message_id(SESSION, "in1", T0)
    assert is_message_id(row.message_id)


def test_the_same_incoming_message_again_changes_nothing() -> None:
    row = after([received()])
    assert project(row, received(seconds=5), 2, row=row.id, shard=7) is row


def test_what_the_phone_itself_sent_goes_out_and_rises_by_receipts() -> None:
    row = after([received("own", from_me=True, wa_id=WA_ID), receipt("read", seconds=9)])
    assert (row.id, row.direction, row.to, statuses(row)) == (ROW, "out", PHONE, ["sent", "read"])
    assert (row.sent_at, row.read_at) == (T0, at(9))


def test_an_echo_of_our_own_message_changes_nothing() -> None:
    row = after([queued()])
    assert project(row, received("own", from_me=True, wa_id=WA_ID), 2, row=ROW, shard=7) is row


def test_a_receipt_may_outrun_what_the_phone_itself_sent() -> None:
    row = after([receipt("delivered", seconds=2), received("own", seconds=1, from_me=True, wa_id=WA_ID)])
    assert (statuses(row), row.status, row.sent_at, row.delivered_at) == (
        ["sent", "delivered"],
        "delivered",
        at(1),
        at(2),
    )


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(KeyError):
        after([queued(), replace(progressed("sent"), status="teleported")])


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([queued(), progressed("sent", number="628111")], id="the sender's word"),
        pytest.param([queued(), receipt("delivered", number="628111")], id="a receipt that outran it"),
        pytest.param([queued(), progressed("sent"), receipt("read", number="628111")], id="of a receipt alone"),
        pytest.param([queued(), receipt("read"), progressed("sent", number="628111")], id="of the sender alone"),
        pytest.param([received(from_me=True, number="628111")], id="sent by the phone"),
        pytest.param([received(number="628111")], id="received"),
    ],
)
def test_a_message_keeps_the_number_of_its_own_side(facts: list[AnyFact]) -> None:
    row = after(facts)
    assert row.number == "628111"
    last = replace(facts[-1], id="again", number="628222")
    assert after([last], row, row.fact_seq + 1).number == "628111"
