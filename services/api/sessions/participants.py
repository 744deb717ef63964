"""What became of each person who was to be in a group, in words: the codes are WhatsApp's, as whatsmeow names them."""

from __future__ import annotations

Said = tuple[str, str]
"""English, Indonesian."""

REASONS: dict[int, Said] = {
    401: ("they have blocked this number", "mereka memblokir nomor ini"),
    403: ("they only join by invitation", "mereka hanya bergabung lewat undangan"),
    404: ("they are not on WhatsApp", "mereka tidak ada di WhatsApp"),
    408: ("they left the group a short while ago", "mereka baru saja keluar dari grup"),
    409: ("they are in the group already", "mereka sudah ada di grup"),
    419: ("the group is full", "grup sudah penuh"),
    500: ("WhatsApp failed; try again", "WhatsApp gagal; coba lagi"),
}
NOT_THERE: Said = ("they are not in the group", "mereka tidak ada di grup")
UNTOLD: Said = ("WhatsApp said nothing of them", "WhatsApp tidak menyebut mereka")
OTHERWISE: Said = ("WhatsApp refused them (code {code})", "WhatsApp menolak mereka (kode {code})")
WITHOUT: Said = (
    "Group created without {left_out} of {asked}: see participants",
    "Grup dibuat tanpa {left_out} dari {asked}: lihat participants",
)


def reason_of(code: int, *, action: str, language: str) -> str:
    """Why this was not done; `action` is `add`, `remove`, `promote` or `demote`."""
    said = NOT_THERE if code == 404 and action != "add" else REASONS.get(code, OTHERWISE)
    return in_language(said, language).format(code=code)


def without(left_out: int, asked: int, language: str) -> str:
    """That a group was made, and how many are not in it."""
    return in_language(WITHOUT, language).format(left_out=left_out, asked=asked)


def in_language(said: Said, language: str) -> str:
    """The sentence in `en` or `id`."""
    return said[1] if language == "id" else said[0]
