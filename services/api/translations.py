"""Reasons that other services tell in English, in Indonesian: for sentences that are built around them."""

from __future__ import annotations

import re

INDONESIAN: dict[str, str] = {
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
    "another number was linked before WhatsApp told whether it took the message": (
        "nomor lain ditautkan sebelum WhatsApp memberi tahu apakah pesan diterima"
    ),
}
"""By the English words without the full stop; `{}` stands for a number."""

_NUMBER = re.compile(r"[0-9]+")


def in_indonesian(reason: object) -> object:
    """The reason in Indonesian, or as it is where it is not known here."""
    if not isinstance(reason, str):
        return reason
    words = reason.removesuffix(".")
    found = INDONESIAN.get(words) or INDONESIAN.get(_NUMBER.sub("{}", words))
    if found is None:
        return reason
    return found.format(*_NUMBER.findall(words)) + reason[len(words) :]
