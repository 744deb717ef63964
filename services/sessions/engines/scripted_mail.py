"""Carries messages over the scripted network: to phones, to linked sessions and to groups, with their receipts."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import datetime
from typing import Any

from gridfs import AsyncGridFSBucket
from gridfs.errors import FileExists, NoFile

from services.sessions.engines import base as engine
from services.sessions.engines.scripted_connections import Connections, Refused
from services.sessions.engines.scripted_events import MEDIA, event_of
from services.sessions.engines.scripted_people import (
    File,
    Phone,
    Posted,
    SentRow,
    is_group,
    jid_of,
    moment,
    now_ms,
)
from services.sessions.engines.scripted_socket import Socket

FILES_KEPT = 200
READ_RECEIPT_BATCH = 100


class ScriptedMail:
    """What is said over these connections."""

    def __init__(self, network: Connections) -> None:
        self._network = network
        self._files: dict[str, File] = {}
        self._chats: set[tuple[str, str]] = set()
        """Who has exchanged a message with whom, by numbers, both ways."""

    # --- From sessions ------------------------------------------------------------------------------------------------

    async def send(self, socket: Socket, request: engine.Send) -> engine.SendOutcome:
        """A message from an open session: shown once by each phone that it reaches, then its receipts come."""
        faults, number = self._network.faults, socket.number or ""
        to = request.to if is_group(request.to) else self._network.number_of(request.to)
        if fault := faults.use("delay", number):
            await asyncio.sleep(fault.ms / 1000)
        if faults.use("blackhole", number):
            await asyncio.sleep(max(0.0, (request.deadline_ms - now_ms()) / 1000))
            return engine.Unknown(reason="timeout")
        if fault := faults.use("nack", number, to):
            return engine.Refused(code=fault.code)
        if refused := self._refusal(number, to):
            return refused
        file = await self._file_of(request.content)
        if file is None and isinstance(request.content, MEDIA) and self._network.database is not None:
            return engine.NotSent(reason="media", message="there is no such file")
        self.post(_posted(number, to, request, file, self._mentioned(number, to, request)), origin=socket.session)
        if faults.use("withholdAck", number, to):
            return engine.Unknown(reason="timeout")
        return engine.Sent(at_ms=now_ms())

    def _mentioned(self, number: str, to: str, request: engine.Send) -> list[str]:
        group = self._network.groups.get(to)
        if not request.mention_all or group is None:
            return request.mentions
        return [jid_of(member) for member in group.roles if member != number]

    def _refusal(self, number: str, to: str) -> engine.SendOutcome | None:
        if not is_group(to):
            on = self._network.is_on_whatsapp(to)
            if not on:
                return engine.NotSent(reason="not_on_whatsapp")
            is_new = (number, to) not in self._chats
            return engine.Refused(code=463) if is_new and self._network.is_timelocked(number) else None
        group = self._network.groups.get(to)
        if group is None:
            return engine.Refused(code=404)
        return None if number in group.roles else engine.Refused(code=403)

    async def _file_of(self, content: engine.Content) -> File | None:
        if not isinstance(content, MEDIA) or self._network.database is None:
            return None
        try:
            file = await AsyncGridFSBucket(self._network.database, "media").open_download_stream(content.media_id)
            read = await file.read()
        except NoFile:
            return None
        return self._keep(read, getattr(content, "file_name", None))

    def _keep(self, content: bytes, name: str | None) -> File:
        """Keep a file for downloads; the oldest goes when there are too many: gone, as at WhatsApp."""
        file = File(content=content, sha256=hashlib.sha256(content).hexdigest(), name=name)
        self._files[file.sha256] = file
        if len(self._files) > FILES_KEPT:
            del self._files[next(iter(self._files))]
        return file

    # --- From people --------------------------------------------------------------------------------------------------

    def write(self, author: Phone, to: str, content: Any, **more: Any) -> str:
        """The person writes to a number or a group; returns the message's id. Raises Refused."""
        if not author.online:
            raise Refused(409, "this phone is switched off")
        group = self._network.groups.get(to)
        if is_group(to) and group is None:
            raise Refused(404, "there is no such group")
        if group is not None and author.number not in group.roles:
            raise Refused(403, "this phone is not in that group")
        if group is None and not self._network.is_on_whatsapp(to):
            raise Refused(404, "this number is not on WhatsApp")
        posted = Posted(
            id="3A" + secrets.token_hex(9).upper(),
            author=author.number,
            to=to if is_group(to) else jid_of(to),
            content=content,
            **more,
        )
        author.sent[posted.id] = SentRow(id=posted.id, to=to, at=moment(posted.at_ms))
        self.post(posted, origin=None)
        return posted.id

    def attach(self, content: bytes, name: str | None) -> File:
        """A file that a person sends."""
        return self._keep(content, name)

    def read(self, reader: Phone, chat: str, message_id: str | None) -> list[str]:
        """The person reads a chat; its authors are told. Returns what was not read before."""
        fresh = reader.unread(chat, message_id)
        by_author: dict[str, list[str]] = {}
        for each in fresh:
            by_author.setdefault(reader.inbox[each].from_, []).append(each)
        for author, ids in by_author.items():
            self._note_sent(author, ids, "read")
            for device in self._network.links.of(author):
                self._receipt(device.session, ids, self._chat_seen_by_author(chat, reader), reader.jid, "read")
        return fresh

    # --- On the way ---------------------------------------------------------------------------------------------------

    def post(self, posted: Posted, *, origin: str | None) -> None:
        """Bring a message to every phone and linked session that it is for, its author's others included."""
        if not is_group(posted.to):
            other = posted.to.partition("@")[0]
            self._chats |= {(posted.author, other), (other, posted.author)}
        for number in self._readers(posted):
            for device in self._network.links.of(number):
                if device.session != origin:
                    self._tell(posted, device.session, number)
            phone = self._network.phones.get(number)
            if phone is not None:
                self._arrive(phone, posted, origin)
            elif number != posted.author and origin is not None:
                self._receipt(origin, [posted.id], posted.to, jid_of(number), "delivered")

    def _readers(self, posted: Posted) -> list[str]:
        if is_group(posted.to):
            return list(self._network.groups[posted.to].roles)
        return list(dict.fromkeys((posted.to.partition("@")[0], posted.author)))

    def _tell(self, posted: Posted, session: str, number: str) -> None:
        author = self._network.phones.get(posted.author)
        name = author.name if author else posted.author
        if self._network.faults.use("garble", number):
            self._network.emit(session, _undecryptable(posted, session))
        shown_as = self._network.address_of
        event = event_of(posted, session=session, reader=number, push_name=name, shown_as=shown_as)
        self._network.emit(session, event)

    def _arrive(self, phone: Phone, posted: Posted, origin: str | None) -> None:
        if not phone.online:
            phone.waiting.append(posted)
            return
        phone.show(posted)
        if posted.author == phone.number and posted.to != phone.jid:
            return
        if phone.deliver:
            self._confirm(phone, posted, origin)
        else:
            phone.unconfirmed.append(posted)
        if phone.read_after_ms is not None:
            chat = posted.to if is_group(posted.to) else posted.author
            self._network.later(self._read_later(phone, chat, posted.id, phone.read_after_ms / 1000))

    def _confirm(self, phone: Phone, posted: Posted, origin: str | None) -> None:
        """The phone shows it: the session that sent it hears so, or those of its author when that is not known."""
        self._note_sent(posted.author, [posted.id], "delivered")
        known = [origin] if origin else [device.session for device in self._network.links.of(posted.author)]
        written_on_the_phone = posted.id.startswith("3A")
        for session in [] if written_on_the_phone else known:
            self._receipt(session, [posted.id], posted.to, phone.jid, "delivered")

    async def _read_later(self, phone: Phone, chat: str, message_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.read(phone, chat, message_id)

    def changed(self, phone: Phone) -> None:
        """A phone behaves differently: switched on it takes what waited; one that delivers confirms what it held."""
        if phone.online:
            waiting, phone.waiting = phone.waiting, []
            for posted in waiting:
                self._arrive(phone, posted, None)
        if phone.deliver:
            unconfirmed, phone.unconfirmed = phone.unconfirmed, []
            for posted in unconfirmed:
                self._confirm(phone, posted, None)

    def mark_read(self, number: str, request: engine.MarkRead) -> None:
        """A session tells that messages were read: their author sees it."""
        self._note_sent(self._network.number_of(request.sender), request.message_ids, "read")
        reader = self._network.phones.get(number)
        if reader is not None:
            reader.read.update(request.message_ids)

    def taken(self, event: engine.Event, socket: Socket) -> None:
        """A session's owner took a message: its author sees that it was delivered."""
        if isinstance(event, engine.Message | engine.About) and not event.from_me:
            self._note_sent(self._network.number_of(event.sender), [event.id], "delivered")

    def _note_sent(self, author: str, ids: list[str], status: Any) -> None:
        phone = self._network.phones.get(author)
        if phone is not None:
            for each in ids:
                phone.note(each, status)

    def _chat_seen_by_author(self, chat: str, reader: Phone) -> str:
        return chat if is_group(chat) else reader.jid

    def _receipt(self, session: str, ids: list[str], chat: str, sender: str, kind: str) -> None:
        for start in range(0, len(ids), READ_RECEIPT_BATCH):
            part = ids[start : start + READ_RECEIPT_BATCH]
            self._network.emit(
                session,
                engine.Receipt(
                    session=session,
                    connection=0,
                    message_ids=part,
                    kind=kind,
                    chat=chat,
                    sender=sender,
                    at_ms=now_ms(),
                ),
            )

    # --- Downloads ----------------------------------------------------------------------------------------------------

    async def download(self, request: engine.Download) -> engine.Reply:
        """Write an incoming medium to GridFS. May run twice."""
        file = self._files.get(request.ref.decode(errors="replace"))
        if file is None:
            return engine.Failed(code="gone", message="the network does not have this file any more")
        if len(file.content) > request.most_bytes:
            return engine.Failed(code="too_large", message=f"the file has {len(file.content)} bytes")
        if self._network.database is None:
            return engine.Failed(code="store", message="there is no database")
        bucket = AsyncGridFSBucket(self._network.database, "media")
        name = request.file_name or request.media_id
        try:
            async with bucket.open_upload_stream_with_id(
                request.media_id, name, metadata=_metadata(request, file)
            ) as stream:
                await stream.write(file.content)
        except FileExists:
            pass
        return engine.Downloaded(bytes=len(file.content), sha256=file.sha256)


def _metadata(request: engine.Download, file: File) -> dict[str, Any]:
    """What was asked, with the file's name and hash; `keepUntil` is a date there, as the cleaner reads it."""
    metadata: dict[str, Any] = {"sha256": file.sha256, "fileName": request.file_name, **request.metadata}
    if "keepUntil" in metadata:
        metadata["keepUntil"] = datetime.fromisoformat(metadata["keepUntil"])
    return metadata


def _posted(number: str, to: str, request: engine.Send, file: File | None, mentions: list[str]) -> Posted:
    return Posted(
        id=request.message_id,
        author=number,
        to=to if is_group(to) else jid_of(to),
        content=request.content,
        quote=request.quote,
        mentions=mentions,
        file=file,
    )


def _undecryptable(posted: Posted, session: str) -> engine.Undecryptable:
    return engine.Undecryptable(
        session=session,
        connection=0,
        id=posted.id,
        chat=posted.to if is_group(posted.to) else jid_of(posted.author),
        sender=jid_of(posted.author),
        at_ms=posted.at_ms,
    )
