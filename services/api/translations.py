"""Reasons that other services tell in English, in Indonesian: for sentences that are built around them."""

from __future__ import annotations

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
}


def in_indonesian(reason: object) -> object:
    """The reason in Indonesian, or as it is where it is not known here."""
    return INDONESIAN.get(reason, reason) if isinstance(reason, str) else reason
