"""What became of each person who was to be in a group, in words: the codes are WhatsApp's, as whatsmeow names them."""

from __future__ import annotations

from services.api.sentences import Phrase

REASONS: dict[int, Phrase] = {
    401: Phrase("they have blocked this number", "mereka memblokir nomor ini"),
    403: Phrase("they only join by invitation", "mereka hanya bergabung lewat undangan"),
    404: Phrase("they are not on WhatsApp", "mereka tidak ada di WhatsApp"),
    408: Phrase("they left the group a short while ago", "mereka baru saja keluar dari grup"),
    409: Phrase("they are in the group already", "mereka sudah ada di grup"),
    419: Phrase("the group is full", "grup sudah penuh"),
    500: Phrase("WhatsApp failed; try again", "WhatsApp gagal; coba lagi"),
}
NOT_THERE = Phrase("they are not in the group", "mereka tidak ada di grup")
UNTOLD = Phrase("WhatsApp said nothing of them", "WhatsApp tidak menyebut mereka")
OTHERWISE = Phrase("WhatsApp refused them (code {code})", "WhatsApp menolak mereka (kode {code})")


def reason_of(code: int, *, action: str) -> Phrase:
    """Why this was not done; `action` is `add`, `remove`, `promote` or `demote`."""
    if code == 404 and action != "add":
        return NOT_THERE
    return REASONS.get(code) or OTHERWISE.filled(code=code)
