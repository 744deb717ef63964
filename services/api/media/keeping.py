"""Keeps a file as a medium of a kind: looks at its bytes, tries pictures, and makes voice notes of sound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import Refusal, too_large
from services.api.media import incoming, kinds, store_media
from services.api.media.decoding import Fault, Sound
from services.api.media.kinds import OPUS, Kind
from services.api.media.store_media import Looked, Owner, StoredMedium, Upload
from services.api.media.uploads import ReceivedFile
from services.api.sentences import Phrase
from services.api.times import now

PIECE = 256 * 1024
_FAULTS: dict[Fault, Phrase] = {
    "empty": Phrase("it has no pixels", "tidak memiliki piksel"),
    "huge": Phrase(
        "it has too many pixels; the limit is 64 million", "pikselnya terlalu banyak; batasnya 64 juta piksel"
    ),
    "scans": Phrase(
        "it has too many scans; save it anew, the limit is 100",
        "pindaiannya (scan) terlalu banyak; simpan ulang gambarnya, batasnya 100",
    ),
    "damaged": Phrase("it cannot be decoded; it is damaged or cut off", "tidak dapat dibaca; rusak atau terpotong"),
    "silent": Phrase("it holds no sound", "tidak berisi suara"),
    "long": Phrase("it is longer than an hour", "lebih panjang dari satu jam"),
    "unknown": Phrase("its format cannot be converted", "formatnya tidak dapat dikonversi"),
    "slow": Phrase("decoding it takes too long", "membacanya memakan waktu terlalu lama"),
}
_NO_NOTE = Phrase(
    "no voice note (Ogg with Opus) can be made of it: {fault}",
    "tidak dapat dijadikan pesan suara (Ogg dengan Opus): {fault}",
)


async def keep(edge: Edge, file: ReceivedFile, owner: Owner, kind: Kind, *, convert: bool = True) -> StoredMedium:
    """Keep the file as a medium of this kind; with `convert`, other sound becomes a voice note where one is asked for.

    Raises Refusal when it is none, too large for one, or cannot be decoded.
    """
    mimetype = file.mimetype()
    if convert and kinds.needs_conversion(kind, mimetype):
        check_size(edge, kind, file.upload.size)
        source = f"sha256:{file.upload.sha256}"
        return await _voice_note(edge, owner, file.upload.pieces(), mimetype, made_from=source)
    check(edge, kind, mimetype, file.upload.size)
    if (fault := kinds.misnamed(mimetype, declared=file.declared, file_name=file.name)) is not None:
        raise Refusal(ApiError.INVALID_MEDIA, reason=fault.reason)
    looked = await _looked(edge, kind, file.upload.pieces(), mimetype)
    return await file.upload.keep(
        owner=owner,
        mimetype=mimetype,
        file_name=kinds.name_with_ending(file.name, mimetype),
        keep_until=_keep_until(edge),
        looked=looked,
    )


async def known_medium(edge: Edge, caller: Caller, media_id: str, kind: Kind, *, convert: bool = True) -> StoredMedium:
    """A medium that was uploaded before, or came in, from now on kept as long as a new one; what was found out about it
    stays, so that a file is decoded once for all its recipients.

    Raises Refusal MEDIA_NOT_FOUND, INVALID_MEDIA, PAYLOAD_TOO_LARGE, and what downloading an incoming one may raise.
    """
    medium = await incoming.kept_medium(edge, caller, media_id)
    if convert and kinds.needs_conversion(kind, medium.mimetype):
        return await _known_voice_note(edge, medium)
    check(edge, kind, medium.mimetype, medium.bytes)
    if medium.looked is not None:
        return medium
    looked = await _looked(edge, kind, store_media.pieces(edge.database, medium.id), medium.mimetype)
    return medium if looked is None else await store_media.note_looked(edge.database, medium, looked)


def check(edge: Edge, kind: Kind, mimetype: str, size_bytes: int) -> None:
    """Raises Refusal INVALID_MEDIA or PAYLOAD_TOO_LARGE when this cannot be a medium of this kind."""
    check_size(edge, kind, size_bytes)
    if (fault := kinds.fault_of(kind, mimetype)) is not None:
        raise Refusal(ApiError.INVALID_MEDIA, reason=fault.reason)


def check_size(edge: Edge, kind: Kind, size_bytes: int) -> None:
    """Raises Refusal INVALID_MEDIA for an empty file, PAYLOAD_TOO_LARGE."""
    if size_bytes == 0:
        raise Refusal(ApiError.INVALID_MEDIA, reason=Phrase("it is empty", "kosong"))
    if (large := kinds.size_fault(kind, size_bytes, edge.settings)) is not None:
        raise too_large(large.what, large.limit_bytes)


# --- What is decoded -------------------------------------------------------------------------------------------------


async def _looked(edge: Edge, kind: Kind, file: AsyncIterator[bytes], mimetype: str) -> Looked | None:
    """What is found out by decoding it; None where nothing is. Raises Refusal INVALID_MEDIA for a broken picture.

    A voice note that cannot be measured is sent all the same: whoever made it knows what phones take.
    """
    if kind in ("image", "sticker"):
        if (fault := await edge.decoder.picture_fault(file)) is not None:
            raise Refusal(ApiError.INVALID_MEDIA, reason=_FAULTS[fault])
        return Looked()
    if kind == "voice":
        heard = await edge.decoder.measured(file, mimetype)
        return Looked(sound=heard) if isinstance(heard, Sound) else Looked()
    return None


async def _known_voice_note(edge: Edge, medium: StoredMedium) -> StoredMedium:
    """The voice note that was made of this medium before, or one that is made now."""
    check_size(edge, "voice", medium.bytes)
    if medium.voice_id is not None:
        made = await store_media.medium_kept_until(
            edge.database, medium.customer_id, medium.voice_id, _keep_until(edge)
        )
        if made is not None:
            return made
    file = store_media.pieces(edge.database, medium.id)
    made = await _voice_note(edge, medium.owner, file, medium.mimetype, made_from=medium.id)
    await store_media.note_voice(edge.database, medium, made)
    return made


async def _voice_note(
    edge: Edge, owner: Owner, file: AsyncIterator[bytes], mimetype: str, *, made_from: str
) -> StoredMedium:
    """Make a voice note of the sound and keep it. Raises Refusal INVALID_MEDIA, PAYLOAD_TOO_LARGE."""
    found = await edge.decoder.voice_note(file, mimetype)
    if isinstance(found, str):
        raise Refusal(ApiError.INVALID_MEDIA, reason=_NO_NOTE.filled(fault=_FAULTS[found]))
    sound, made = found
    check(edge, "voice", OPUS, len(made))
    upload = Upload(edge.database, new_id("med"))
    try:
        for start in range(0, len(made), PIECE):
            await upload.write(made[start : start + PIECE])
        looked = Looked(sound=sound, made_from=made_from)
        return await upload.keep(
            owner=owner, mimetype=OPUS, file_name=None, keep_until=_keep_until(edge), looked=looked
        )
    finally:
        if not upload.kept:
            await upload.drop()


def _keep_until(edge: Edge) -> datetime:
    return now() + timedelta(days=edge.settings.media_days)
