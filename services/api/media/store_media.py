"""Media in GridFS: files that belong to one customer and are kept until a date."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import msgspec
from gridfs.asynchronous import AsyncGridFSBucket
from gridfs.errors import NoFile
from pymongo import ASCENDING, IndexModel

from libs.runtime.mongo import Database, Document, from_document, to_document
from services.api.media.decoding import Sound
from services.api.media.ranges import Part
from services.api.times import now

BUCKET = "media"
CHUNK_BYTES = 255 * 1024
CHUNKS_AT_ONCE = 8
INDEXES: dict[str, list[IndexModel]] = {
    "media.files": [
        IndexModel([("metadata.keepUntil", ASCENDING)]),
        IndexModel([("filename", ASCENDING), ("uploadDate", ASCENDING)]),
    ],
    "media.chunks": [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)],
}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What decoding a file told: a picture is whole; `sound` is what is heard in a voice note, None: not measured.

    `made_from` names what the file was converted from: `sha256:<hex>` of the bytes that came, or a medium's id.
    """

    sound: Sound | None = None
    made_from: str | None = None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a medium is: of these sessions alone, or, with None, of the whole account."""

    customer_id: str
    session_ids: tuple[str, ...] | None = None


class StoredMedium(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bucket `media`. `looked` is None before it is decoded; `voice_id` is the voice note made of it."""

    id: str
    customer_id: str
    mimetype: str
    file_name: str | None
    bytes: int
    sha256: str
    looked: Looked | None = None
    voice_id: str | None = None
    session_ids: tuple[str, ...] | None = None
    """As `Owner`; None also for what the version before stored, and for what came in."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(customer_id=self.customer_id, session_ids=self.session_ids)

    def is_open_to(self, session_ids: tuple[str, ...]) -> bool:
        """Whether a key for these sessions may use it."""
        return self.session_ids is None or not set(self.session_ids).isdisjoint(session_ids)

    @property
    def came_as(self) -> str:
        """The hash of the bytes that came, before a conversion."""
        made_from = (self.looked.made_from if self.looked is not None else None) or ""
        return made_from.removeprefix("sha256:") if made_from.startswith("sha256:") else self.sha256


class Upload:
    """A file on its way into the bucket: written piece by piece, then kept or dropped.

    The driver's own GridFS upload gathers 32 MB before it writes, and copies them; this one holds 2 MB. The format is
    that of the GridFS specification.
    """

    def __init__(self, database: Database, media_id: str) -> None:
        self._files, self._chunks = database["media.files"], database["media.chunks"]
        self._hash = hashlib.sha256()
        self._id, self.size, self.kept = media_id, 0, False
        self._rest = bytearray()
        self._written = 0

    async def write(self, piece: bytes) -> None:
        """Add a piece."""
        self._hash.update(piece)
        self.size += len(piece)
        self._rest += piece
        if len(self._rest) >= CHUNK_BYTES * CHUNKS_AT_ONCE:
            await self._store_chunks(len(self._rest) // CHUNK_BYTES * CHUNK_BYTES)

    async def _store_chunks(self, count_bytes: int) -> None:
        """Store so many bytes of the rest; the last chunk may be short."""
        chunks: list[Document] = []
        for start in range(0, count_bytes, CHUNK_BYTES):
            data = bytes(self._rest[start : min(start + CHUNK_BYTES, count_bytes)])
            chunks.append({"files_id": self._id, "n": self._written + len(chunks), "data": data})
        del self._rest[:count_bytes]
        self._written += len(chunks)
        if chunks:
            await self._chunks.insert_many(chunks)

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal."""
        return self._hash.hexdigest()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What was written; nothing may be written after this. Most files are still in memory as a whole."""
        if self._written == 0:
            yield bytes(self._rest)
            return
        await self._store_chunks(len(self._rest))
        async for chunk in self._chunks.find({"files_id": self._id}, {"data": 1}).sort("n", ASCENDING):
            yield chunk["data"]

    async def keep(
        self,
        *,
        owner: Owner,
        mimetype: str,
        file_name: str | None,
        keep_until: datetime,
        looked: Looked | None = None,
    ) -> StoredMedium:
        """Finish the file; when this returns, it is stored."""
        await self._store_chunks(len(self._rest))
        stored = StoredMedium(
            id=self._id,
            customer_id=owner.customer_id,
            session_ids=owner.session_ids,
            mimetype=mimetype,
            file_name=file_name,
            bytes=self.size,
            sha256=self.sha256,
            looked=looked,
        )
        await self._files.insert_one(_document(stored, keep_until))
        self.kept = True
        return stored

    async def drop(self) -> None:
        """Remove what was written so far."""
        if self._written == 0:
            return
        await self._chunks.delete_many({"files_id": self._id})


def _document(stored: StoredMedium, keep_until: datetime) -> Document:
    return {
        "_id": stored.id,
        "filename": stored.file_name or stored.id,
        "length": stored.bytes,
        "chunkSize": CHUNK_BYTES,
        "uploadDate": now(),
        "metadata": {
            "customerId": stored.customer_id,
            **({} if stored.session_ids is None else {"sessionIds": list(stored.session_ids)}),
            "mimetype": stored.mimetype,
            "fileName": stored.file_name,
            "sha256": stored.sha256,
            "keepUntil": keep_until,
            **({} if stored.looked is None else {"looked": to_document(stored.looked)}),
        },
    }


async def note_looked(database: Database, medium: StoredMedium, looked: Looked) -> StoredMedium:
    """Store what decoding the file told; returns the medium with it."""
    change = {"$set": {"metadata.looked": to_document(looked)}}
    await database["media.files"].update_one({"_id": medium.id, "metadata.customerId": medium.customer_id}, change)
    return msgspec.structs.replace(medium, looked=looked)


async def note_voice(database: Database, medium: StoredMedium, note: StoredMedium) -> None:
    """Store which voice note was made of the medium."""
    change = {"$set": {"metadata.voiceId": note.id}}
    await database["media.files"].update_one({"_id": medium.id, "metadata.customerId": medium.customer_id}, change)


async def medium_kept_until(
    database: Database, customer_id: str, media_id: str, keep_until: datetime
) -> StoredMedium | None:
    """The customer's medium, from now on kept at least until then; None when there is none."""
    found = await database["media.files"].find_one_and_update(
        {"_id": media_id, "metadata.customerId": customer_id}, {"$max": {"metadata.keepUntil": keep_until}}
    )
    return None if found is None else _medium(found)


async def medium(database: Database, customer_id: str, media_id: str) -> StoredMedium | None:
    """The customer's medium."""
    found = await database["media.files"].find_one({"_id": media_id, "metadata.customerId": customer_id})
    return None if found is None else _medium(found)


async def pieces(database: Database, media_id: str, part: Part | None = None) -> AsyncGenerator[bytes, None]:
    """The file's bytes, or those of a part, a chunk at a time. Raises gridfs NoFile."""
    file = await AsyncGridFSBucket(database, BUCKET).open_download_stream(media_id)
    left = file.length
    if part is not None:
        await file.seek(part.first)
        left = part.bytes
    while left > 0 and (piece := await file.readchunk()):
        yield piece[:left]
        left -= len(piece)


async def drop_medium(database: Database, media_id: str) -> None:
    """Remove a file; one that is not there is fine."""
    try:
        await AsyncGridFSBucket(database, BUCKET).delete(media_id)
    except NoFile:
        return


async def drop_media_past(database: Database, at: datetime, *, most: int) -> int:
    """Remove files whose time was over at `at`, at most so many; returns how many. May run twice, and at the same time.

    A file that is prolonged meanwhile stays: its entry goes first, on the condition that its time is over still.
    """
    over: Document = {"metadata.keepUntil": {"$lt": at}}
    found = await database["media.files"].find(over, {"_id": 1}).limit(most).to_list()
    dropped = 0
    for file in found:
        result = await database["media.files"].delete_one({"_id": file["_id"], **over})
        if result.deleted_count:
            await database["media.chunks"].delete_many({"files_id": file["_id"]})
            dropped += 1
    return dropped


def _medium(document: Document) -> StoredMedium:
    metadata: dict[str, Any] = document["metadata"]
    return StoredMedium(
        id=document["_id"],
        customer_id=metadata["customerId"],
        mimetype=metadata["mimetype"],
        file_name=metadata.get("fileName"),
        bytes=document["length"],
        sha256=metadata.get("sha256", ""),  # the engine writes incoming media, and knows it only at the end
        looked=from_document(Looked, metadata["looked"]) if "looked" in metadata else None,
        voice_id=metadata.get("voiceId"),
        session_ids=tuple(metadata["sessionIds"]) if "sessionIds" in metadata else None,
    )
