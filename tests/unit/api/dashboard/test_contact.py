"""The operator's contact, as the setting says it."""

from __future__ import annotations

import pytest

from services.api.dashboard.rendering import Contact, contact_of


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        pytest.param("", Contact(name=""), id="none"),
        pytest.param(
            " help@merpati.example ",
            Contact(name="help@merpati.example", href="mailto:help@merpati.example"),
            id="e-mail",
        ),
        pytest.param(
            "https://merpati.example/help",
            Contact(name="merpati.example/help", href="https://merpati.example/help"),
            id="web",
        ),
        pytest.param("Bu Sari at the desk", Contact(name="Bu Sari at the desk"), id="words"),
        pytest.param(
            "javascript:alert(1)@x",
            Contact(name="javascript:alert(1)@x", href="mailto:javascript:alert(1)@x"),
            id="an odd one",
        ),
    ],
)
def test_a_contact_is_a_link_where_it_can_be_followed(text: str, contact: Contact) -> None:
    assert contact_of(text) == contact
