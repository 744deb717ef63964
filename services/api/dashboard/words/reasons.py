"""Why a message failed, by the code of its error: for details that are not known in the page's language."""

WORDS: dict[str, tuple[str, str]] = {
    "reason.NOT_CONNECTED": ("The device is not connected.", "Perangkat tidak terhubung."),
    "reason.OUTCOME_UNKNOWN": (
        "WhatsApp never told whether it took the message.",
        "WhatsApp tidak pernah memberi tahu apakah pesan diterima.",
    ),
    "reason.NOT_ON_WHATSAPP": ("This number is not on WhatsApp.", "Nomor ini tidak ada di WhatsApp."),
    "reason.GROUP_NOT_FOUND": (
        "The group does not exist, or this number is not in it.",
        "Grup tidak ada, atau nomor ini bukan anggotanya.",
    ),
    "reason.RECIPIENT_REFUSED": (
        "This is no address that messages can be sent to.",
        "Alamat ini tidak dapat dikirimi pesan.",
    ),
    "reason.MEDIA_TOO_LARGE": ("The file is too large to be sent.", "Berkas terlalu besar untuk dikirim."),
    "reason.OTHER_NUMBER": (
        "It belongs to a number that was linked before.",
        "Ini milik nomor yang dulu tertaut.",
    ),
    "reason.LOOKUP_LIMITED": (
        "WhatsApp limits how many numbers may be looked up.",
        "WhatsApp membatasi jumlah nomor yang boleh diperiksa.",
    ),
    "reason.LOOKUP_FAILED": (
        "WhatsApp did not say how this recipient is reached.",
        "WhatsApp tidak memberi tahu cara menghubungi penerima ini.",
    ),
    "reason.NOT_UPLOADED": ("WhatsApp did not take the file.", "WhatsApp tidak menerima berkasnya."),
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
