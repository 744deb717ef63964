"""The one table of errors: code -> HTTP status and the sentence that people read, in English and Indonesian."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from libs.contracts.errors import ApiError
from services.api.translations import in_indonesian, term_in_indonesian, thing_in_indonesian

LANGUAGES = ("en", "id")


class Sentence(msgspec.Struct, frozen=True):
    """Status and sentences of one code; `{name}` stands for a parameter of the refusal."""

    status: int
    en: str
    id: str


class Phrase(msgspec.Struct, frozen=True):
    """A part of a sentence, such as the reason that a parameter gives."""

    en: str
    id: str

    def __str__(self) -> str:
        return self.en

    @property
    def both(self) -> tuple[str, str]:
        """The phrase in English and in Indonesian."""
        return self.en, self.id

    def in_language(self, language: str) -> str:
        """The phrase in `en` or `id`."""
        return self.id if language == "id" else self.en

    def filled(self, **params: Phrase | str | int) -> Phrase:
        """The phrase with these in the places of its `{names}`; phrases each in its language."""
        return Phrase(*(self.in_language(language).format_map(_said(language, params)) for language in LANGUAGES))


def phrase_of(reason: str | Phrase) -> Phrase:
    """The reason in both languages, its Indonesian found by its English words."""
    return reason if isinstance(reason, Phrase) else Phrase(reason, in_indonesian(reason))


def phrase_of_term(term: str) -> Phrase:
    """A status, a type of message or a span of time, in both languages."""
    return Phrase(term, term_in_indonesian(term))


def _said(language: str, params: dict[str, Phrase | str | int]) -> dict[str, str | int]:
    return {name: each.in_language(language) if isinstance(each, Phrase) else each for name, each in params.items()}


SENTENCES: dict[ApiError, Sentence] = {
    ApiError.VALIDATION_FAILED: Sentence(
        400, "The request is not valid: {reason}.", "Permintaan tidak valid: {reason}."
    ),
    ApiError.MALFORMED_JSON: Sentence(
        400, "The request body is not valid JSON: {reason}.", "Isi permintaan bukan JSON yang valid: {reason}."
    ),
    ApiError.INVALID_PHONE: Sentence(
        400, "The phone number is not valid: {reason}.", "Nomor telepon tidak valid: {reason}."
    ),
    ApiError.INVALID_MEDIA: Sentence(400, "The medium is not valid: {reason}.", "Media tidak valid: {reason}."),
    ApiError.MISSING_CREDENTIALS: Sentence(
        400, "Identifier and password are required.", "Identitas dan kata sandi wajib diisi."
    ),
    ApiError.INVALID_CREDENTIALS: Sentence(401, "Invalid credentials", "Identitas atau kata sandi salah."),
    ApiError.UNAUTHORIZED: Sentence(
        401, "Sign in, or send an API key, to use this.", "Masuk atau kirim API key untuk memakai ini."
    ),
    ApiError.INVALID_TOKEN: Sentence(
        401, "The sign-in has ended; sign in again.", "Sesi masuk telah berakhir; silakan masuk lagi."
    ),
    ApiError.INVALID_API_KEY: Sentence(401, "Invalid API key", "API key tidak valid."),
    ApiError.CREDITS_EXHAUSTED: Sentence(402, "The credits do not cover this.", "Kredit tidak mencukupi."),
    ApiError.FORBIDDEN: Sentence(403, "This is not allowed: {reason}.", "Ini tidak diizinkan: {reason}."),
    ApiError.SESSION_LIMIT_REACHED: Sentence(
        403,
        "Your plan allows {max_sessions} sessions and all are in use.",
        "Paket Anda mengizinkan {max_sessions} sesi dan semuanya sudah terpakai.",
    ),
    ApiError.NO_SUBSCRIPTION: Sentence(
        403,
        "No subscription is active; subscribe to a plan to create and start sessions.",
        "Tidak ada langganan aktif; berlanggananlah untuk membuat dan menjalankan sesi.",
    ),
    ApiError.SUBSCRIPTION_EXPIRED: Sentence(
        403,
        "The subscription ended on {ended}; renew it to create and start sessions. Linked ones stay linked.",
        "Langganan berakhir pada {ended}; perpanjang untuk membuat dan menjalankan sesi. Sesi tertaut tetap tertaut.",
    ),
    ApiError.MESSAGE_LIMIT_REACHED: Sentence(
        403,
        "Your plan's {limit} messages of this month are used up; the next month begins on {resets}.",
        "Kuota {limit} pesan bulan ini sudah habis; bulan berikutnya mulai {resets}.",
    ),
    ApiError.CUSTOMER_SUSPENDED: Sentence(
        403,
        "This account is suspended; its devices stay linked. To go on, ask {contact}.",
        "Akun ini ditangguhkan; perangkatnya tetap tertaut. Untuk melanjutkan, hubungi {contact}.",
    ),
    ApiError.WEBHOOK_LIMIT_REACHED: Sentence(
        403,
        "You have {most} webhooks already, the most there may be.",
        "Anda sudah memiliki {most} webhook, jumlah maksimum.",
    ),
    ApiError.NOT_FOUND: Sentence(404, "There is no such {what}.", "{what} tidak ditemukan."),
    ApiError.ROUTE_NOT_FOUND: Sentence(404, "There is nothing at this path.", "Tidak ada apa pun di alamat ini."),
    ApiError.SESSION_NOT_FOUND: Sentence(404, "There is no such session.", "Sesi tidak ditemukan."),
    ApiError.MESSAGE_NOT_FOUND: Sentence(404, "There is no such message.", "Pesan tidak ditemukan."),
    ApiError.MEDIA_NOT_FOUND: Sentence(404, "There is no such medium.", "Media tidak ditemukan."),
    ApiError.QR_NOT_AVAILABLE: Sentence(
        404, "There is no QR code now: {reason}.", "Tidak ada kode QR sekarang: {reason}."
    ),
    ApiError.METHOD_NOT_ALLOWED: Sentence(
        405, "This path does not take {method}.", "Alamat ini tidak menerima {method}."
    ),
    ApiError.ALREADY_CONNECTED: Sentence(
        400,
        "WhatsApp is already connected. No QR code needed.",
        "WhatsApp sudah terhubung. Kode QR tidak diperlukan.",
    ),
    ApiError.QR_TIMEOUT: Sentence(
        408,
        "QR code generation timeout. Please try again.",
        "Kode QR tidak tersedia tepat waktu. Silakan coba lagi.",
    ),
    ApiError.NOT_READY: Sentence(
        503,
        "WhatsApp client is not ready. Please wait a moment and try again.",
        "Klien WhatsApp belum siap. Tunggu sebentar dan coba lagi.",
    ),
    ApiError.SESSION_NAME_TAKEN: Sentence(
        409, "A session with this name exists already.", "Sesi dengan nama ini sudah ada."
    ),
    ApiError.TEMPLATE_NAME_TAKEN: Sentence(
        409, "A template with this name exists already.", "Templat dengan nama ini sudah ada."
    ),
    ApiError.SESSION_BANNED: Sentence(
        409, "WhatsApp has banned this number: {reason}.", "WhatsApp memblokir nomor ini: {reason}."
    ),
    ApiError.SESSION_NOT_CONNECTED: Sentence(
        409, "The session is not connected to WhatsApp.", "Sesi tidak terhubung ke WhatsApp."
    ),
    ApiError.MESSAGE_NOT_CANCELLABLE: Sentence(
        409,
        "The message can no longer be cancelled; it is {status}.",
        "Pesan tidak dapat dibatalkan lagi; statusnya {status}.",
    ),
    ApiError.MESSAGE_NOT_RETRYABLE: Sentence(
        409,
        "Only a failed, cancelled or expired message can be sent again; this one is {status}.",
        "Hanya pesan yang gagal, dibatalkan atau kedaluwarsa yang dapat dikirim ulang; statusnya {status}.",
    ),
    ApiError.MESSAGE_NOT_EDITABLE: Sentence(
        409, "The message cannot be edited: {reason}.", "Pesan tidak dapat diubah: {reason}."
    ),
    ApiError.MESSAGE_NOT_DELETABLE: Sentence(
        409,
        "The message cannot be deleted for everybody: {reason}.",
        "Pesan tidak dapat dihapus untuk semua: {reason}.",
    ),
    ApiError.MESSAGE_NOT_INCOMING: Sentence(
        409,
        "Only a message that came in can be marked as read.",
        "Hanya pesan masuk yang dapat ditandai sudah dibaca.",
    ),
    ApiError.OTHER_CHAT: Sentence(
        422,
        "A message refers only to one of its own chat: {reason}.",
        "Pesan hanya dapat merujuk chat yang sama: {reason}.",
    ),
    ApiError.OTHER_NUMBER: Sentence(
        409,
        "The message belongs to another number than the one that is linked now, which cannot do this.",
        "Pesan ini milik nomor lain; nomor yang sekarang tertaut tidak dapat melakukan ini.",
    ),
    ApiError.MEDIA_GONE: Sentence(
        404,
        "WhatsApp no longer has this medium; it was not downloaded in time.",
        "Media ini sudah tidak ada di WhatsApp; tidak diunduh pada waktunya.",
    ),
    ApiError.LOOKUPS_LIMITED: Sentence(
        429,
        "WhatsApp limits how many numbers may be looked up now; try again later.",
        "WhatsApp membatasi jumlah nomor yang dapat dicari saat ini; coba lagi nanti.",
    ),
    ApiError.REFUSED_BY_WHATSAPP: Sentence(409, "WhatsApp refused this: {reason}.", "WhatsApp menolak: {reason}."),
    ApiError.NOT_POSSIBLE: Sentence(
        409, "This is not possible now: {reason}.", "Ini tidak dapat dilakukan sekarang: {reason}."
    ),
    ApiError.WHATSAPP_UNREACHABLE: Sentence(
        503,
        "WhatsApp client is not ready: {reason}. Please wait a moment and try again.",
        "Klien WhatsApp belum siap: {reason}. Tunggu sebentar dan coba lagi.",
    ),
    ApiError.SESSION_UNREACHABLE: Sentence(
        503,
        "The session does not answer now: {reason}; try again.",
        "Sesi tidak menjawab sekarang: {reason}; coba lagi.",
    ),
    ApiError.NOT_CONFIRMED: Sentence(
        504,
        "Whether this was done is not known: {reason}; look before you try again.",
        "Belum diketahui apakah ini berhasil: {reason}; periksa dulu sebelum mencoba lagi.",
    ),
    ApiError.ENGINE_UNAVAILABLE: Sentence(
        503,
        "The engine {engine} is not running here; running: {engines}.",
        "Engine {engine} tidak berjalan di sini; yang berjalan: {engines}.",
    ),
    ApiError.PAYLOAD_TOO_LARGE: Sentence(
        413,
        "The {what} is larger than the limit of {limit}.",
        "Ukuran {what} melebihi batas {limit}.",
    ),
    ApiError.HEADERS_TOO_LARGE: Sentence(
        431,
        "The request's headers are larger than the limit of {limit}.",
        "Ukuran header permintaan melebihi batas {limit}.",
    ),
    ApiError.MALFORMED_REQUEST: Sentence(
        400,
        "The request is not valid HTTP: {reason}.",
        "Permintaan bukan HTTP yang sah: {reason}.",
    ),
    ApiError.REQUEST_TIMEOUT: Sentence(
        408,
        "The request came too slowly and was given up; send it again.",
        "Permintaan datang terlalu lambat dan dihentikan; kirim sekali lagi.",
    ),
    ApiError.TOO_MANY_CONNECTIONS: Sentence(
        429,
        "Your address has too many connections open; close some, or use them again.",
        "Alamat Anda membuka terlalu banyak koneksi; tutup sebagian, atau pakai ulang.",
    ),
    ApiError.IDEMPOTENCY_KEY_REUSED: Sentence(
        422,
        "This Idempotency-Key was used with another request.",
        "Idempotency-Key ini sudah dipakai untuk permintaan lain.",
    ),
    ApiError.MESSAGE_FAILED: Sentence(422, "The message failed: {reason}.", "Pesan gagal: {reason}."),
    ApiError.QUEUE_FULL: Sentence(
        429,
        "The session has {limit} messages waiting already; try again later.",
        "Sesi sudah memiliki {limit} pesan yang menunggu; coba lagi nanti.",
    ),
    ApiError.RATE_LIMITED: Sentence(
        429, "Too many requests; try again in a moment.", "Terlalu banyak permintaan; coba lagi sebentar."
    ),
    ApiError.TOO_MANY_ATTEMPTS: Sentence(
        429,
        "Too many attempts; try again in {minutes} min.",
        "Terlalu banyak percobaan; coba lagi dalam {minutes} menit.",
    ),
    ApiError.INTERNAL: Sentence(
        500,
        "Something went wrong here; the request id tells the operator what.",
        "Terjadi kesalahan di server; request id menunjukkan penyebabnya kepada operator.",
    ),
    ApiError.SERVICE_UNAVAILABLE: Sentence(
        503,
        "The service is not available for a moment; try again.",
        "Layanan sedang tidak tersedia; coba lagi sebentar.",
    ),
    ApiError.OUTCOME_UNKNOWN: Sentence(
        503,
        "Whether the message was accepted is not known; repeat the request with this messageId as Idempotency-Key.",
        "Belum diketahui apakah pesan diterima; ulangi permintaan dengan messageId ini sebagai Idempotency-Key.",
    ),
}


class _Named(dict[str, object]):
    """Parameters of a sentence; one that is missing shows its name instead of raising in the middle of a refusal."""

    def __missing__(self, key: str) -> str:
        return key


def sentence(code: ApiError, language: str, params: dict[str, object]) -> str:
    """The sentence of this code in `en` or `id`; a parameter is put in that language too, a Phrase or by its words."""
    row = SENTENCES[code]
    said = _Named({name: _in_language(language, name, value) for name, value in params.items()})
    if language != "id":
        return row.en.format_map(said)
    text = row.id.format_map(said)
    return text[:1].upper() + text[1:]


_TRANSLATED: dict[str, Callable[[str], str]] = {"what": thing_in_indonesian, "status": term_in_indonesian}
"""How parameters of these names are put into Indonesian; the others are reasons."""


def _in_language(language: str, name: str, value: object) -> object:
    if isinstance(value, Phrase):
        return value.in_language(language)
    if language != "id" or not isinstance(value, str):
        return value
    return _TRANSLATED.get(name, in_indonesian)(value)
