"""How long a message may be edited, and deleted for everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from libs.contracts.records import MessageRow
from services.api.messages.acting import why_not_deletable, why_not_editable
from tests.unit.api.builders import AT

Rule = Callable[[MessageRow, datetime], str | None]

A_MOMENT = timedelta(seconds=1)
WAITED = timedelta(days=1)
"""How long the message waited before it left: the windows begin when it does."""


def left() -> MessageRow:
    """A text of ours that has just left."""
    return MessageRow(
        id="s1/W1",
        customer_id="cus_1",
        session_id="s1",
        shard=0,
        wa_id="W1",
        direction="out",
        message_id="m1",
        type="text",
        text="Halo",
        chat="6281234567890",
        chat_jid="6281234567890@s.whatsapp.net",
        status="sent",
        created_at=AT - WAITED,
        sent_at=AT,
    )


@pytest.mark.parametrize(
    ("why_not", "window"),
    [
        pytest.param(why_not_editable, timedelta(minutes=15), id="an edit"),
        pytest.param(why_not_deletable, timedelta(hours=60), id="a deletion"),
    ],
)
def test_a_message_may_be_changed_as_long_as_whatsapps_own_clients_offer_it(why_not: Rule, window: timedelta) -> None:
    assert why_not(left(), AT + window) is None
    assert "have passed" in str(why_not(left(), AT + window + A_MOMENT))
