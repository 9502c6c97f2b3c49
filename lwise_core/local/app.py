"""The server of one study: APIs of participants and researcher, images, pages, and the headers of every response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lwise_core.experiments.payloads import STIMULUS_FOLDER
from lwise_core.local.api import api_routes
from lwise_core.local.endpoints import Run, http_error, rejected
from lwise_core.local.range_header import OnlyByteRanges
from lwise_core.local.rate_limit import SessionLimits
from lwise_core.local.researcher import Researcher, researcher_calls, researcher_page
from lwise_core.sessions.errors import RequestRejected
from lwise_core.sessions.page_headers import page_headers
from lwise_core.sessions.service import SessionService

_NO_TIME = "Thu, 01 Jan 1970 00:00:00 GMT"
_FOREVER = "public, max-age=31536000, immutable"


def create_app(
    service: SessionService,
    *,
    files: Mapping[str, Path],
    site: Path,
    limits: SessionLimits,
    run: Run,
    researcher: Researcher | None = None,
) -> Starlette:
    """The whole server of one study.

    Parameters
    ----------
    files : the image file of each opaque name.
    site : folder of the built pages, with `index.html` and `researcher.html`.
    limits : how fast a session may send.
    run : makes participants' calls of the service.
    researcher : who may monitor the study; None: nobody, and there is no page for it.
    """

    async def stimulus(request: Request) -> Response:
        path = files.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "no such image")
        # The name identifies the content. The file's time could reveal its class: images are written class by class.
        headers = {"Cache-Control": _FOREVER, "ETag": f'"{request.path_params["name"]}"', "Last-Modified": _NO_TIME}
        return FileResponse(path, headers=headers)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "study": service.study.study_id})

    researcher_routes = [] if researcher is None else researcher_calls(service, researcher)
    routes = [
        Route("/healthz", healthz),
        # A separate mount, so that a wrong method is not looked up among the page's files.
        Mount("/api", routes=[*api_routes(service, limits, run), *researcher_routes]),
        *([] if researcher is None else [researcher_page(site)]),
        Route(f"/{STIMULUS_FOLDER}/{{name}}", stimulus),
        Mount("/", StaticFiles(directory=site, html=True)),
    ]
    headers = page_headers(service.study)
    handlers: Mapping[Any, Any] = {
        RequestRejected: rejected,
        HTTPException: http_error,
        Exception: _internal_error(headers),
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.add_middleware(OnlyByteRanges)
    app.add_middleware(_SafeHeaders, headers=headers)
    return app


def _internal_error(headers: Mapping[str, str]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def respond(_: Request, __: Exception) -> Response:
        # This response bypasses all middleware, and the server closes the connection after it.
        content = {"error": "something went wrong on the server; its log says what"}
        return JSONResponse(content, status_code=500, headers={**headers, "Connection": "close"})

    return respond


class _SafeHeaders:
    """Adds the security headers to every response; without a `Cache-Control` of its own it must be revalidated."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                # Otherwise a browser may show an old page whose scripts a newer build has replaced.
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)
