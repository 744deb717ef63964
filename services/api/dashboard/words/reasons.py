"""Why a message failed, by the code of its error; English pages show the stored detail, which says more."""

WORDS: dict[str, tuple[str, str]] = {
    "reason.NOT_CONNECTED": ("The device is not connected.", "Perangkat tidak terhubung."),
    "reason.OUTCOME_UNKNOWN": (
        "WhatsApp never told whether it took the message.",
        "WhatsApp tidak pernah memberi tahu apakah pesan diterima.",
    ),
    "reason.NOT_ON_WHATSAPP": ("This number is not on WhatsApp.", "Nomor ini tidak ada di WhatsApp."),
    "reason.CONTENT_REFUSED": ("This content cannot be sent.", "Isi ini tidak dapat dikirim."),
    "reason.MEDIA_MISSING": (
        "The media file is missing or could not be read.",
        "Berkas media tidak ada atau tidak dapat dibaca.",
    ),
    "reason.REFUSED": ("WhatsApp refused the message.", "WhatsApp menolak pesan ini."),
    "reason.RESTRICTED": ("WhatsApp holds this number's messages back.", "WhatsApp menahan pesan dari nomor ini."),
    "reason.CONTACT_RESTRICTED": (
        "WhatsApp holds messages to this contact back.",
        "WhatsApp menahan pesan untuk kontak ini.",
    ),
    "reason.NEVER_SENT": (
        "The message that it concerns never left.",
        "Pesan yang dimaksud tidak pernah terkirim.",
    ),
    "reason.TEMPORARY": (
        "It could not be sent at that moment.",
        "Saat itu pesan tidak dapat dikirim.",
    ),
    "reason.STALE": ("The device had moved to another replica.", "Perangkat sudah berpindah ke replika lain."),
    "reason.SUSPENDED": ("The device's service was not sure of its lease.", "Layanan perangkat sedang tidak pasti."),
    "reason.EXPIRED": (
        "It was not sent before its time was over.",
        "Tidak terkirim sebelum batas waktunya habis.",
    ),
    "reason.SESSION_DELETED": (
        "The device was deleted before the message was sent.",
        "Perangkat dihapus sebelum pesan terkirim.",
    ),
    "reason.CREDITS_EXHAUSTED": (
        "The credits do not cover the message; send it again when there are more.",
        "Kredit tidak cukup untuk pesan ini; kirim lagi setelah kredit ditambah.",
    ),
}
