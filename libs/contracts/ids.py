"""Ids, shards and the names of subjects, streams and consumers: every name that two services must agree on."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
import uuid
import zlib

DEFAULT_SHARDS = 32
NETWORKS = ("whatsapp", "simulator", "scripted")

COMMANDS, EVENTS, UPDATES, DEAD = "COMMANDS", "EVENTS", "UPDATES", "DEAD"

SHARDS_CHANGED = "shards.changed"
"""Core NATS broadcast `shards.changed.<service>`: leases were given back, every replica polls at once."""
CACHE_DROPPED = "cache.dropped"
"""Core NATS broadcast: the payload names an edge cache entry that is no longer true."""

_INCOMING_MEDIA = "in_"
_SESSION_ID = re.compile(r"[0-9a-f]{16}")
_MESSAGE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def shard_of(session_id: str, shards: int = DEFAULT_SHARDS) -> int:
    """The shard, 0 to `shards` - 1, that owns this session in every service."""
    return zlib.crc32(session_id.encode()) % shards


def shard_token(shard: int) -> str:
    """The shard as it stands in subjects and names: two digits, `07`."""
    return f"{shard:02d}"


def new_message_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then random bits."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def is_message_id(text: str) -> bool:
    """Whether `text` is a message id as `new_message_id` makes them."""
    return _MESSAGE_ID.fullmatch(text) is not None


def whatsapp_id(message_id: str) -> str:
    """WhatsApp's id for one of our messages: `3EB0` and 18 hex digits, the form of WhatsApp Web and of whatsmeow.

    Derived, so every retry carries the same one.
    """
    return "3EB0" + hashlib.sha256(message_id.encode()).hexdigest()[:18].upper()


def incoming_media_id(message_id: str) -> str:
    """The media id of a message that came in: known before its medium was downloaded, the same in every edge."""
    return _INCOMING_MEDIA + message_id


def message_of_media(media_id: str) -> str | None:
    """The message whose incoming medium this is; None for an uploaded one."""
    message_id = media_id.removeprefix(_INCOMING_MEDIA)
    return message_id if message_id != media_id and is_message_id(message_id) else None


def new_session_id() -> str:
    """16 hex digits: safe in URLs and in subjects."""
    return secrets.token_hex(8)


def is_session_id(text: str) -> bool:
    """Whether `text` has the form of the ids that `new_session_id` makes."""
    return _SESSION_ID.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """An id for anything else, such as `cus_4f1c...`: safe in URLs and in subjects."""
    return f"{prefix}_{secrets.token_hex(10)}"


def send_subject(session_id: str, shards: int) -> str:
    """Where commands of the sender for this session are published."""
    return f"cmd.send.{shard_token(shard_of(session_id, shards))}.{session_id}"


def session_subject(network: str, session_id: str, shards: int) -> str:
    """Where commands of the session's owner are published."""
    return f"cmd.session.{network}.{shard_token(shard_of(session_id, shards))}.{session_id}"


def fact_subject(kind: str, session_id: str, shards: int) -> str:
    """Where facts are published; `kind` is that of `kind_of_subject`."""
    return f"fact.{kind}.{shard_token(shard_of(session_id, shards))}.{session_id}"


def deliver_subject(network: str, shard: int) -> str:
    """Where the owner of a sessions shard answers `Deliver`."""
    return f"call.deliver.{network}.{shard_token(shard)}"


def session_call_subject(network: str, shard: int) -> str:
    """Where the owner of a sessions shard answers the edge (`Ask` of `libs/contracts/calls.py`)."""
    return f"call.session.{network}.{shard_token(shard)}"


def webhook_call_subject(shard: int) -> str:
    """Where the owner of a status shard answers the edge about webhooks (`WebhookAsk` of `libs/contracts/calls.py`)."""
    return f"call.webhook.{shard_token(shard)}"


def update_subject(customer_id: str, session_id: str, update_type: str, shards: int) -> str:
    """Where a frame for a customer is published; `update_type` such as `message.sent` (two tokens)."""
    return f"updates.{shard_token(shard_of(session_id, shards))}.{customer_id}.{session_id}.{update_type}"


def dead_subject(service: str) -> str:
    """Where a service leaves what it could not handle."""
    return f"dead.{service}"


def consumer_name(service: str, shard: int, epoch: int) -> str:
    """The shard's consumer under this epoch, such as `sender-07-e12`. `service` may hold a `/`; it becomes `-`."""
    return f"{service.replace('/', '-')}-{shard_token(shard)}-e{epoch}"
