"""The people of the scripted network: their phones, what these show, what they wrote, and their groups."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from services.sessions.engines import base as engine

INBOX_LIMIT = 100_000
ACTIONS = frozenset({"add", "remove", "promote", "demote"})
PERSON, LID, GROUP = "s.whatsapp.net", "lid", "g.us"


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return int(time.time() * 1000)


def moment(at_ms: int) -> datetime:
    """The moment of these milliseconds since the Unix epoch."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def jid_of(number: str) -> str:
    """A number's JID."""
    return f"{number}@{PERSON}"


def lid_of(number: str) -> str:
    """A made-up LID for a number: always the same."""
    return f"{int(number) % 10**12 + 10**14}@{LID}"


def is_group(jid: str) -> bool:
    """Whether this JID is a group's."""
    return jid.endswith(f"@{GROUP}")


class Vote(msgspec.Struct, frozen=True, kw_only=True, tag="vote", tag_field="type"):
    """A person's choice in a poll: the one thing that people say and sessions do not."""

    target: str
    options: list[str]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that went over the network."""

    content: bytes
    sha256: str
    name: str | None = None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way from `author` (a number) to `to` (a number's or a group's JID)."""

    id: str
    author: str
    to: str
    content: engine.Content | Vote
    quote: engine.Quote | None = None
    mentions: list[str] = []
    file: File | None = None
    at_ms: int = msgspec.field(default_factory=now_ms)


class InboxRow(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What a phone shows: one row for each WhatsApp id; `copies` counts how often it came."""

    id: str
    from_: str = msgspec.field(name="from")
    chat: str
    type: str
    at: datetime
    copies: int
    from_me: bool = False
    text: str | None = None
    caption: str | None = None
    file_name: str | None = None
    mimetype: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    name: str | None = None
    address: str | None = None
    vcard: str | None = None
    question: str | None = None
    options: list[str] | None = None
    selectable: int | None = None
    emoji: str | None = None
    edit_of: str | None = None
    target: str | None = None
    reply_to: str | None = None
    quoted: str | None = None
    mentions: list[str] | None = None


SAID = frozenset(InboxRow.__struct_fields__) - {"type"}


def row_of(posted: Posted, reader: str) -> InboxRow:
    """What the phone of `reader` shows of a message."""
    said: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(posted.content).items() if name in SAID}
    kind = str(posted.content.__struct_config__.tag)
    if isinstance(posted.content, engine.EditContent):
        kind, said = "text", {"text": posted.content.text, "edit_of": posted.content.target}
    file = posted.file
    return InboxRow(
        id=posted.id,
        from_=posted.author,
        chat=chat_of(posted, reader),
        type=kind,
        at=moment(posted.at_ms),
        copies=1,
        from_me=posted.author == reader,
        sha256=file.sha256 if file else None,
        bytes=len(file.content) if file else None,
        reply_to=posted.quote.target if posted.quote else None,
        quoted=posted.quote.text if posted.quote else None,
        mentions=[jid.partition("@")[0] for jid in posted.mentions] or None,
        **said,
    )


def chat_of(posted: Posted, reader: str) -> str:
    """The chat in which `reader` finds a message: a group's JID, or the other one's number."""
    if is_group(posted.to):
        return posted.to
    return posted.to.partition("@")[0] if posted.author == reader else posted.author


class SentRow(msgspec.Struct, kw_only=True):
    """What a person wrote, and how far it came: `sent`, `delivered` or `read`."""

    id: str
    to: str
    at: datetime
    status: Literal["sent", "delivered", "read"] = "sent"


class Phone(msgspec.Struct, kw_only=True):
    """A person's phone: what it shows, what was written on it, and how it behaves."""

    number: str
    name: str = ""
    deliver: bool = True
    read_after_ms: int | None = None
    online: bool = True
    on_whatsapp: bool = True
    hide_number: bool = False
    """Known to others by its LID alone."""
    invite_only: bool = False
    """Is not added to groups."""
    inbox: dict[str, InboxRow] = {}
    read: set[str] = set()
    sent: dict[str, SentRow] = {}
    typings: list[dict[str, Any]] = []
    """Who typed to this phone: `from, chat, state, at`, the last 200."""
    waiting: list[Posted] = []
    """What came while it was switched off."""
    unconfirmed: list[Posted] = []
    """What it showed without sending a delivery receipt."""

    @property
    def jid(self) -> str:
        """Its JID."""
        return jid_of(self.number)

    def show(self, posted: Posted) -> None:
        """Show a message; a repeat only counts."""
        row = self.inbox.get(posted.id)
        if row is not None:
            row.copies += 1
        elif len(self.inbox) < INBOX_LIMIT:
            self.inbox[posted.id] = row_of(posted, self.number)

    def see_typing(self, number: str, chat: str, state: str) -> None:
        """Somebody types to this phone."""
        shown = {"from": number, "chat": chat if is_group(chat) else number, "state": state, "at": moment(now_ms())}
        self.typings = [*self.typings[-199:], shown]

    def unread(self, chat: str, message_id: str | None) -> list[str]:
        """Mark what is shown of a chat as read; returns what was not before."""
        rows = [row for row in self.inbox.values() if row.chat == chat and not row.from_me]
        fresh = [row.id for row in rows if message_id in (None, row.id) and row.id not in self.read]
        self.read.update(fresh)
        return fresh

    def note(self, message_id: str, status: Literal["delivered", "read"]) -> None:
        """What was written came this far."""
        row = self.sent.get(message_id)
        if row is not None and row.status != "read":
            row.status = status


class Group(msgspec.Struct, kw_only=True):
    """A group; `roles` by number, in the order of joining: `owner`, `admin` or `member`."""

    jid: str
    subject: str
    roles: dict[str, str]
    created_ms: int = msgspec.field(default_factory=now_ms)

    def view(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "jid": self.jid,
            "subject": self.subject,
            "owner": next((number for number, role in self.roles.items() if role == "owner"), None),
            "participants": list(self.roles),
            "admins": [number for number, role in self.roles.items() if role != "member"],
        }

    def wire(self) -> engine.Group:
        """As the port shows it."""
        members = [
            engine.GroupMember(jid=jid_of(number), lid=lid_of(number), role=role) for number, role in self.roles.items()
        ]
        return engine.Group(jid=self.jid, subject=self.subject, members=members, created_ms=self.created_ms)

    def change(self, number: str, action: str) -> int | None:
        """Change one person's part in it; None when it was done, else WhatsApp's code."""
        inside = number in self.roles
        if action == "add":
            if inside:
                return 409
            self.roles[number] = "member"
        elif not inside:
            return 404
        elif self.roles[number] == "owner":
            return 405
        elif action == "remove":
            del self.roles[number]
        else:
            self.roles[number] = "admin" if action == "promote" else "member"
        return None
