"""The description of the live stream names every frame that there is, with every field."""

from __future__ import annotations

import msgspec

from libs.contracts.updates import (
    MESSAGE_UPDATES,
    NOTICES,
    SESSION_UPDATES,
    CreditsView,
    MessageView,
    SessionView,
    SubscriptionNotice,
)
from services.api.description.asyncapi import asyncapi_document


def test_every_frame_is_described_and_no_other() -> None:
    told = [f"session.{name}" for name in SESSION_UPDATES] + [f"message.{name}" for name in MESSAGE_UPDATES]
    document = asyncapi_document()
    assert list(document["components"]["messages"]) == [*told, *NOTICES, "ping", "gap"]
    referred = {each["$ref"].rpartition("/")[2] for each in document["channels"]["stream"]["messages"].values()}
    assert referred == document["components"]["messages"].keys()
    assert all(message["summary"].endswith(".") for message in document["components"]["messages"].values())


def test_every_field_of_a_frame_is_described() -> None:
    schemas = asyncapi_document()["components"]["schemas"]
    for view in (MessageView, SessionView, CreditsView, SubscriptionNotice):
        fields = {field.encode_name for field in msgspec.structs.fields(view)}
        assert schemas[view.__name__]["properties"].keys() == fields


def test_every_schema_that_is_referred_to_is_there() -> None:
    text = msgspec.json.encode(asyncapi_document()).decode()
    names = {each.partition('"')[0] for each in text.split("#/components/schemas/")[1:]}
    assert {"ReactionView", "VoteView", "MediaView"} <= names
    assert names <= asyncapi_document()["components"]["schemas"].keys()
