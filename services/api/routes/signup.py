"""Sign-up: whoever comes becomes a customer with an owner, where the deployment lets them."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from services.api import confirmations
from services.api.access.signing_in import token_for
from services.api.accounts.signing_up import SignUp, signed_up
from services.api.accounts.users import user_view
from services.api.context import Edge
from services.api.languages import localized
from services.api.routes.auth import SignInAnswer, SignInData
from services.api.web.bodies import OPEN_BYTES


@post("/api/auth/signup", operation_id="sign_up", status_code=200, security=[{}], request_max_body_size=OPEN_BYTES)
async def sign_up(edge: NamedDependency[Edge], request: Request[Any, Any, Any], data: JSONBody[SignUp]) -> SignInAnswer:
    """Sign up and be signed in; 403 where the deployment takes no new customers by itself."""
    owner = await signed_up(edge, data)
    token = await token_for(edge, owner, user_agent=request.headers.get("user-agent", ""))
    return SignInAnswer(data=SignInData(user=user_view(owner), token=token), message=localized(confirmations.SIGNED_UP))


router = Router(path="/", route_handlers=[sign_up], tags=["Sign-in"])
