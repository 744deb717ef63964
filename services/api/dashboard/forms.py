"""Forms that a page sends without a script: what was typed, and that our own page has sent it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from litestar import Request

from libs.contracts.errors import ApiError
from services.api.access.cookies import is_our_own
from services.api.errors import Refusal, invalid
from services.api.web.bodies import form_text

MOST_FORM = 16_000
MOST_FIELDS = 20


async def fields_sent(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The fields by their names; those that are empty are left out.

    Raises Refusal PAYLOAD_TOO_LARGE, and VALIDATION_FAILED for what is not UTF-8.
    """
    body = await request.body()
    if len(body) > MOST_FORM:
        raise Refusal(ApiError.PAYLOAD_TOO_LARGE, what="form", limit=f"{MOST_FORM // 1000} kB")
    try:
        typed = parse_qs(form_text(body, path=""), errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError as error:
        raise invalid("", "a field is not percent-encoded UTF-8") from error
    except ValueError as error:
        raise invalid("", f"a form has at most {MOST_FIELDS} fields") from error
    return {name: values[0] for name, values in typed.items()}


def require_own_page(request: Request[Any, Any, Any]) -> None:
    """Raises Refusal FORBIDDEN when another site has sent the form: it could sign the person in as somebody else."""
    if not is_our_own(request):
        raise Refusal(ApiError.FORBIDDEN, reason="this form is sent from its own page")
