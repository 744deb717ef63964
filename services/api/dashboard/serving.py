"""Routes of the dashboard that are no pages: its files, where it begins, and what is said when it was not built."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from services.api.dashboard.assets import FOREVER, NotBuilt
from services.api.dashboard.rendering import GUARDS, language_wished, pages_of
from services.api.dashboard.words import LANGUAGES


@get("/dashboard/assets/{name:str}", include_in_schema=False)
async def get_asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A built file; its name changes with its content, so it is kept for ever."""
    file = pages_of(request).assets.file(name)
    if file is None:
        raise NotFoundException
    encoding, content = file.best_for(request.headers.get("accept-encoding", ""))
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    more = {"Content-Encoding": encoding} if encoding else {}
    return Response(content, media_type=file.media_type, headers=headers | more)


@get("/dashboard", include_in_schema=False)
async def get_start(request: Request[Any, Any, Any]) -> Redirect:
    """To the overview, in the language that was chosen, else in that of the browser."""
    return Redirect(f"/{language_wished(request)}/dashboard/whatsapp", status_code=302)


router = Router(path="/", route_handlers=[get_asset, get_start])


def unbuilt_router(reason: NotBuilt) -> Router:
    """In the place of all pages: says, loudly, why there are none. The API is not concerned."""
    text = f"The API runs, but {reason}.\n"

    @get(["/dashboard", *(f"/{language}/dashboard" for language in LANGUAGES)], include_in_schema=False)
    async def get_nothing() -> Response[str]:
        """Why there is no dashboard."""
        return Response(text, media_type="text/plain", status_code=503, headers=GUARDS)

    return Router(path="/", route_handlers=[get_nothing])
