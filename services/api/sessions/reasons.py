"""Why a session is as it is, in sentences, from the words that its owner stores."""

from __future__ import annotations

import re

from libs.contracts.records import SessionState
from libs.contracts.stages import CONNECT_FAILED
from services.api.sentences import Phrase

UNREACHED: dict[str, Phrase] = {
    "dns": Phrase("its name was not found (DNS)", "namanya tidak ditemukan (DNS)"),
    "refused": Phrase("the connection was refused", "koneksi ditolak"),
    "unreachable": Phrase("there is no way to its network", "tidak ada rute ke jaringannya"),
    "timeout": Phrase("it did not answer in time", "tidak menjawab tepat waktu"),
    "tls": Phrase("the encrypted connection failed (TLS)", "koneksi terenkripsi gagal (TLS)"),
    "answer": Phrase("something else answered in its place", "yang menjawab bukan WhatsApp"),
    "cut": Phrase("the connection was cut while it was made", "koneksi terputus saat dibuat"),
    "proxy_auth": Phrase("the proxy refused its name or password", "proksi menolak nama atau kata sandinya"),
    "proxy_dns": Phrase("the proxy's name was not found (DNS)", "nama proksi tidak ditemukan (DNS)"),
    "proxy_refused": Phrase("the proxy refused the connection", "proksi menolak koneksi"),
    "proxy_unreachable": Phrase("there is no way to the proxy's network", "tidak ada rute ke jaringan proksi"),
    "proxy_timeout": Phrase("the proxy did not answer in time", "proksi tidak menjawab tepat waktu"),
    "proxy_tls": Phrase(
        "the encrypted connection to the proxy failed (TLS)", "koneksi terenkripsi ke proksi gagal (TLS)"
    ),
    "proxy_cut": Phrase("the proxy cut the connection", "proksi memutus koneksi"),
    "proxy_not_allowed": Phrase("the proxy's address is not allowed here", "alamat proksi tidak diizinkan di sini"),
    "proxy_other": Phrase("the proxy did not let the connection through", "proksi tidak meneruskan koneksi"),
    "engine": Phrase("the engine of this service is not running", "mesin layanan ini tidak berjalan"),
}
UNREACHED_PLAIN = Phrase("WhatsApp cannot be reached", "WhatsApp tidak dapat dihubungi")

REASONS: dict[str, Phrase] = {
    "paired": Phrase(
        "The phone has linked this session; keys are being exchanged",
        "Ponsel telah menautkan sesi ini; kunci sedang dipertukarkan",
    ),
    "owner_changed": Phrase("The session has moved to another replica", "Sesi telah pindah ke replika lain"),
    "engine_restarted": Phrase("The engine was started again", "Mesin dimulai ulang"),
    "proxy_changed": Phrase("It connects through its new proxy", "Sesi terhubung melalui proksi baru"),
    "dropped": Phrase("The connection to WhatsApp was lost", "Koneksi ke WhatsApp terputus"),
    "keepalive": Phrase("WhatsApp stopped answering", "WhatsApp berhenti menjawab"),
    "pair_timeout": Phrase(
        "The phone has linked this session, but the login did not follow",
        "Ponsel telah menautkan sesi ini, tetapi login tidak menyusul",
    ),
    "server_error": Phrase("WhatsApp ended the connection (code {code})", "WhatsApp mengakhiri koneksi (kode {code})"),
    "store": Phrase("The session's keys could not be read or written", "Kunci sesi tidak dapat dibaca atau ditulis"),
    "fenced": Phrase("The session has moved to another replica", "Sesi telah pindah ke replika lain"),
    "qr_expired": Phrase("Nobody scanned the code in time", "Tidak ada yang memindai kode tepat waktu"),
    "passkey_expired": Phrase(
        "Nobody answered with the passkey in time", "Tidak ada yang menjawab passkey tepat waktu"
    ),
    "challenge": Phrase("WhatsApp asks for a passkey", "WhatsApp meminta passkey"),
    "compare_code": Phrase("Compare the code on both screens", "Bandingkan kode di kedua layar"),
    "refused": Phrase(
        "WhatsApp did not take the passkey's answer; try again", "WhatsApp menolak jawaban passkey; coba lagi"
    ),
    "logout": Phrase("The device was unlinked", "Perangkat telah dilepas tautannya"),
    "logout_unconfirmed": Phrase(
        "The device was unlinked here; WhatsApp has not confirmed it, so look at the phone's linked devices",
        "Tautan dilepas di sini; WhatsApp belum mengonfirmasi, jadi periksa perangkat tertaut di ponsel",
    ),
    "unlinked_401": Phrase("The phone has ended the link", "Ponsel telah memutus tautan"),
    "unlinked": Phrase("WhatsApp has ended the link (code {code})", "WhatsApp telah memutus tautan (kode {code})"),
    "replaced": Phrase(
        "Another client took the connection over; it is tried again in a minute",
        "Klien lain mengambil alih koneksi; dicoba lagi dalam satu menit",
    ),
    "replaced_elsewhere": Phrase(
        "Another client takes the connection over again and again",
        "Klien lain terus mengambil alih koneksi",
    ),
    "client_outdated": Phrase(
        "WhatsApp refuses this version of the service; its operator has to update it",
        "WhatsApp menolak versi layanan ini; pengelola harus memperbaruinya",
    ),
    "proxy_unreadable": Phrase(
        "The session's proxy cannot be read with this deployment's keys; set it again",
        "Proksi sesi tidak dapat dibaca dengan kunci instalasi ini; atur lagi",
    ),
    "proxy_not_allowed": Phrase(
        "This deployment does not connect to the address of the session's proxy; set another one, "
        "or ask the operator to allow it (MERPATI_PROXY_ALLOWED)",
        "Instalasi ini tidak terhubung ke alamat proksi sesi; atur proksi lain, "
        "atau minta operator mengizinkannya (MERPATI_PROXY_ALLOWED)",
    ),
    "bad_request": Phrase("The session's proxy is not valid; set it again", "Proksi sesi tidak valid; atur lagi"),
    "banned_101": Phrase("it wrote to too many people", "menulis ke terlalu banyak orang"),
    "banned_102": Phrase("too many people blocked it", "terlalu banyak orang memblokirnya"),
    "banned_103": Phrase("it made too many groups", "membuat terlalu banyak grup"),
    "banned_104": Phrase("it sent the same message too often", "mengirim pesan yang sama terlalu sering"),
    "banned_106": Phrase(
        "it wrote to too many people by broadcast lists", "menulis ke terlalu banyak orang lewat siaran"
    ),
    "banned": Phrase("WhatsApp gives the code {code}", "WhatsApp memberi kode {code}"),
}
"""The bans' codes are whatsmeow's `TempBanReason`; each text follows "WhatsApp has banned this number"."""
_CODED = re.compile(r"(server_error|unlinked|banned)[:_](\w+)")


def why(state: SessionState | None) -> Phrase | None:
    """Why the session is in this state, without the full stop, so that it can stand within a sentence.

    None when its owner gave no reason. A word not known here is told as it is.
    """
    if state is None or state.reason is None:
        return None
    if state.reason == CONNECT_FAILED:
        return unreached(state.cause)
    if state.reason in REASONS:
        return REASONS[state.reason]
    coded = _CODED.fullmatch(state.reason)
    return REASONS[coded[1]].filled(code=coded[2]) if coded else Phrase(state.reason, state.reason)


def why_in(state: SessionState | None, language: str) -> str:
    """The same in this language; empty when its owner gave no reason."""
    said = why(state)
    return "" if said is None else said.in_language(language)


def unreached(cause: str | None) -> Phrase:
    """That WhatsApp cannot be reached, and why where that is known."""
    known = UNREACHED.get(cause or "")
    if known is None:
        return UNREACHED_PLAIN
    return Phrase("{plain}: {known}", "{plain}: {known}").filled(plain=UNREACHED_PLAIN, known=known)
