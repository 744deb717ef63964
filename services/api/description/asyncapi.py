"""Describes the customers' live stream as an AsyncAPI 3 document, from the frames' own types."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from libs.contracts.updates import CreditsView, Frame, MessageView, SessionView, SubscriptionNotice

TITLE = "Merpati live stream"
ADDRESS = "/api/customer/whatsapp/stream"
COMPONENTS = "#/components/schemas/{name}"
DESCRIPTION = (
    "Frames of a customer's sessions, messages, credits, subscriptions and webhooks over WebSocket, or as server-sent "
    f"events at {ADDRESS}/sse. With `since`, everything that was missed comes first; a `gap` frame says when that is "
    "not possible. A ping with the present cursor comes every 20 s, and first of all to a client that has none yet. "
    "Close codes: 1012 the server restarts, 1013 the client reads too slowly (the reason holds its last cursor), 4401 "
    "the credential has ended. A handshake without a right is answered 401 or 403 with the usual JSON."
)
SESSION_SUMMARIES = {
    "created": "The session was made.",
    "updated": "Its name or one of its settings was changed.",
    "starting": "A link is being prepared.",
    "qr": "A code to scan, good until `expiresAt`; the next one follows by itself.",
    "pair_code": "A code to type into the phone, good until `expiresAt`.",
    "passkey": "The account asks for the person's passkey: `passkey` is the challenge, or the code to compare.",
    "connecting": "The socket is being opened.",
    "connected": "Messages leave and come in.",
    "degraded": "WhatsApp has been silent for longer than it should be.",
    "reconnecting": "The connection was lost; it is tried again.",
    "restricted": "WhatsApp holds back what this number sends, until `resumeAt` when that is known.",
    "logged_out": "The link was ended, here or on the phone; link again.",
    "stopped": "Nothing is tried until the session is started.",
    "banned": "WhatsApp has banned the number, until `resumeAt` when that is known.",
    "failed": "It cannot go on by itself; `reason` says why.",
    "deleted": "The session is gone.",
}
MESSAGE_SUMMARIES = {
    "queued": "It is kept, and will leave; again after a retry.",
    "sending": "It was handed to WhatsApp; nobody knows yet what came of it.",
    "sent": "WhatsApp's server has it.",
    "delivered": "The recipient's device has it.",
    "read": "The recipient has read it.",
    "played": "The recipient has played it.",
    "failed": "It did not leave; `error` says why.",
    "cancelled": "It was cancelled before it left.",
    "expired": "It was still waiting when its time was over.",
    "received": "It came in.",
    "edited": "It has new words (`text`, or `caption` of a medium); `editedAt` says since when.",
    "revoked": "It was deleted for everybody: what it said is gone, and `revokedAt` says since when.",
    "reaction": "Somebody reacted, or took the reaction back: `reactions` holds one of each person.",
    "poll_vote": "Somebody voted: `votes` holds what each person has chosen now.",
    "edit_failed": "An edit of ours did not succeed; `error` says why, and the message is as it was.",
    "revoke_failed": "A deletion of ours did not succeed; `error` says why, and the message is as it was.",
}
"""What happens to a message, in the order of `updates.py`. From `edited` on, `status` stays what it was."""
CREDITS_SUMMARIES = {
    "changed": "Credits were added, or taken away by hand: `change` says how many.",
    "low": "The balance has fallen below `threshold`; told once, until it is filled up again.",
    "exhausted": "A message failed because the balance did not cover it; told once, until it is filled up again.",
}
SUBSCRIPTION_SUMMARIES = {
    "changed": "A subscription was bought, extended or cancelled.",
    "expiring": "It ends soon, and nothing follows it.",
    "expired": "It has ended: sessions stay linked, messages wait until it is renewed.",
}
WEBHOOK_SUMMARIES = {
    "disabled": "A webhook of yours has failed for so long that nothing is sent to it any more.",
}
QUERY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "session": {
            "type": "string",
            "description": "Ids or names of sessions, comma separated, for their frames alone; all frames without it.",
        },
        "events": {"type": "string", "description": "Types such as `message.sent,session.*`; all without it."},
        "since": {"type": "string", "description": "The cursor of the last frame that was seen."},
    },
}

CURSOR: dict[str, Any] = {
    "type": "string",
    "description": "Place in the log; give the last one as `since` after a reconnect.",
}
PING: dict[str, Any] = {
    "name": "ping",
    "summary": "Everything up to `cursor` has been told.",
    "payload": {
        "type": "object",
        "required": ["type", "cursor"],
        "properties": {"type": {"const": "ping"}, "cursor": CURSOR},
    },
}
GAP: dict[str, Any] = {
    "name": "gap",
    "summary": "What follows `since` cannot be told in full; the stream goes on after `cursor`.",
    "payload": {
        "type": "object",
        "required": ["id", "cursor", "type", "sessionId", "occurredAt", "data", "v"],
        "properties": {
            "id": {"type": "string"},
            "cursor": CURSOR,
            "type": {"const": "gap"},
            "sessionId": {"type": "null"},
            "occurredAt": {"type": "string", "format": "date-time"},
            "data": {
                "type": "object",
                "required": ["since", "reason"],
                "properties": {
                    "since": {"type": "string"},
                    "reason": {"enum": ["too_old", "other_log", "past_end"]},
                },
            },
            "v": {"const": 1},
        },
    },
}


@cache
def asyncapi_document() -> dict[str, Any]:
    """The whole document; made once."""
    kinds: list[tuple[str, Any, dict[str, str]]] = [
        ("session", Frame[SessionView], SESSION_SUMMARIES),
        ("message", Frame[MessageView], MESSAGE_SUMMARIES),
        ("credits", Frame[CreditsView], CREDITS_SUMMARIES),
        ("subscription", Frame[SubscriptionNotice], SUBSCRIPTION_SUMMARIES),
        ("webhook", Frame[dict[str, Any]], WEBHOOK_SUMMARIES),
    ]
    schemas, components = msgspec.json.schema_components([frame for _, frame, _ in kinds], ref_template=COMPONENTS)
    messages: dict[str, Any] = {}
    for (kind, _, summaries), schema in zip(kinds, schemas, strict=True):
        for name, summary in summaries.items():
            messages[f"{kind}.{name}"] = _message(f"{kind}.{name}", summary, schema)
    messages |= {"ping": PING, "gap": GAP}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": ADDRESS,
                "messages": {name.replace(".", "_"): {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"query": QUERY}},
            }
        },
        "operations": {
            "receiveFrames": {
                "action": "receive",
                "channel": {"$ref": "#/channels/stream"},
                "summary": "Every change of sessions, messages, credits and subscriptions, in order, each once.",
            }
        },
        "components": {
            "messages": messages,
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Subprotocols `bearer, <token>`."},
                "ticket": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "From `POST /api/customer/whatsapp/stream/ticket`; good once, for a minute.",
                },
            },
        },
    }


def _message(name: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    added = {"type": "object", "required": ["cursor"], "properties": {"cursor": CURSOR, "type": {"const": name}}}
    return {"name": name, "summary": summary, "payload": {"allOf": [schema, added]}}
