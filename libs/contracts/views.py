"""How a stored message looks to customers: the message object of the API and of the live stream."""

from __future__ import annotations

from libs.contracts.ids import incoming_media_id
from libs.contracts.records import MessageRow, ReactionEntry, VoteEntry
from libs.contracts.times import iso, iso_or_none
from libs.contracts.updates import MediaView, MessageError, MessageView, ReactionView, VoteView


class NotTellable(Exception):
    """The row was made by a receipt that outran its message: it has no message id and no content to show yet."""

    def __init__(self, row_id: str) -> None:
        self.row_id = row_id
        super().__init__(f"the row {row_id} has no content yet")


def message_view(row: MessageRow) -> MessageView:
    """The message object of this row, as it stands now. Raises NotTellable for a row whose `message_id` is null."""
    if row.message_id is None or row.type is None:
        raise NotTellable(row.id)
    return MessageView(
        message_id=row.message_id,
        wa_id=row.wa_id,
        session_id=row.session_id,
        direction=row.direction,
        type=row.type,
        status=row.status,
        to=row.to,
        from_=row.from_,
        chat=row.chat,
        text=row.text,
        caption=row.caption,
        file_name=row.file_name,
        media=media_of(row),
        waiting_for=row.waiting_for,
        resume_at=iso_or_none(row.resume_at),
        error=error_of(row.code, row.detail),
        attempts=row.attempts,
        created_at=iso(row.created_at),
        sent_at=iso_or_none(row.sent_at),
        delivered_at=iso_or_none(row.delivered_at),
        read_at=iso_or_none(row.read_at),
        reply_to=row.reply_to,
        mentions=row.mentions,
        details=row.details,
        edited_at=iso_or_none(row.edited_at),
        revoked_at=iso_or_none(row.revoked_at),
        reactions=[_reaction_view(each) for each in row.reactions if each.emoji],
        votes=[_vote_view(each) for each in row.votes if each.options],
    )


def _reaction_view(entry: ReactionEntry) -> ReactionView:
    """An entry without an emoji is a reaction that was taken back; it is not shown."""
    return ReactionView(from_=entry.sender or None, emoji=entry.emoji, at=iso(entry.at))


def _vote_view(entry: VoteEntry) -> VoteView:
    return VoteView(from_=entry.sender, options=entry.options, at=iso(entry.at))


def media_of(row: MessageRow) -> MediaView | None:
    """The message's medium, or null when it has none."""
    if row.media_id is None and row.media_bytes is None and row.mimetype is None:
        return None
    return MediaView(media_id=_media_id_of(row), mimetype=row.mimetype, bytes=row.media_bytes)


def _media_id_of(row: MessageRow) -> str | None:
    if row.media_id is not None or row.media_ref is None or row.message_id is None:
        return row.media_id
    return incoming_media_id(row.message_id)


def error_of(code: str | None, detail: str | None) -> MessageError | None:
    """Why the message failed, or null."""
    return None if code is None else MessageError(code=code, message=detail or code)
