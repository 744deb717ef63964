"""Whether the edge lives and is ready, and the description of the live stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Response, Router, get
from litestar.di import NamedDependency

from services.api import confirmations
from services.api.context import Edge
from services.api.description.asyncapi import asyncapi_document
from services.api.languages import localized
from services.api.sentences import Phrase, phrase_of


@get("/livez", operation_id="get_liveness", security=[{}])
async def get_liveness() -> dict[str, Any]:
    """Answers as long as the process can."""
    return {"success": True, "data": {"live": True}}


@get("/readyz", operation_id="get_readiness", security=[{}])
async def get_readiness(edge: NamedDependency[Edge]) -> Response[dict[str, Any]]:
    """200 when requests can be served, else 503 with what is not well."""
    faults = await edge.health.faults()
    if not faults:
        return Response({"success": True, "data": {"ready": True, "faults": {}}})
    body = {
        "success": False,
        "error": "SERVICE_UNAVAILABLE",
        "message": localized(confirmations.NOT_READY, faults=_joined(faults.values())),
        "details": {"faults": faults},
    }
    return Response(body, status_code=503, headers={"Retry-After": "2"})


def _joined(faults: Iterable[str]) -> Phrase:
    said = [phrase_of(fault) for fault in faults]
    return Phrase("; ".join(each.en for each in said), "; ".join(each.id for each in said))


@get("/asyncapi", operation_id="get_asyncapi", security=[{}])
async def get_asyncapi() -> dict[str, Any]:
    """The live stream as an AsyncAPI 3 document."""
    return asyncapi_document()


router = Router(path="/", route_handlers=[get_liveness, get_readiness, get_asyncapi], tags=["System"])
