"""What the engine answers to a request (`base.py`)."""

from __future__ import annotations

import msgspec

from services.sessions.engines.tagged import Wire


class Done(Wire, frozen=True, kw_only=True, tag="done"):
    """It was done."""


class Failed(Wire, frozen=True, kw_only=True, tag="failed"):
    """It was not done.

    `code`: `not_open`, `not_connected`, `fenced` (a higher fence was seen), `store`, `refused`, `limited` (asked too
    often), `bad_request`, for a download `gone` and `too_large`; when WhatsApp was asked and did not answer, so that it
    may have been done, `timeout` and `interrupted` (the connection was lost).
    `status`: WhatsApp's own code where it refused (403, 404, 429 ...); 0 where there is none.
    """

    code: str
    message: str
    status: int = 0


class PairCodeReply(Wire, frozen=True, kw_only=True, tag="pair_code"):
    """The code to type on the phone, as `XXXX-XXXX`; good for 160 s."""

    code: str


class Sent(Wire, frozen=True, kw_only=True, tag="sent"):
    """WhatsApp's server acknowledged the message at `at_ms`. Only a receipt proves delivery.

    `to` is the JID to which it went, when WhatsApp knows the recipient under another number than was asked for.
    """

    at_ms: int
    to: str | None = None


class Refused(Wire, frozen=True, kw_only=True, tag="refused"):
    """WhatsApp's server answered with an error `code` (a number such as 463); the message certainly did not leave."""

    code: int


class Unknown(Wire, frozen=True, kw_only=True, tag="unknown"):
    """The outcome is not known (time-out, socket lost while waiting): send again with the same ids."""

    reason: str


class NotSent(Wire, frozen=True, kw_only=True, tag="not_sent"):
    """The message certainly did not leave.

    `reason`: `not_open`, `not_connected`, `not_on_whatsapp`, `store`, `fenced`, `media` (missing or unreadable),
    `media_too_large`, `group_unknown` (or this number is not in it), `recipient` (no kind of address), `content`;
    `limited` and `lookup` (WhatsApp limits questions about recipients; it refused one or did not answer, by `code` if
    it gave one), `unasked` (see `Send.known_only`), `uploading` and `upload` (the medium is on its way to WhatsApp; its
    upload failed), `busy` (the message before is still in flight).
    """

    reason: str
    message: str = ""
    code: int = 0


class Checked(Wire, frozen=True, kw_only=True, tag="checked"):
    """Per asked number: the JID of the account's own number, or null when it is not on WhatsApp."""

    jids: dict[str, str | None]


class GroupMember(msgspec.Struct, frozen=True, kw_only=True):
    """`jid` is the phone number's form when known; `role` is `member`, `admin` or `owner`."""

    jid: str
    lid: str | None
    role: str


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """With what somebody who may not be added (403) can join by themselves."""

    code: str
    expires_ms: int | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group that the number is in."""

    jid: str
    subject: str
    members: list[GroupMember]
    created_ms: int | None
    codes: dict[str, int | None] = {}
    """Of a group that was just made, per asked JID: as in `participants`."""
    invites: dict[str, Invite] = {}


class Groups(Wire, frozen=True, kw_only=True, tag="groups"):
    """The groups asked for."""

    groups: list[Group]


class Participants(Wire, frozen=True, kw_only=True, tag="participants"):
    """Per asked JID: null when it was done, else WhatsApp's code (403: only by invitation, 409: in it already).

    Of whom WhatsApp said nothing, nothing is told.
    """

    codes: dict[str, int | None]
    invites: dict[str, Invite] = {}


class Downloaded(Wire, frozen=True, kw_only=True, tag="downloaded"):
    """The file lies in GridFS; `sha256` in hex."""

    bytes: int
    sha256: str


class Pong(Wire, frozen=True, kw_only=True, tag="pong"):
    """The worker is alive and holds this many open sessions."""

    open_sessions: int


Reply = (
    Done
    | Failed
    | PairCodeReply
    | Sent
    | Refused
    | Unknown
    | NotSent
    | Checked
    | Groups
    | Participants
    | Downloaded
    | Pong
)
SendOutcome = Sent | Refused | Unknown | NotSent
