"""Reads an address of WhatsApp (a JID), whoever's it is; pure.

The servers and forms are those of whatsmeow's `types/jid.go`.
"""

from __future__ import annotations

import re

from services.api.sentences import Phrase

PERSON, LID, GROUP = "@s.whatsapp.net", "@lid", "@g.us"

_SERVERS = {
    "s.whatsapp.net": PERSON,
    "c.us": PERSON,
    "hosted": PERSON,
    "lid": LID,
    "hosted.lid": LID,
    "g.us": GROUP,
}
"""What each server stands for: hosted devices are devices of a person."""
_DEVICE = r"(?:[._][0-9]{1,5})?(?::[0-9]{1,5})?"
"""An agent and a device, which say which of a person's phones and programs wrote."""
_USERS = {
    PERSON: re.compile(rf"\+?([1-9][0-9]{{4,14}}){_DEVICE}"),
    LID: re.compile(rf"([1-9][0-9]{{4,31}}){_DEVICE}"),
    GROUP: re.compile(r"([0-9]{5,32}(?:-[0-9]{5,20})?)"),
}

NO_ADDRESS = Phrase("it is not an address of WhatsApp", "bukan alamat WhatsApp")
STATUS = Phrase(
    "it is the status feed of WhatsApp, and messages go only to people and groups",
    "itu alamat status WhatsApp, sedangkan pesan hanya dapat dikirim ke orang dan grup",
)
BROADCAST = Phrase(
    "it is a broadcast list, which only the phone that made it can write to; send to each person instead",
    "itu daftar siaran, yang hanya dapat dipakai dari ponsel pembuatnya; kirimlah ke tiap orang",
)
NEWSLETTER = Phrase(
    "it is a channel (newsletter), and messages go only to people and groups",
    "itu saluran (newsletter), sedangkan pesan hanya dapat dikirim ke orang dan grup",
)
BOT = Phrase(
    "it is a bot of WhatsApp, and messages go only to people and groups",
    "itu bot WhatsApp, sedangkan pesan hanya dapat dikirim ke orang dan grup",
)
CALL = Phrase(
    "it is the address of a call, and messages go only to people and groups",
    "itu alamat panggilan, sedangkan pesan hanya dapat dikirim ke orang dan grup",
)
OTHER_MESSENGER = Phrase(
    "it is an account of another messenger, and messages go only to people and groups on WhatsApp",
    "itu akun aplikasi lain, sedangkan pesan hanya dapat dikirim ke orang dan grup di WhatsApp",
)
_NOT_WRITTEN_TO = {
    "broadcast": BROADCAST,
    "newsletter": NEWSLETTER,
    "bot": BOT,
    "call": CALL,
    "msgr": OTHER_MESSENGER,
    "interop": OTHER_MESSENGER,
}


def jid_in(text: str) -> str | Phrase:
    """The JID of a person, a LID or a group in its one form, without device; or what the text is instead.

    `text` is of plain characters (`numerals`). A number in a JID is WhatsApp's own word, so no table judges it.
    """
    user, _, server = (part.strip() for part in text.rpartition("@"))
    server = server.lower()
    if (not_written_to := _NOT_WRITTEN_TO.get(server)) is not None:
        return STATUS if server == "broadcast" and user.lower() == "status" else not_written_to
    kind = _SERVERS.get(server)
    found = None if kind is None else _USERS[kind].fullmatch(user)
    return NO_ADDRESS if kind is None or found is None else found[1] + kind


def is_group(jid: str) -> bool:
    """Whether this is the JID of a group, in its one form."""
    return jid.endswith(GROUP) and jid_in(jid) == jid
