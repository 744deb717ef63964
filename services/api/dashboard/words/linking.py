"""Sentences of the link dialog's stages, and why a link does not go on."""

from services.api.sessions.reasons import REASONS, UNREACHED, UNREACHED_PLAIN

_SAID: dict[str, tuple[str, str]] = {
    "link.stages": ("Stages of the link", "Tahap penautan"),
    "link.stage_reaching": ("Reaching", "Koneksi"),
    "link.stage_code": ("Code", "Kode"),
    "link.stage_scanned": ("Scanned", "Dipindai"),
    "link.stage_keys": ("Keys", "Kunci"),
    "link.stage_connected": ("Connected", "Terhubung"),
    "link.no_code": ("No code now", "Belum ada kode"),
    "link.keys": ("The phone has scanned", "Ponsel telah memindai"),
    "link.keys_lead": (
        "Keep WhatsApp open on the phone until the device is connected.",
        "Biarkan WhatsApp terbuka di ponsel sampai perangkat terhubung.",
    ),
    "js.link.at_reaching": ("Reaching WhatsApp …", "Menghubungi WhatsApp …"),
    "js.link.at_code": ("WhatsApp answers: link the phone now.", "WhatsApp menjawab: tautkan ponsel sekarang."),
    "js.link.at_scanned": ("Scanned; WhatsApp asks for a passkey.", "Dipindai; WhatsApp meminta passkey."),
    "js.link.at_keys": ("Scanned; keys are being exchanged …", "Dipindai; kunci sedang dipertukarkan …"),
    "js.link.at_connected": ("Linked", "Tertaut"),
    "js.link.goes_on": ("{reason}. It is tried again by itself.", "{reason}. Dicoba lagi otomatis."),
    "js.link.banned": ("WhatsApp has banned this number: {reason}.", "WhatsApp memblokir nomor ini: {reason}."),
    "js.link.retry": ("Retry", "Coba lagi"),
    "js.link.again": ("Ask for a new code", "Minta kode baru"),
    "js.link.unreached": UNREACHED_PLAIN.both,
}
WORDS: dict[str, tuple[str, str]] = {
    **_SAID,
    **{f"js.link.cause.{cause}": said.both for cause, said in UNREACHED.items()},
    **{f"js.link.why.{reason}": said.both for reason, said in REASONS.items()},
}
"""The causes and reasons are those that the API tells: a frame names them by their codes."""
