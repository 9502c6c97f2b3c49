"""The calls of a participant's page as routes of this server. `sessions.api` defines them."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lwise_core.local.endpoints import Run, endpoint
from lwise_core.local.rate_limit import SessionLimits
from lwise_core.sessions.api import CALLS
from lwise_core.sessions.service import SessionService


def api_routes(service: SessionService, limits: SessionLimits, run: Run) -> list[Route]:
    """Routes below `/api`; `run` makes the calls of the service."""

    async def study(_: Request) -> Response:
        return JSONResponse(CALLS["study"].handle(service, {}, ""))

    posts = [
        Route(
            f"/{name}",
            endpoint(
                partial(call.handle, service), run=run, wait=limits.opening if name == "sessions" else limits.call
            ),
            methods=[call.method],
        )
        for name, call in CALLS.items()
        if call.method == "POST"
    ]
    return [Route("/study", study), *posts]
