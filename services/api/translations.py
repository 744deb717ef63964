"""Reasons in Indonesian, found by their English words: those of the edge, of its decoders, and of other services.

Reasons are told in English where they are made, and stored so; a sentence of another language translates them. `{}` in
the English words stands for what is repeated as it is (a number, a name, what a customer wrote), `{reason}` for another
reason of these tables, `{term}` for a status or a type, `{word}` for a word without spaces, `{number}` for digits,
`{type}` and `{parameter}` for a term of the decoders.
"""

from __future__ import annotations

import re

import msgspec

from services.api.decoder_reasons import DECODER_REASONS, PARAMETERS, TYPES
from services.api.own_reasons import OWN_REASONS, TERMS, THINGS

TOLD_BY_OTHERS: dict[str, str] = {
    "The session is not connected": "Sesi tidak terhubung",
    "This number is not on WhatsApp": "Nomor ini tidak ada di WhatsApp",
    "The group does not exist, or this number is not in it": "Grup tidak ada, atau nomor ini bukan anggotanya",
    "This is no address that messages can be sent to": "Alamat ini tidak dapat dikirimi pesan",
    "The media file is missing or could not be read": "Berkas media tidak ada atau tidak dapat dibaca",
    "The media file is larger than the 100 MB that can be sent": "Berkas media melebihi batas kirim 100 MB",
    "This content cannot be sent": "Isi ini tidak dapat dikirim",
    "The session's keys could not be read or written": "Kunci sesi tidak dapat dibaca atau ditulis",
    "The session has moved to another replica": "Sesi telah pindah ke replika lain",
    "The session has just moved to another replica": "Sesi baru saja pindah ke replika lain",
    "The connection to WhatsApp was lost before it answered": "Koneksi ke WhatsApp terputus sebelum ada jawaban",
    "WhatsApp did not answer in time": "WhatsApp tidak menjawab tepat waktu",
    "WhatsApp refused this": "WhatsApp menolak ini",
    "This is not possible in the session's present state": "Ini tidak dapat dilakukan dalam keadaan sesi sekarang",
    "WhatsApp does not have this file any more": "Berkas ini sudah tidak ada di WhatsApp",
    "The file is larger than this deployment takes": "Berkas lebih besar dari batas instalasi ini",
    "This number is not in the group, or is not an administrator of it": "Nomor ini bukan anggota atau admin grup itu",
    "There is no such group, or this number is not in it": "Grup itu tidak ada, atau nomor ini bukan anggotanya",
    "WhatsApp does not take this phone number": "WhatsApp tidak menerima nomor telepon ini",
    "WhatsApp gives this number no more codes for a while; try again later": (
        "WhatsApp untuk sementara tidak memberi kode lagi untuk nomor ini; coba lagi nanti"
    ),
    "WhatsApp limits how many numbers may be looked up now": (
        "WhatsApp sedang membatasi jumlah nomor yang boleh diperiksa"
    ),
    "WhatsApp limits how often this may be asked": "WhatsApp membatasi seberapa sering ini boleh ditanyakan",
    "WhatsApp did not say how this recipient is reached": "WhatsApp tidak memberi tahu cara menghubungi penerima ini",
    "WhatsApp did not say how this recipient is reached (code {})": (
        "WhatsApp tidak memberi tahu cara menghubungi penerima ini (kode {})"
    ),
    "The medium is still being uploaded to WhatsApp": "Media masih diunggah ke WhatsApp",
    "WhatsApp did not take the medium's upload": "WhatsApp tidak menerima unggahan media",
    "The message before this one is still on its way": "Pesan sebelumnya masih dalam perjalanan",
    "WhatsApp holds messages to this contact back (code {})": "WhatsApp menahan pesan untuk kontak ini (kode {})",
    "WhatsApp holds this number's messages back (code {})": "WhatsApp menahan pesan dari nomor ini (kode {})",
    "WhatsApp could not take the message now (code {})": "WhatsApp saat itu tidak dapat menerima pesan (kode {})",
    "WhatsApp refused the message (code {})": "WhatsApp menolak pesan ini (kode {})",
    "WhatsApp never told whether it took the message": "WhatsApp tidak pernah memberi tahu apakah pesan diterima",
    "the message was not sent before its time to live ended": "pesan tidak terkirim sebelum batas waktunya habis",
    "the session was deleted before the message was sent": "sesi dihapus sebelum pesan terkirim",
    "the content is gone": "isi pesannya sudah tidak ada",
    "the message that it concerns never left": "pesan yang dimaksud tidak pernah terkirim",
    "it belongs to a number that was linked before; another one is linked now": (
        "ini milik nomor yang dulu tertaut; sekarang nomor lain yang tertaut"
    ),
    "the credits do not cover the message; it can be retried when there are more": (
        "kredit tidak cukup untuk pesan ini; dapat dikirim lagi setelah kredit ditambah"
    ),
    "it waited here for longer than the recipients' phones carry it out": (
        "pesan menunggu di sini lebih lama daripada yang masih dilaksanakan ponsel penerima"
    ),
    "WhatsApp did not confirm the message ({})": "WhatsApp tidak mengonfirmasi pesan ini ({})",
    "{number} credits": "{} kredit",
    "NATS is not connected": "NATS tidak terhubung",
    "it did not answer in time": "tidak menjawab tepat waktu",
    "it refused: {word}": "menolak: {}",
    "another number was linked before WhatsApp told whether it took the message": (
        "nomor lain ditautkan sebelum WhatsApp memberi tahu apakah pesan diterima"
    ),
}

OF_OWNERS: dict[str, str] = {
    "{reason} (code {number})": "{} (kode {})",
    "WhatsApp found something wrong in this": "WhatsApp menemukan kesalahan dalam permintaan ini",
    "WhatsApp does not allow this number to do this": "WhatsApp tidak mengizinkan nomor ini melakukannya",
    "WhatsApp does not know what this is about": "WhatsApp tidak mengenal hal yang dimaksud",
    "WhatsApp limits how often this may be asked; try again later": (
        "WhatsApp membatasi seberapa sering ini boleh ditanyakan; coba lagi nanti"
    ),
    "WhatsApp limits how often this may be done": "WhatsApp membatasi seberapa sering ini boleh dilakukan",
    "WhatsApp failed itself; try again": "WhatsApp sendiri gagal; coba lagi",
    "WhatsApp cannot do this now; try again": "WhatsApp sedang tidak dapat melakukannya; coba lagi",
    "WhatsApp cannot be reached": "WhatsApp tidak dapat dihubungi",
    "WhatsApp did not take that the messages were read": "WhatsApp tidak menerima tanda bahwa pesan sudah dibaca",
    "These messages cannot be marked as read": "Pesan ini tidak dapat ditandai sudah dibaca",
    "The connection to WhatsApp was lost": "Koneksi ke WhatsApp terputus",
    "The message did not leave": "Pesan tidak terkirim",
    "Another sender owns this shard now": "Shard ini sekarang dipegang layanan pengirim lain",
    "The session's owner cannot confirm its lease": "Pemegang sesi tidak dapat memastikan masa sewanya",
    "The session is linked to another number now": "Sesi sekarang tertaut ke nomor lain",
    "The session moves to another replica": "Sesi sedang pindah ke replika lain",
    "Another code was asked for meanwhile": "Sementara itu kode lain telah diminta",
    "The attempt to link has ended; try again": "Percobaan menautkan telah berakhir; coba lagi",
    "WhatsApp's answer was not understood": "Jawaban WhatsApp tidak dipahami",
    "The answer is too large to be given at once": "Jawabannya terlalu besar untuk diberikan sekaligus",
    "The session's engine did not answer": "Mesin sesi tidak menjawab",
    "The session moved to another replica before WhatsApp answered": (
        "Sesi pindah ke replika lain sebelum WhatsApp menjawab"
    ),
    "The session is not running": "Sesi tidak berjalan",
    "The session is being unlinked": "Tautan sesi sedang dilepas",
    "The session's owner cannot confirm that it owns it; try again": (
        "Pemegang sesi tidak dapat memastikan bahwa sesi ini dipegangnya; coba lagi"
    ),
    "At most {number} numbers can be checked at once": "Paling banyak {} nomor dapat diperiksa sekaligus",
    "WhatsApp does not ask for a passkey now": "WhatsApp sedang tidak meminta passkey",
    "A passkey's answer is a WebAuthn assertion as JSON": "Jawaban passkey berupa assertion WebAuthn dalam JSON",
    "WhatsApp gave no pairing code in time; try again": "WhatsApp tidak memberi kode tautan tepat waktu; coba lagi",
    "Something went wrong; try again": "Terjadi kesalahan; coba lagi",
    "This question is not understood here": "Pertanyaan ini tidak dipahami di sini",
    "The service is not complete at the moment; try again": "Layanan sedang tidak lengkap; coba lagi",
    "There is no such webhook": "Webhook itu tidak ada",
    "There is no such delivery": "Kiriman itu tidak ada",
    "The webhook is disabled": "Webhook dinonaktifkan",
    "The session is stopped; start it first": "Sesi berhenti; jalankan dulu",
    "The session is linked already; log it out to link it anew": (
        "Sesi sudah tertaut; keluarkan dulu untuk menautkan ulang"
    ),
    "WhatsApp waits for a passkey; answer it, or start the session again": (
        "WhatsApp menunggu passkey; jawab, atau jalankan lagi sesinya"
    ),
}
"""What owners of sessions and of webhooks answer when they do not do what was asked."""

OF_CONTENT: dict[str, str] = {
    "This content cannot be sent: {reason}": "Isi ini tidak dapat dikirim: {}",
    "that content needs a medium": "isi itu memerlukan media",
    "that content cannot be sent": "isi itu tidak dapat dikirim",
    "the message is too large": "pesannya terlalu besar",
    "a contact needs a name and a vcard": "kontak memerlukan nama dan vCard",
    "a poll needs a question and two options": "jajak pendapat memerlukan pertanyaan dan dua pilihan",
    "a text needs words": "teks tidak boleh kosong",
    "an edit needs words": "pengubahan memerlukan teks",
    "the author of the message that is meant must be the JID of a person": (
        "pengirim pesan yang dimaksud harus JID seseorang"
    ),
    "the message that is meant needs its id": "pesan yang dimaksud memerlukan id-nya",
    "those mentioned must be JIDs of persons": "yang disebut harus JID orang",
}
"""What the engine says of a content that WhatsApp has no message for."""

OF_WEBHOOKS: dict[str, str] = {
    "the endpoint answered {number}": "alamat tujuan menjawab {}",
    "the endpoint answered {number}: redirects are not followed, name the final address": (
        "alamat tujuan menjawab {}: pengalihan tidak diikuti, sebutkan alamat akhirnya"
    ),
    "the endpoint took longer than {} s": "alamat tujuan lebih lama dari {} detik",
    "the request failed": "permintaan gagal",
    "its certificate is not trusted, or it does not speak TLS as it should": (
        "sertifikatnya tidak dipercaya, atau tidak memakai TLS sebagaimana mestinya"
    ),
    "the endpoint cannot be reached": "alamat tujuan tidak dapat dijangkau",
    "the endpoint cannot be reached: {reason}": "alamat tujuan tidak dapat dijangkau: {}",
    "the connection was lost": "koneksi terputus",
    "the endpoint does not speak HTTP as it should": "alamat tujuan tidak memakai HTTP sebagaimana mestinya",
}
"""What is stored of attempts to deliver a webhook."""

OF_CONNECTIONS: dict[str, str] = {
    "it refused the connection": "koneksi ditolak",
    "it broke the connection off": "koneksi diputus",
    "there is no way to its network": "tidak ada rute ke jaringannya",
    "it did not answer the connection": "koneksi tidak dijawab",
    "it does not speak TLS as it should": "tidak memakai TLS sebagaimana mestinya",
    "its certificate is not trusted": "sertifikatnya tidak dipercaya",
    "its certificate is not valid yet": "sertifikatnya belum berlaku",
    "its certificate has expired": "sertifikatnya sudah kedaluwarsa",
    "its certificate is self-signed": "sertifikatnya ditandatangani sendiri",
    "its certificate is signed by an authority that is not known here": (
        "sertifikatnya ditandatangani otoritas yang tidak dikenal di sini"
    ),
    "its certificate is signed by an authority that is not known here, or it does not send the ones between": (
        "sertifikatnya ditandatangani otoritas yang tidak dikenal di sini, atau sertifikat perantaranya tidak dikirim"
    ),
    "its certificate is for another host": "sertifikatnya untuk host lain",
    "its certificate is for another address": "sertifikatnya untuk alamat lain",
}
"""Why no connection was made (`libs/runtime/unreached.py`)."""

INDONESIAN: dict[str, str] = {
    **DECODER_REASONS,
    **OWN_REASONS,
    **TOLD_BY_OTHERS,
    **OF_OWNERS,
    **OF_CONTENT,
    **OF_WEBHOOKS,
    **OF_CONNECTIONS,
}
"""By the English words without the full stop."""

_PLACE = re.compile(r"(?<!\{)\{(|reason|term|word|number|type|parameter)\}")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
MOST_CHARACTERS = 600
"""Longer ones are not looked for: no reason is so long, but what a customer wrote may be."""
MOST_NESTED = 3


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """English words with places: the literal `pieces` around them, and what may stand in each (`kinds`)."""

    pieces: tuple[str, ...]
    kinds: tuple[str, ...]
    indonesian: str

    def values_in(self, words: str) -> list[str] | None:
        """What stands in the places, or None where the words are others. Takes linear time."""
        first, *between, last = self.pieces
        if not words.startswith(first) or not words.endswith(last) or len(words) < len(first) + len(last):
            return None
        rest, values = words[len(first) : len(words) - len(last)], list[str]()
        for piece in between:
            value, found, rest = rest.partition(piece)
            if not found:
                return None
            values.append(value)
        values.append(rest)
        return values if all(values) else None


def pattern_of(english: str, indonesian: str) -> Pattern:
    """The pattern of an entry with places."""
    parts = _PLACE.split(english)
    return Pattern(pieces=tuple(parts[::2]), kinds=tuple(parts[1::2]), indonesian=indonesian)


_PATTERNS = sorted(
    (pattern_of(english, indonesian) for english, indonesian in INDONESIAN.items() if _PLACE.search(english)),
    key=lambda pattern: ("reason" not in pattern.kinds, -sum(map(len, pattern.pieces))),
)
"""Those that hold a known reason stand first, then those with the most words."""


def in_indonesian(reason: str) -> str:
    """The reason in Indonesian, or as it is where it is not known here."""
    words = reason.removesuffix(".")
    found = _known(words, MOST_NESTED)
    return reason if found is None else found + reason[len(words) :]


def thing_in_indonesian(thing: str) -> str:
    """What was not found, or is too large, in Indonesian."""
    return THINGS.get(thing, thing)


def term_in_indonesian(term: str) -> str:
    """A status, a type of message or a span of time in Indonesian."""
    return TERMS.get(term, term)


def _known(words: str, nested: int) -> str | None:
    exact = INDONESIAN.get(words)
    if exact is not None:
        return exact.format()
    if len(words) > MOST_CHARACTERS or nested == 0:
        return None
    return next((found for pattern in _PATTERNS if (found := _filled(pattern, words, nested)) is not None), None)


def _filled(pattern: Pattern, words: str, nested: int) -> str | None:
    values = pattern.values_in(words)
    if values is None:
        return None
    said = [_value(kind, value, nested) for kind, value in zip(pattern.kinds, values, strict=True)]
    known = [each for each in said if each is not None]
    return pattern.indonesian.format(*known) if len(known) == len(said) else None


def _value(kind: str, value: str, nested: int) -> str | None:
    """What stands in a place of this kind, in Indonesian; None where it cannot stand there."""
    match kind:
        case "reason":
            return _known(value, nested - 1)
        case "term":
            return TERMS.get(value)
        case "word":
            return None if " " in value else value
        case "number":
            return value if value.isdecimal() else None
        case "type":
            return _all_of(TYPES, value)
        case "parameter":
            return PARAMETERS.get(value)
        case _:
            return value.replace(",", ".") if _GROUPED.fullmatch(value) else value


def _all_of(terms: dict[str, str], value: str) -> str | None:
    """`str | null` as "teks atau null"; None where a term is not known."""
    said = [terms.get(each) for each in value.split(" | ")]
    known = [each for each in said if each is not None]
    return " atau ".join(known) if len(known) == len(said) else None
