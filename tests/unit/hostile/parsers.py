"""Every function that reads text of customers, strangers and their servers, with the length up to which it gets any."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar._parsers import parse_query_string, parse_url_encoded_form_data
from python_multipart.multipart import parse_options_header

from libs.contracts import ids, words
from libs.contracts.patterns import fits
from libs.runtime import targets
from services.api import errors, languages, requests, translations
from services.api.accounts import users
from services.api.chats import seeking
from services.api.dashboard import agents, rendering
from services.api.errors import Refusal
from services.api.live import filters
from services.api.media import dispositions, file_types, kinds, ranges
from services.api.media.decoder import scans
from services.api.media.sniffing import Sniffer
from services.api.messages import (
    composing,
    emoji,
    exporting,
    idempotency,
    jids,
    numerals,
    phones,
    previews,
    templating,
    vcards,
)
from services.api.messages.filters import sought
from services.api.sessions import names
from services.api.taken import Taken
from services.api.web import addresses, bodies, cookie_header, cursors, door, rawpath

LIMIT = 65_536


class Parser(msgspec.Struct, frozen=True, kw_only=True):
    """What is fed: a function, and what stands around the hostile text, so that it reaches all of the function."""

    name: str
    parse: Callable[[Any], object]
    around: tuple[tuple[str, str], ...] = (("", ""),)
    limit: int = LIMIT
    is_bytes: bool = False


def card(text: str) -> object:
    """A contact card, through all that a send does with it."""
    found = vcards.properties_of(text)
    if not isinstance(found, list):
        return found
    return vcards.name_in(found), vcards.written(found, "name", lambda _: None)


def template(text: str) -> object:
    """A template, through all that is done with it."""
    values = dict.fromkeys(templating.variables_in(text), text[:100])
    return templating.fault_of(text), templating.missing_of(text, {}), templating.filled(text, values)


def stream(text: str) -> object:
    """The event patterns of a listener, and the frames that it then looks at."""
    chosen = filters.Filter(customer_id="c", sessions=None, patterns=filters.patterns_of(text) or ())
    return [chosen.takes("s", frame) for frame in ("message.sent", "session.connected")]


def refused(check: Callable[[str], object]) -> Callable[[str], object]:
    """A check that answers with a refusal."""

    def parse(text: str) -> object:
        try:
            return check(text)
        except (Refusal, ValueError) as refusal:
            return refusal

    return parse


def sniffed(head: bytes) -> object:
    """A file, as its pieces pass by."""
    sniffer = Sniffer()
    for start in range(0, len(head), 4_096):
        sniffer.feed(head[start : start + 4_096])
    return sniffer.mimetype(declared="application/octet-stream", file_name="file")


def typed(text: str) -> object:
    """A file's name, through all that is made of it."""
    named = kinds.clean_name(text), kinds.name_with_ending(text, "image/png"), file_types.type_named(text)
    return named, kinds.document_name(text, "text/plain"), kinds.misnamed("text/html", file_name=text)


def json_of(body: bytes) -> object:
    """A body of JSON, and why it is none."""
    try:
        return bodies.decoded_json(body, msgspec.json.Decoder(object))
    except (Refusal, msgspec.DecodeError, RecursionError) as error:
        return error


def multipart_of(header: bytes) -> object:
    """A header of a part of a form."""
    return parse_options_header(header)


PROXIES = addresses.networks_of(("127.0.0.0/8",))
IN_CARD = (
    ("", ""),
    ("BEGIN:VCARD\nFN:a\n", "\nEND:VCARD"),
    ("BEGIN:VCARD\nTEL", ":1\nEND:VCARD"),
    ("BEGIN:VCARD\nTEL;", ":1\nEND:VCARD"),
    ("BEGIN:VCARD\nTEL:", "\nEND:VCARD"),
    ("BEGIN:VCARD\nN:", "\nEND:VCARD"),
    ("BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE:", "\nEND:VCARD"),
    ("BEGIN:VCARD\nNOTE;QUOTED-PRINTABLE;CHARSET=big5:", "\nEND:VCARD"),
    ("BEGIN:VCARD\nPHOTO;ENCODING=b:", "\nEND:VCARD"),
)
IN_PAGE = (
    ("", ""),
    ("<title>", "</title>"),
    ('<meta property="og:title" content="', '">'),
    ("<meta ", ">"),
    ("<title>a</title><meta name=description content='", "'>"),
)

PARSERS = (
    # what is sent
    Parser(name="vCard", parse=card, around=IN_CARD),
    Parser(name="vCard that came in", parse=vcards.phones_in, around=IN_CARD),
    Parser(name="template", parse=template, around=(("", ""), ("{{", "}}"), ("{{a", ""))),
    Parser(name="link in a text", parse=previews.link_in, around=(("", ""), ("https://", ""), ("", " https://a.b/"))),
    Parser(
        name="page of a link",
        parse=lambda page: previews.preview_in(page, "https://a"),
        around=IN_PAGE,
        limit=8 * LIMIT,
    ),
    Parser(name="escapes of HTML", parse=html.unescape, limit=4_000),
    Parser(name="emoji", parse=emoji.is_emoji),
    Parser(name="JID", parse=jids.jid_in, around=(("", ""), ("", "@s.whatsapp.net"), ("62", "@g.us"), ("62", "@lid"))),
    Parser(name="phone", parse=phones.recipient_of.anew, around=(("", ""), ("tel:", ""), ("+62", ""))),
    Parser(name="digits as they stand", parse=phones.as_it_stands.anew),
    Parser(name="numerals", parse=lambda text: numerals.written_in(numerals.in_plain_characters(text))),
    Parser(
        name="inline medium",
        parse=kinds.inline_of,
        around=(("", ""), ("data:", ""), ("data:a/b;", ";base64,YQ=="), ("data:;base64,", "")),
    ),
    Parser(name="file name", parse=typed, around=(("", ""), ("a.", ""))),
    Parser(name="type of a file", parse=kinds.served_type, around=(("", ""), ("a/", ""))),
    Parser(
        name="Content-Disposition",
        parse=dispositions.file_name_in,
        around=(
            ("", ""),
            ("attachment; filename=", ""),
            ('a; filename="', '"'),
            ("a; filename*=utf-8''", ""),
            ("a; filename==?utf-8?q?", "?="),
        ),
        limit=dispositions.MOST_CHARACTERS,
    ),
    Parser(
        name="header of a part",
        parse=multipart_of,
        is_bytes=True,
        around=(("", ""), ("form-data; name=", ""), ('form-data; name="', '"'), ("form-data; name*=", "")),
        limit=16_384,
    ),
    Parser(
        name="bytes of a file",
        parse=sniffed,
        is_bytes=True,
        around=(("", ""), ("<!--", ""), ("\0\0\0\0ftyp", ""), ("\x1aE\xdf\xa3", ""), ("%PDF-", "")),
    ),
    Parser(
        name="beginning of a page",
        parse=file_types.is_web_page,
        is_bytes=True,
        limit=kinds.HEAD_BYTES,
        around=(("", ""), ("<!--", ""), ("<?xml", "")),
    ),
    Parser(
        name="scans of a JPEG",
        parse=scans.has_too_many_scans,
        is_bytes=True,
        around=(("\xff\xd8", ""), ("\xff\xd8\xff\xda", "")),
        limit=8 * LIMIT,
    ),
    Parser(name="cell of a CSV", parse=exporting.cell),
    # what is asked for
    Parser(name="words of a message", parse=words.words_of),
    Parser(name="words that are sought", parse=refused(sought), around=(("", ""), ("", "*")), limit=256),
    Parser(name="chats that are sought", parse=lambda text: seeking.sought_chats(text, "62"), limit=256),
    Parser(name="name of a session", parse=lambda text: names.name_fault(names.as_stored(text))),
    Parser(name="event patterns", parse=stream, around=(("", ""), ("message.", ""), ("*", "*"))),
    Parser(
        name="event pattern",
        parse=lambda pattern: fits("message.sent", pattern),
        around=(("", ""), ("*", "*"), ("m", "t")),
    ),
    Parser(name="cursor of a stream", parse=filters.cursor_of, around=(("", ""), ("a-", ""))),
    Parser(name="cursor of a list", parse=refused(lambda text: cursors.behind(text, "at"))),
    Parser(name="ids", parse=lambda text: (ids.is_session_id(text), ids.is_message_id(text), idempotency.is_key(text))),
    Parser(name="e-mail", parse=refused(users.checked_email), around=(("", ""), ("a@", ""), ("a@", ".de"))),
    Parser(name="phone of a user", parse=refused(users.checked_phone)),
    Parser(name="name of a user", parse=refused(users.checked_name)),
    Parser(name="contact of the operator", parse=rendering.contact_of),
    Parser(name="host", parse=targets.fault_of_host, around=(("", ""), ("[", "]"))),
    # requests
    Parser(name="Accept-Language", parse=languages.language_of, around=(("", ""), ("en;q=", ""))),
    Parser(
        name="User-Agent",
        parse=lambda text: (agents.is_handheld(text), agents.agent_named(text, lambda word, **_: word)),
    ),
    Parser(name="X-Forwarded-For", parse=lambda text: addresses.client_of("127.0.0.1", text, PROXIES)),
    Parser(name="address", parse=addresses.address_of.anew, around=(("", ""), ("[", "]"), ("1.", ""))),
    Parser(name="Range", parse=lambda text: ranges.part_of(text, 1_000), around=(("", ""), ("bytes=", ""))),
    Parser(name="Prefer", parse=composing.wait_asked, around=(("", ""), ("wait=", ""))),
    Parser(
        name="Cookie",
        parse=lambda text: cookie_header.value_in(text, "merpati_token"),
        around=(("", ""), ('a="', '"'), ('merpati_token="', '"')),
    ),
    Parser(name="X-Request-Id", parse=requests.begin_request),
    Parser(name="query", parse=parse_query_string.__wrapped__, is_bytes=True, around=(("", ""), ("a=", ""))),
    Parser(name="form", parse=parse_url_encoded_form_data.__wrapped__, is_bytes=True, around=(("", ""), ("a=", ""))),
    Parser(
        name="form of a page",
        parse=refused(lambda text: parse_qs(text, errors="strict", max_num_fields=20)),
        limit=16_000,
    ),
    Parser(name="segment of a path", parse=rawpath.decoded),
    Parser(name="path in a log", parse=door.logged_path, around=(("", ""), ("/api/services/whatsapp/chat/", ""))),
    Parser(name="path of a page", parse=rendering.language_of_path, around=(("/", ""),)),
    Parser(
        name="JSON",
        parse=json_of,
        is_bytes=True,
        around=(("", ""), ('"', '"'), ("[", "]"), ('{"a":', "}"), ('"\\ud83c', '"')),
    ),
    Parser(name="field that is wrong", parse=Taken(types={"data": users.UserView}).choices),
    Parser(
        name="sentence of an error",
        parse=lambda text: errors.invalid("field", text),
        around=(("", ""), ("Object missing required field `", "`")),
    ),
    Parser(
        name="reason in Indonesian",
        parse=translations.in_indonesian,
        around=(("", ""), ("Expected `", "`"), ("the endpoint answered ", "")),
    ),
)
