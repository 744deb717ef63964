"""Refusals: what the edge answers when it does not do what was asked, always in one envelope.

Refusal(code)            an expected refusal, raised anywhere in a request
Litestar's own           validation, malformed JSON, unknown path, 405, 413
BusDown, PyMongoError    NATS or MongoDB is away: 503 with Retry-After
anything else            500 INTERNAL, logged with its request id
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError

from libs.contracts.errors import ApiError
from libs.runtime import logs
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from services.api.languages import language_for
from services.api.requests import request_id
from services.api.sentences import SENTENCES, Phrase, phrase_of, sentence
from services.api.taken import BODY, Taken, taken_by

RETRY_AFTER_S = "2"
MOST_REASON = 300
MEGABYTE = 1024 * 1024
CLIENT_GONE = "merpati.client_gone"
"""In a scope whose client has gone away: nobody reads the answer."""
CLOSED_BY_CLIENT = 499

_PATH_IN_REASON = re.compile(r" - at `(?:\$|key in \$)?\.?([^`]*)`")

_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_MISSING_PARAMETER = re.compile(r"Missing required (\w+ parameter) '([^']*)'")

log = logs.get()


Handler = Callable[[Request[Any, Any, Any], Exception], Response[dict[str, Any]]]


class Refusal(Exception):
    """An expected refusal: its code tells status and sentence; `params` fill the sentence, `details` go into the body.

    `error` replaces the code in the body: for a message that failed, why it failed.
    """

    def __init__(
        self,
        code: ApiError,
        *,
        error: str | None = None,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **params: object,
    ) -> None:
        self.code, self.details, self.headers, self.params = code, details, headers or {}, params
        self.error = error or code.value
        super().__init__(code.value)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return SENTENCES[self.code].status


def invalid(path: str, reason: str | Phrase) -> Refusal:
    """A refused field: 400 VALIDATION_FAILED with its entry in `details.fields`."""
    return invalid_fields([{"path": path, "reason": reason}])


def invalid_fields(fields: Sequence[Mapping[str, str | Phrase]]) -> Refusal:
    """Several refused fields, each its `path` and its `reason`; the sentence names the first."""
    first = _named(fields[0]) if fields else "see details"
    return Refusal(ApiError.VALIDATION_FAILED, details={"fields": fields}, reason=first)


def _named(field: Mapping[str, str | Phrase]) -> Phrase:
    """What is wrong, behind the field's name."""
    named, reason = f"{field['path']}: " if field["path"] else "", phrase_of(field["reason"])
    return Phrase(*((named + said)[:MOST_REASON].rstrip(".") for said in reason.both))


def unavailable() -> Refusal:
    """NATS or MongoDB is away."""
    return Refusal(ApiError.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_AFTER_S})


def is_away(error: BaseException) -> bool:
    """Whether this error says that NATS or MongoDB is away now (and not that something is wrong with the request)."""
    if isinstance(error, BusDown | PublishUnclear | StreamFull):
        return True
    if isinstance(error, PyMongoError):
        return isinstance(error, ConnectionFailure | ExecutionTimeout) or error.timeout or _is_passing(error)
    return False


def _is_passing(error: PyMongoError) -> bool:
    return error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError")


def envelope(refusal: Refusal, *, language: str) -> dict[str, Any]:
    """The body of a refusal."""
    body: dict[str, Any] = {
        "success": False,
        "error": refusal.error,
        "message": sentence(refusal.code, language, refusal.params),
    }
    if refusal.details is not None:
        body["details"] = _details_in(language, refusal.details)
    body["requestId"] = request_id()
    return body


def _details_in(language: str, details: dict[str, Any]) -> dict[str, Any]:
    """The details with the reasons of refused fields in this language."""
    if "fields" not in details:
        return details
    fields = [{**field, "reason": phrase_of(field["reason"]).in_language(language)} for field in details["fields"]]
    return {**details, "fields": fields}


def answer_for(refusal: Refusal, *, path: str, accept_language: str) -> Response[dict[str, Any]]:
    """The whole answer, as a Litestar response."""
    return Response(
        envelope(refusal, language=language_for(path, accept_language)),
        status_code=refusal.status,
        headers=refusal.headers,
        media_type="application/json",
    )


def refusal_of(error: Exception, *, method: str, body_bytes: int, taken: Taken | None = None) -> Refusal:
    """The refusal that any exception of a request becomes; an unexpected one is logged here."""
    match error:
        case Refusal():
            return error
        case ValidationException():
            return invalid_fields(_fields_of(error, taken or Taken()))
        case msgspec.ValidationError():
            return invalid_fields([_field_of(str(error))])
        case msgspec.DecodeError() | RecursionError():  # the decoder's: nested deeper than anything of ours
            return Refusal(ApiError.MALFORMED_JSON, reason="it is nested too deeply")
        case NotFoundException():
            return Refusal(ApiError.ROUTE_NOT_FOUND)
        case MethodNotAllowedException():
            return Refusal(ApiError.METHOD_NOT_ALLOWED, headers=error.headers, method=method)
        case RequestEntityTooLarge():
            return too_large("request body", body_bytes)
        case NotAuthorizedException():
            return Refusal(ApiError.UNAUTHORIZED)
        case HTTPException() if error.status_code < 500:
            return _of_client_error(error)
        case _ if is_away(error):
            log.warning("a request was refused because NATS or MongoDB is away", reason=type(error).__name__)
            return unavailable()
        case _:
            log.error("a request failed", exc_info=error)
            return Refusal(ApiError.INTERNAL)


def body_limit(request: Request[Any, Any, Any]) -> int:
    """The largest body that this route reads, bytes."""
    handler: Any = request.scope.get("route_handler")  # of no known route there is none
    limit = None if handler is None else handler.resolve_request_max_body_size()
    return limit if isinstance(limit, int) else int(request.app.state.edge.settings.body_bytes)


def too_large(what: str, limit_bytes: int, *, size_bytes: int | None = None) -> Refusal:
    """413, naming the limit, and the size where it is known."""
    limit = f"{limit_bytes / 1024:g} KB" if limit_bytes < MEGABYTE else f"{limit_bytes / MEGABYTE:g} MB"
    if size_bytes is None:
        return Refusal(ApiError.PAYLOAD_TOO_LARGE, details={"limitBytes": limit_bytes}, what=what, limit=limit)
    size = f"{math.ceil(size_bytes / MEGABYTE * 10) / 10:g}"  # rounded up, it is not shown as the limit itself
    return Refusal(
        ApiError.PAYLOAD_TOO_LARGE,
        details={"limitBytes": limit_bytes, "sizeBytes": size_bytes},
        what=what,
        limit=Phrase(f"{limit}; it has {size} MB", f"{limit}; ukurannya {size.replace('.', ',')} MB"),
    )


def _of_client_error(error: HTTPException) -> Refusal:
    return Refusal(ApiError.VALIDATION_FAILED, details={"fields": []}, reason=error.detail[:MOST_REASON].rstrip("."))


def _fields_of(error: ValidationException, taken: Taken) -> list[dict[str, str]]:
    extra: Any = error.extra
    if not isinstance(extra, list) or not extra:
        return [_parameter_in(error.detail)]
    entries = cast("list[dict[str, Any]]", extra)
    return [_field_in(str(entry.get("key", "")), str(entry.get("message", "")), taken) for entry in entries]


def _parameter_in(reason: str) -> dict[str, str]:
    """Litestar refuses a parameter that is missing in a sentence alone, which ends with the whole URL."""
    missing = _MISSING_PARAMETER.match(reason)
    return {"path": missing[2], "reason": f"this {missing[1]} is needed"} if missing else {"path": "", "reason": reason}


def _field_in(key: str, reason: str, taken: Taken) -> dict[str, str]:
    """Litestar says of a missing body that `'data'` is wrong."""
    if reason == "'data'":
        return {"path": "", "reason": "a JSON body is needed"}
    missing = _MISSING.fullmatch(reason)
    path = missing[1] if missing else _path_of(key, reason, taken)
    return {"path": taken.names.get(path, path), "reason": _with_choices(reason, taken.choices(path))}


def _path_of(key: str, reason: str, taken: Taken) -> str:
    """Litestar names the whole body `data`, and so it does a field of that name."""
    is_body = key == BODY and (reason.startswith("Expected `object`") or not taken.has_field(BODY))
    return "" if is_body else key


def _with_choices(reason: str, choices: list[str]) -> str:
    return f"{reason}; it is one of {', '.join(choices)}" if choices else reason


def _field_of(reason: str) -> dict[str, str]:
    """msgspec writes `Expected ... - at `$.name``; take it apart."""
    found = _PATH_IN_REASON.search(reason)
    return {"path": found.group(1) if found else "", "reason": _PATH_IN_REASON.sub("", reason)}


def handlers() -> dict[type[Exception], Handler]:
    """Litestar's map: every exception goes the one way."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
        if CLIENT_GONE in request.scope:
            log.info("the client went away", reason=type(error).__name__)
            return Response({}, status_code=CLOSED_BY_CLIENT)
        limit = body_limit(request)
        refusal = refusal_of(error, method=request.method, body_bytes=limit, taken=taken_by(request))
        return answer_for(refusal, path=request.url.path, accept_language=request.headers.get("accept-language", ""))

    return {Exception: answer}
