"""Makes pages of templates: the environment, what every page holds, and the headers that guard it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response

from libs.contracts.records import Pacing
from services.api.context import Edge, edge_of
from services.api.dashboard import words
from services.api.dashboard.assets import Assets
from services.api.dashboard.navigation import ACCOUNT, HELP, PLATFORM, SERVICES, STARTS
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import LANGUAGES, NAMES, Language
from services.api.languages import language_of
from services.api.live.filters import Cursor
from services.api.sessions.reasons import why_in
from services.api.times import iso
from services.api.translations import in_indonesian
from services.api.web.cookie_header import value_in

TEMPLATES = Path(__file__).parent / "templates"
THEMES = ("merpati", "merpati-dark")
USUAL_PACE = Pacing(per_minute=20)
"""What the form for a device's own pace begins with: the default of the real network."""
KILO = 1024
UNITS = ("B", "KB", "MB", "GB", "TB")
THEME_COOKIE = "merpati_theme"
LANGUAGE_COOKIE = "merpati_language"
_E_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
MONTHS: dict[Language, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
}
GUARDS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie",
}


def environment() -> Environment:
    """The templates; whatever they show of others is escaped, and what they miss is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "json": _json,
        "phone": grouped_phone,
        "thousands": thousands,
        "bytes": byte_size,
        "told": told,
        "reason": reason_in,
        "why": why_in,
    }
    everywhere: dict[str, Any] = {
        "services": SERVICES,
        "platform_group": PLATFORM,
        "account_group": ACCOUNT,
        "help_group": HELP,
        "starts": STARTS,
        "themes": THEMES,
        "usual_pace": USUAL_PACE,
        "known": frozenset(words.WORDS),
    }
    made.filters.update(filters)
    made.globals.update(everywhere)
    return made


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Whom customers ask; `href` is empty where there is nothing to follow."""

    name: str
    href: str = ""


def contact_of(text: str) -> Contact:
    """The operator's contact as the setting says it: an e-mail address and a web address are links."""
    written = text.strip()
    if written.startswith(("https://", "http://")):
        return Contact(name=written.partition("//")[2].rstrip("/"), href=written)
    return Contact(name=written, href=f"mailto:{written}" if _E_MAIL.fullmatch(written) else "")


class Pages:
    """Renders pages and parts of pages."""

    def __init__(self, assets: Assets) -> None:
        self.assets, self._environment = assets, environment()

    def page(
        self,
        request: Request[Any, Any, Any],
        template: str,
        *,
        visitor: Visitor | None = None,
        status: int = 200,
        language: Language | None = None,
        **context: Any,
    ) -> Response[str]:
        """The template with what it needs, as HTML; in the language of the address unless another is given."""
        language = language or language_of_path(request.url.path)
        everywhere = {
            "asset": self.assets.url,
            "t": words.saying(language),
            "language": language,
            "languages": [(code, NAMES[code], in_language(request, code)) for code in LANGUAGES],
            "here": request.url.path,
            "here_in_full": f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
            "theme": theme_of(request),
            "visitor": visitor,
            "operator": contact_of(edge_of(request).settings.operator_contact),
            "words": words.for_scripts(language),
            "cursor": "",
            "subjects": {},
        }
        html = self._environment.get_template(template).render(everywhere | context)
        return Response(html, media_type="text/html", status_code=status, headers=GUARDS)


def pages_of(request: Request[Any, Any, Any]) -> Pages:
    """The pages of this application."""
    pages: Pages = request.app.state.pages
    return pages


def language_of_path(path: str) -> Language:
    """The language that the address begins with."""
    first = path.split("/", 2)[1]
    return first if first in LANGUAGES else "en"


def language_wished(request: Request[Any, Any, Any]) -> Language:
    """The language that was chosen; else that of the browser."""
    chosen = value_in(request.headers.get("cookie", ""), LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return "id" if language_of(request.headers.get("accept-language", "")) == "id" else "en"


def in_language(request: Request[Any, Any, Any], language: Language) -> str:
    """The address of this page in that language."""
    rest = request.url.path.split("/", 2)[-1]
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/{language}/{rest}{query}"


def theme_of(request: Request[Any, Any, Any]) -> str:
    """The theme that was chosen; empty when the system's holds."""
    chosen = value_in(request.headers.get("cookie", ""), THEME_COOKIE)
    return chosen if chosen in THEMES else ""


def cursor_now(edge: Edge) -> str:
    """Where the live stream stands: asked before the page is read from the database, so that nothing falls between."""
    return str(Cursor(edge.hub.log, edge.hub.position)) if edge.hub.log else ""


# --- How things are written ------------------------------------------------------------------------------------------


class Clock(msgspec.Struct, frozen=True):
    """Writes times as the customer's clock shows them."""

    zone: ZoneInfo
    language: Language

    def moment(self, at: datetime) -> str:
        """Day and time: `20 Nov 15:04`."""
        local = at.astimezone(self.zone)
        return f"{local.day} {MONTHS[self.language][local.month - 1]} {local:%H:%M}"

    def second(self, at: datetime) -> str:
        """To the second: `20 Nov 15:04:05`."""
        return f"{self.moment(at)}:{at.astimezone(self.zone):%S}"

    def time(self, at: datetime) -> str:
        """The time of the day: `15:04`."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def day(self, at: datetime) -> str:
        """The day: `20 Nov 2026`."""
        local = at.astimezone(self.zone)
        return f"{local.day} {MONTHS[self.language][local.month - 1]} {local.year}"

    def typed(self, at: datetime) -> str:
        """The day as a date field has it: `2026-11-20`."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def machine(self, at: datetime) -> str:
        """As programs read it."""
        return iso(at)


def grouped_phone(digits: str) -> str:
    """`+62 812-3456-7890` of the digits of an international number; anything else as it is."""
    try:
        return phonenumbers.format_number(
            phonenumbers.parse(f"+{digits}"), phonenumbers.PhoneNumberFormat.INTERNATIONAL
        )
    except phonenumbers.NumberParseException:
        return digits


def thousands(number: int, language: str) -> str:
    """1,234 or 1.234."""
    text = f"{number:,}"
    return text.replace(",", ".") if language == "id" else text


def byte_size(number: int, language: str) -> str:
    """`812 B`, `1.4 MB`, or, in Indonesian, `1,4 MB`."""
    size, unit = float(number), 0
    while size >= KILO and unit < len(UNITS) - 1:
        size, unit = size / KILO, unit + 1
    text = f"{size:.0f}" if unit == 0 or size >= 100 else f"{size:.1f}"
    return f"{text.replace('.', ',') if language == 'id' else text} {UNITS[unit]}"


def told(reason: str | None, language: str) -> str:
    """What another service told in English, in this language; empty where it is not known in it."""
    if reason is None or language == "en":
        return reason or ""
    said = in_indonesian(reason)
    return "" if said == reason else said


def reason_in(reason: str, language: str) -> str:
    """What another service told in English, in this language where it is known in it, else as it is."""
    return told(reason, language) or reason


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
