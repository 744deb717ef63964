"""Why a session is as it is, in sentences, from the words that its owner stores."""

from __future__ import annotations

import re

from libs.contracts.records import SessionState
from libs.contracts.stages import CONNECT_FAILED

Said = tuple[str, str]
"""English, Indonesian; without the full stop, so that it can stand within a sentence."""

UNREACHED: dict[str, Said] = {
    "dns": ("its name was not found (DNS)", "namanya tidak ditemukan (DNS)"),
    "refused": ("the connection was refused", "koneksi ditolak"),
    "unreachable": ("there is no way to its network", "tidak ada rute ke jaringannya"),
    "timeout": ("it did not answer in time", "tidak menjawab tepat waktu"),
    "tls": ("the encrypted connection failed (TLS)", "koneksi terenkripsi gagal (TLS)"),
    "answer": ("something else answered in its place", "yang menjawab bukan WhatsApp"),
    "cut": ("the connection was cut while it was made", "koneksi terputus saat dibuat"),
    "proxy_auth": ("the proxy refused its name or password", "proksi menolak nama atau kata sandinya"),
    "proxy_dns": ("the proxy's name was not found (DNS)", "nama proksi tidak ditemukan (DNS)"),
    "proxy_refused": ("the proxy refused the connection", "proksi menolak koneksi"),
    "proxy_unreachable": ("there is no way to the proxy's network", "tidak ada rute ke jaringan proksi"),
    "proxy_timeout": ("the proxy did not answer in time", "proksi tidak menjawab tepat waktu"),
    "proxy_tls": ("the encrypted connection to the proxy failed (TLS)", "koneksi terenkripsi ke proksi gagal (TLS)"),
    "proxy_cut": ("the proxy cut the connection", "proksi memutus koneksi"),
    "proxy_other": ("the proxy did not let the connection through", "proksi tidak meneruskan koneksi"),
    "engine": ("the engine of this service is not running", "mesin layanan ini tidak berjalan"),
}
UNREACHED_PLAIN: Said = ("WhatsApp cannot be reached", "WhatsApp tidak dapat dihubungi")

REASONS: dict[str, Said] = {
    "paired": (
        "The phone has linked this session; keys are being exchanged",
        "Ponsel telah menautkan sesi ini; kunci sedang dipertukarkan",
    ),
    "owner_changed": ("The session has moved to another replica", "Sesi telah pindah ke replika lain"),
    "engine_restarted": ("The engine was started again", "Mesin dimulai ulang"),
    "proxy_changed": ("It connects through its new proxy", "Sesi terhubung melalui proksi baru"),
    "dropped": ("The connection to WhatsApp was lost", "Koneksi ke WhatsApp terputus"),
    "keepalive": ("WhatsApp stopped answering", "WhatsApp berhenti menjawab"),
    "pair_timeout": (
        "The phone has linked this session, but the login did not follow",
        "Ponsel telah menautkan sesi ini, tetapi login tidak menyusul",
    ),
    "server_error": ("WhatsApp ended the connection (code {code})", "WhatsApp mengakhiri koneksi (kode {code})"),
    "store": ("The session's keys could not be read or written", "Kunci sesi tidak dapat dibaca atau ditulis"),
    "fenced": ("The session has moved to another replica", "Sesi telah pindah ke replika lain"),
    "qr_expired": ("Nobody scanned the code in time", "Tidak ada yang memindai kode tepat waktu"),
    "passkey_expired": ("Nobody answered with the passkey in time", "Tidak ada yang menjawab passkey tepat waktu"),
    "challenge": ("WhatsApp asks for a passkey", "WhatsApp meminta passkey"),
    "compare_code": ("Compare the code on both screens", "Bandingkan kode di kedua layar"),
    "refused": ("WhatsApp did not take the passkey's answer; try again", "WhatsApp menolak jawaban passkey; coba lagi"),
    "logout": ("The device was unlinked", "Perangkat telah dilepas tautannya"),
    "logout_unconfirmed": (
        "The device was unlinked here; WhatsApp has not confirmed it, so look at the phone's linked devices",
        "Tautan dilepas di sini; WhatsApp belum mengonfirmasi, jadi periksa perangkat tertaut di ponsel",
    ),
    "unlinked_401": ("The phone has ended the link", "Ponsel telah memutus tautan"),
    "unlinked": ("WhatsApp has ended the link (code {code})", "WhatsApp telah memutus tautan (kode {code})"),
    "replaced": (
        "Another client took the connection over; it is tried again in a minute",
        "Klien lain mengambil alih koneksi; dicoba lagi dalam satu menit",
    ),
    "replaced_elsewhere": (
        "Another client takes the connection over again and again",
        "Klien lain terus mengambil alih koneksi",
    ),
    "client_outdated": (
        "WhatsApp refuses this version of the service; its operator has to update it",
        "WhatsApp menolak versi layanan ini; pengelola harus memperbaruinya",
    ),
    "proxy_unreadable": (
        "The session's proxy cannot be read with this deployment's keys; set it again",
        "Proksi sesi tidak dapat dibaca dengan kunci instalasi ini; atur lagi",
    ),
    "bad_request": ("The session's proxy is not valid; set it again", "Proksi sesi tidak valid; atur lagi"),
    "banned_101": ("it wrote to too many people", "menulis ke terlalu banyak orang"),
    "banned_102": ("too many people blocked it", "terlalu banyak orang memblokirnya"),
    "banned_103": ("it made too many groups", "membuat terlalu banyak grup"),
    "banned_104": ("it sent the same message too often", "mengirim pesan yang sama terlalu sering"),
    "banned_106": ("it wrote to too many people by broadcast lists", "menulis ke terlalu banyak orang lewat siaran"),
    "banned": ("WhatsApp gives the code {code}", "WhatsApp memberi kode {code}"),
}
"""The bans' codes are whatsmeow's `TempBanReason`; each text follows "WhatsApp has banned this number"."""
_CODED = re.compile(r"(server_error|unlinked|banned)[:_](\w+)")


def why(state: SessionState | None, language: str) -> str | None:
    """Why the session is in this state; None when its owner gave no reason. A word not known here is told as it is."""
    if state is None or state.reason is None:
        return None
    if state.reason == CONNECT_FAILED:
        return unreached(state.cause, language)
    column = _column(language)
    if state.reason in REASONS:
        return REASONS[state.reason][column]
    coded = _CODED.fullmatch(state.reason)
    return REASONS[coded[1]][column].format(code=coded[2]) if coded else state.reason


def unreached(cause: str | None, language: str) -> str:
    """That WhatsApp cannot be reached, and why where that is known."""
    plain, known = UNREACHED_PLAIN[_column(language)], UNREACHED.get(cause or "")
    return plain if known is None else f"{plain}: {known[_column(language)]}"


def _column(language: str) -> int:
    return 1 if language == "id" else 0
