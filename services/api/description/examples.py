"""Examples of every JSON body, by operation id: shown in the OpenAPI description, and held to the bodies by a test."""

from __future__ import annotations

from typing import Any

from services.api.description.examples_accounts import ACCOUNTS
from services.api.description.examples_credits import CREDITS

Examples = dict[str, dict[str, Any]]

_TO = "081234567890"
_MESSAGE = "01a1f8e3-3115-7697-a7d4-266e1780271d"
_GROUP = "120363021234567890@g.us"

MESSAGES: dict[str, Any] = {
    "text": {"type": "text", "to": _TO, "text": "Your order is on its way."},
    "answer": {"type": "text", "to": _TO, "text": "Yes, it is.", "replyTo": _MESSAGE},
    "mention": {"type": "text", "to": _GROUP, "text": "@6281234567890, please call.", "mentions": [_TO]},
    "preview": {"type": "text", "to": _TO, "text": "See https://example.com/offer", "linkPreview": True},
    "scheduled": {
        "type": "text",
        "to": _TO,
        "text": "Good morning!",
        "sendAt": "2027-01-01T08:00:00+07:00",
        "ttl": 3600,
        "priority": -1,
    },
    "template": {
        "type": "template",
        "to": _TO,
        "templateId": "tpl_0123456789abcdef0123",
        "variables": {"name": "Bu Sari"},
    },
    "image": {"type": "image", "to": _TO, "url": "https://example.com/menu.jpg", "caption": "Our menu"},
    "video": {"type": "video", "to": _TO, "mediaId": "med_0123456789abcdef0123", "caption": "How it is made"},
    "document": {"type": "document", "to": _TO, "data": "JVBERi0xLjcK", "fileName": "invoice.pdf"},
    "audio": {"type": "audio", "to": _TO, "mediaId": "med_0123456789abcdef0123"},
    "voice": {"type": "voice", "to": _TO, "mediaId": "med_0123456789abcdef0123"},
    "sticker": {"type": "sticker", "to": _TO, "mediaId": "med_0123456789abcdef0123"},
    "location": {"type": "location", "to": _TO, "latitude": -6.1754, "longitude": 106.8272, "name": "Monas"},
    "contact": {"type": "contact", "to": _TO, "name": "Bu Sari", "phones": ["0811 111 1111"]},
    "poll": {"type": "poll", "to": _TO, "question": "When?", "options": ["Morning", "Evening"], "selectable": 1},
    "reaction": {"type": "reaction", "messageId": _MESSAGE, "emoji": "👍"},
}
_PARTICIPANTS = {"people": {"participants": [_TO, "6281111111111"]}}

_NEW_TEMPLATE = {
    "greeting": {
        "name": "Greeting",
        "content": "Halo {{name}}, your order {{order}} is ready.",
        "description": "At noon",
    }
}
_CHANGED_TEMPLATE = {"text": {"content": "Halo {{name}}, thank you."}, "name": {"name": "Thanks"}}
_TEMPLATES: dict[str, Examples] = {
    "create_template": _NEW_TEMPLATE,
    "update_template": _CHANGED_TEMPLATE,
    "create_admin_template": _NEW_TEMPLATE,
    "update_admin_template": _CHANGED_TEMPLATE,
}

_PLAN = {
    "name": "Warung",
    "description": "For a small shop",
    "allowance": {
        "maxSessions": 3,
        "monthlyMessages": 10_000,
        "isMetered": True,
        "prices": {"default": 1, "video": 3},
        "features": ["Live status stream"],
    },
    "price": 150_000,
    "currency": "IDR",
    "billingCycle": "monthly",
    "isOffered": True,
}
_PLATFORM: dict[str, Examples] = {
    "create_customer": {
        "shop": {"name": "Toko Kopi", "email": "owner@example.com", "ownerName": "Bu Sari", "timeZone": "Asia/Makassar"}
    },
    "update_customer": {"rename": {"name": "Toko Kopi Baru"}, "time zone": {"timeZone": "Asia/Jayapura"}},
    "suspend_customer": {"reason": {"reason": "Complaints about unwanted messages"}},
    "update_account": {"time zone": {"timeZone": "Asia/Jakarta"}},
    "create_plan": {"metered": _PLAN},
    "update_plan": {"price": {"price": 175_000}, "sold no more": {"isActive": False}},
    "subscribe_customer": {
        "a year": {"planId": "plan_0123456789abcdef0123", "cycles": 12, "paymentMethod": "transfer"},
        "a gift without end": {"planId": "plan_0123456789abcdef0123", "cycles": None, "amount": 0},
    },
    "extend_subscription": {"two cycles": {"cycles": 2}, "until": {"endsAt": "2027-01-31T17:00:00Z"}},
    "cancel_subscription": {"with a note": {"note": "Asked for by phone"}},
    "confirm_payment": {"reference": {"note": "BCA 2026-11-20 07:15"}},
    "reject_payment": {"reason": {"note": "No money came within a week"}},
    "request_purchase": {"one month": {"planId": "plan_0123456789abcdef0123", "cycles": 1}},
    "redrive_dead_letters": {"of sender": {"service": "sender"}, "of sessions": {"service": "sessions/whatsapp"}},
}

BODIES: dict[str, Examples] = {
    **_PLATFORM,
    "sign_in": {"email": {"identifier": "owner@example.com", "password": "correct horse battery"}},
    "sign_in_admin": {"username": {"username": "admin@example.com", "password": "correct horse battery"}},
    "update_profile": {"name": {"name": "Toko Kopi", "phone": _TO}},
    "create_api_key": {"named": {"name": "Shop"}},
    "create_session": {
        "short": {"name": "shop"},
        "full": {
            "name": "shop",
            "engine": "whatsapp",
            "deviceName": "Toko Kopi",
            "proxy": "socks5://user:password@proxy.example:1080",
            "pacing": {"perMinute": 20, "burst": 5, "jitter": 0.3, "newContacts": True},
        },
    },
    "update_session": {
        "rename": {"name": "counter"},
        "start": {"status": "active"},
        "pace": {"pacing": {"perMinute": 10}},
        "without a proxy": {"proxy": None},
    },
    "request_pair_code": {"phone": {"phone": _TO}},
    "answer_passkey": {
        "assertion": {
            "response": {
                "id": "AbCd",
                "type": "public-key",
                "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"},
            }
        }
    },
    "send_message": MESSAGES,
    **_TEMPLATES,
    "reply_to_admin_chat": {"text": {"message": "Yes, we are open."}},
    "edit_message": {"text": {"text": "Your order leaves tomorrow."}},
    "check_numbers": {"two": {"phones": ["0811 111 1111", "+62 822-2222-2222"]}},
    "show_presence": {"typing": {"to": _TO, "state": "composing"}},
    "create_group": {"two": {"subject": "Team", **_PARTICIPANTS["people"]}},
    "add_participants": _PARTICIPANTS,
    "remove_participants": _PARTICIPANTS,
    "change_participants": {"promote": {"action": "promote", **_PARTICIPANTS["people"]}},
    "send_public_message": {
        "contentType": {"phone": _TO, "contentType": "text", "content": "Halo"},
        "message": {"phone": _TO, "message": "Halo"},
        "type": {"phone": _TO, "type": "image", "image": "data:image/png;base64,iVBORw0KGgo=", "caption": "Our menu"},
    },
    **ACCOUNTS,
    **CREDITS,
    "create_webhook": {
        "everything": {"url": "https://example.com/merpati"},
        "some": {
            "url": "https://example.com/merpati",
            "events": ["message.*", "session.logged_out"],
            "sessions": ["Sales"],
            "description": "Orders",
            "ordered": True,
        },
    },
    "update_webhook": {"on again": {"enabled": True}, "elsewhere": {"url": "https://example.com/new"}},
}
