"""Every reason that the edge gives is known in Indonesian, and so is what its decoders say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from libs.contracts.errors import ApiError
from libs.runtime.targets import PRIVATE
from libs.runtime.unreached import CERTIFICATE, CERTIFICATES, NO_TLS, SOCKETS
from services.api.errors import Refusal, envelope, invalid, refusal_of, too_large
from services.api.own_reasons import THINGS
from services.api.sentences import Phrase
from services.api.translations import INDONESIAN, in_indonesian
from services.api.web.bodies import malformed
from tests.unit.api.reasons_in_code import Reason, contents, details, reasons, sentences

KNOWN = {re.sub(r"\{(reason|term|word|number|type|parameter)\}", "{}", words) for words in INDONESIAN}
FOUND = list(reasons())
PASSED_ON = {
    "_half_at(offset, body)",
    "_LENGTH",
    "_LIKE_AN_ID",
    "_SLASH",
    "_UNPRINTABLE",
    "said",
    "_FAULTS[fault]",
    "_NO_NOTE.filled(fault=_FAULTS[found])",
    "_PATH_IN_REASON.sub('', reason)",
    "_fault_of_literal(host)",
    "_not_utf8(error.start, body)",
    "_not_utf8(error.start, value)",
    "_reason(codes, jid, action)",
    "_with_choices(reason, taken.choices(path))",
    "_without_code(seen)",
    "confirmations.ALREADY_CONNECTED",
    "confirmations.QR_NOT_READY",
    "_word('done', row.action, say)",
    "error['message'].rstrip('.')",
    "phrase_of_term(str(shown['status']))",
    "data.reason",
    "each.reason",
    "entry.reason",
    "error.detail[:MOST_REASON].rstrip('.')",
    "error.reason",
    "fault",
    "fault.reason",
    "first",
    "found.detail.rstrip('.')",
    "found.reason",
    "found.said",
    "grant.reason",
    "large.what",
    "inline.reason",
    "kind",
    "next((fault for fault in faults.values() if fault), 'it has no address')",
    "properties.reason",
    "reason",
    "said[:200].rstrip('.')",
    "self.reason",
    "seen.state.reason",
    "state.reason",
    "str(error)",
    "unreached(cause)",
    "what",
    "why(seen.state)",
}
"""Made elsewhere: by a rule or a call that the search knows, by a decoder, by another service, or as a Phrase."""


def is_known(reason: Reason) -> bool:
    words = (reason.words or "").rstrip(".")
    if reason.of == "what":
        return words in THINGS
    return words in KNOWN or in_indonesian(words) != words


def test_the_search_finds_reasons() -> None:
    assert len({each.words for each in FOUND}) > 150


def test_every_reason_of_the_edge_is_known_in_indonesian() -> None:
    assert {(each.place, each.words) for each in FOUND if each.words is not None and not is_known(each)} == set()


def test_a_reason_is_a_constant_or_is_made_where_the_search_sees_it() -> None:
    assert {(each.place, each.told) for each in FOUND if each.words is None and each.told not in PASSED_ON} == set()


def test_every_detail_of_the_other_services_is_known_in_indonesian() -> None:
    found = {each.words for each in details() if each.words is not None} - {"{} (code {})."}
    assert {words for words in found if in_indonesian(sample := words.replace("{}", "7")) == sample} == set()
    assert len(found) > 20


@pytest.mark.parametrize("said", sorted({*SOCKETS.values(), *CERTIFICATES.values(), CERTIFICATE, NO_TLS}))
def test_why_no_connection_was_made_is_known_in_indonesian(said: str) -> None:
    for reason in (said, f"the endpoint cannot be reached: {said}"):
        assert in_indonesian(reason) != reason
    fetching = f"it could not be fetched: the server cannot be reached: {said}"
    assert in_indonesian(fetching) == f"tidak dapat diambil: server tidak terjangkau: {in_indonesian(said)}"


FOR_PROGRAMS = {"This is a test of your webhook."}
"""Sentences that only the receiver of a webhook gets."""


def test_every_sentence_of_the_other_services_is_known_in_indonesian() -> None:
    """Each may become the detail of a failure, wherever it stands now."""
    found = set(sentences())
    told = {(place, words, words.format(status=403)) for place, words in found if words not in FOR_PROGRAMS}
    assert {(place, words) for place, words, sample in told if in_indonesian(sample) == sample} == set()
    assert len(found) > 60


def test_why_a_content_cannot_be_sent_is_known_in_indonesian() -> None:
    told = {f"This content cannot be sent: {words}." for words in contents()}
    assert {each for each in told if in_indonesian(each) == each} == set()
    assert len(contents()) > 5


def test_a_detail_with_a_code_is_known_where_its_words_are() -> None:
    assert in_indonesian("WhatsApp refused this (code 403).") == "WhatsApp menolak ini (kode 403)."
    assert in_indonesian("Something new (code 403).") == "Something new (code 403)."


@pytest.mark.parametrize("english", INDONESIAN)
def test_the_languages_have_the_same_places(english: str) -> None:
    places = re.findall(r"(?<!\{)\{(?:|reason|term|word|number|type|parameter)\}", english)
    values = [f"<{number}>" for number in range(len(places))]
    said = INDONESIAN[english].format(*values)
    assert all(value in said for value in values)
    assert said != english


# --- Decoders --------------------------------------------------------------------------------------------------------


class Poll(msgspec.Struct, tag_field="type", tag="poll"):
    options: Annotated[list[str], Meta(max_length=2)]


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: Annotated[str, Meta(min_length=2, max_length=4)]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    content: Poll | Text | None = None
    role: Literal["owner", "member"] = "owner"
    amount: Annotated[int, Meta(ge=1, le=9)] = 1
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    at: datetime | None = None
    zoned: Annotated[datetime, Meta(tz=True)] = datetime.min.replace(tzinfo=UTC)
    pair: tuple[str, str] = ("", "")
    few: Annotated[list[str], Meta(min_length=1)] = []
    tags: dict[str, str] = {}
    digits: Annotated[str, Meta(pattern="^[0-9]+$")] = "1"
    given: bool = False


BODIES = {
    '{"role": 1}': "role: harus berupa teks, bukan bilangan bulat",
    '{"role": "boss"}': "role: nilai 'boss' tidak dikenal",
    '{"given": "x"}': "given: harus berupa true atau false, bukan teks",
    '{"amount": 0}': "amount: harus bilangan bulat minimal 1",
    '{"amount": 10}': "amount: harus bilangan bulat maksimal 9",
    '{"amount": 1.5}': "amount: harus berupa bilangan bulat, bukan angka",
    '{"amount": 99999999999999999999999}': "amount: harus bilangan bulat maksimal 9",
    '{"ratio": 0}': "ratio: harus angka di atas 0.0",
    '{"ratio": 1}': "ratio: harus angka di bawah 1.0",
    '{"at": "x"}': "at: tanggal dan waktu harus ditulis menurut RFC 3339",
    '{"at": 1}': "at: harus berupa tanggal dan waktu atau null, bukan bilangan bulat",
    '{"zoned": "2026-01-01T00:00:00"}': "zoned: harus tanggal dan waktu dengan zona waktu",
    '{"pair": ["a"]}': "pair: panjang daftar harus 2",
    '{"few": []}': "few: panjang daftar minimal 1",
    '{"few": [1]}': "few[0]: harus berupa teks, bukan bilangan bulat",
    '{"tags": {"a": 1}}': "tags[...]: harus berupa teks, bukan bilangan bulat",
    '{"tags": []}': "tags: harus berupa objek, bukan daftar",
    '{"digits": "x"}': "digits: harus teks yang cocok dengan pola '^[0-9]+$'",
    '{"more": 1}': "kolom `more` tidak dikenal",
    '{"content": {}}': "content: kolom `type` wajib diisi",
    '{"content": {"type": "letter"}}': "content.type: nilai 'letter' tidak dikenal",
    '{"content": {"type": "text"}}': "content: kolom `text` wajib diisi",
    '{"content": {"type": "text", "text": "a"}}': "content.text: panjang teks minimal 2",
    '{"content": {"type": "text", "text": "abcde"}}': "content.text: panjang teks maksimal 4",
    '{"content": {"type": "poll", "options": ["a", "b", "c"]}}': "content.options: panjang daftar maksimal 2",
    "[]": "harus berupa objek, bukan daftar",
}
TEXTS = {
    "": "isinya terpotong",
    "{": "isinya terpotong",
    "{]": "nama kolom objek harus berupa teks (bita 1)",
    '{"a" 1}': "seharusnya ':' (bita 5)",
    '{"a": 1 "b"}': "seharusnya ',' atau '}' (bita 8)",
    "[1 2]": "seharusnya ',' atau ']' (bita 3)",
    '{"a": 1,}': "ada koma berlebih dalam objek (bita 8)",
    "[1,]": "ada koma berlebih dalam daftar (bita 3)",
    "{1: 2}": "nama kolom objek harus berupa teks (bita 1)",
    "{} x": "ada karakter setelah akhir JSON (bita 4)",
    "[01]": "angka tidak valid (bita 2)",
    "[<]": "karakter tidak valid (bita 1)",
    '["\\x"]': "karakter escape tidak valid dalam teks (bita 4)",
}


def message_of(error: Exception) -> str:
    if type(error) is msgspec.DecodeError:
        refusal = malformed(error, b"")
    else:
        refusal = refusal_of(error, method="POST", body_bytes=1)
    return str(envelope(refusal, language="id")["message"])


@pytest.mark.parametrize("text", BODIES)
def test_what_is_wrong_with_a_body_is_told_in_indonesian(text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Body)
    assert message_of(caught.value) == f"Permintaan tidak valid: {BODIES[text]}."


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_wrong_with_json_is_told_in_indonesian(text: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text)
    assert message_of(caught.value) == f"Isi permintaan bukan JSON yang valid: {TEXTS[text]}."


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (invalid("name", "it is empty"), "Permintaan tidak valid: name: kosong."),
        (invalid("", "nothing to change was given"), "Permintaan tidak valid: tidak ada yang diminta untuk diubah."),
        (
            invalid("status", "no message has the status gone; it is one of sent, failed"),
            "Permintaan tidak valid: status: tidak ada pesan berstatus gone; harus salah satu dari sent, failed.",
        ),
        (
            invalid("kind", "Expected `str`, got `int`; it is one of a, b"),
            "Permintaan tidak valid: kind: harus berupa teks, bukan bilangan bulat; harus salah satu dari a, b.",
        ),
        (
            invalid("role", "Invalid enum value 'x'; it is one of a, b"),
            "Permintaan tidak valid: role: nilai 'x' tidak dikenal; harus salah satu dari a, b.",
        ),
        (
            invalid("message", "the message has 70,000 characters, the limit is 65,536"),
            "Permintaan tidak valid: message: pesannya 70.000 karakter, batasnya 65.536.",
        ),
        (
            invalid("url", f"the address is refused: {PRIVATE}"),
            "Permintaan tidak valid: url: alamatnya ditolak: berada di mesin ini atau di jaringan privat, "
            "yang diizinkan operator dengan MERPATI_PRIVATE_TARGETS=1.",
        ),
        (
            Refusal(ApiError.MESSAGE_NOT_CANCELLABLE, status="delivered"),
            "Pesan tidak dapat dibatalkan lagi; statusnya sampai.",
        ),
        (
            Refusal(ApiError.MESSAGE_NOT_EDITABLE, reason="it is queued"),
            "Pesan tidak dapat diubah: statusnya antre.",
        ),
        (
            Refusal(ApiError.MESSAGE_NOT_EDITABLE, reason="it is of the type sticker"),
            "Pesan tidak dapat diubah: jenisnya stiker.",
        ),
        (
            invalid("from", "it lies before `to`, by at most 31 days for each hour"),
            "Permintaan tidak valid: from: harus sebelum `to`, paling banyak 31 hari untuk tiap jam.",
        ),
        (Refusal(ApiError.NOT_FOUND, what="user"), "Pengguna tidak ditemukan."),
        (too_large("request body", 1024 * 1024), "Ukuran isi permintaan melebihi batas 1 MB."),
        (
            Refusal(ApiError.MESSAGE_NOT_EDITABLE, reason="more than 15 minutes have passed"),
            "Pesan tidak dapat diubah: sudah lewat lebih dari 15 menit.",
        ),
    ],
)
def test_a_refusal_is_told_in_indonesian(refusal: Refusal, message: str) -> None:
    assert envelope(refusal, language="id")["message"] == message


def test_what_a_customer_wrote_is_repeated_as_it_is() -> None:
    refusal = invalid("status", "no message has the status it is empty; it is one of sent")
    assert "berstatus it is empty;" in str(envelope(refusal, language="id")["message"])


@pytest.mark.parametrize("reason", ["it is empty", Phrase("it is empty", "kosong")])
def test_the_fields_of_a_refusal_are_told_in_the_language_of_its_message(reason: str | Phrase) -> None:
    told = {language: envelope(invalid("name", reason), language=language)["details"] for language in ("en", "id")}
    assert told["en"] == {"fields": [{"path": "name", "reason": "it is empty"}]}
    assert told["id"] == {"fields": [{"path": "name", "reason": "kosong"}]}
