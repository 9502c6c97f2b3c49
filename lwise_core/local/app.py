"""HTTP in front of `SessionService`: parse, call, answer. The rules are in the service, the page in `site/`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lwise_core.experiments.study import PAGES
from lwise_core.experiments.views import STIMULUS_FOLDER, outside_origins
from lwise_core.sessions.errors import (
    AlreadyTookPart,
    InvalidRequest,
    NotYours,
    RequestRefused,
    StudyFull,
    TrialsMissing,
    UnknownToken,
)
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds

MAX_BODY_BYTES = 256 * 1024

_NO_TIME = "Thu, 01 Jan 1970 00:00:00 GMT"
_FOR_EVER = "public, max-age=31536000, immutable"

_STATUS_OF = {
    InvalidRequest: 400,
    UnknownToken: 401,
    AlreadyTookPart: 403,
    NotYours: 403,
    TrialsMissing: 409,
    StudyFull: 410,
}


def _safe_headers(origins: Sequence[str] = ()) -> dict[str, str]:
    """Headers of every answer; pictures may come from `origins` besides the server itself."""
    here = " ".join(["'self'", *origins])
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src {here} data: blob:; "
            f"connect-src {here}; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def create_app(service: SessionService, *, files: Mapping[str, Path], site: Path) -> Starlette:
    """The whole server of one study.

    Parameters
    ----------
    files : the picture behind each opaque name.
    site : folder of the built page, with `index.html`.
    """

    def start(body: dict[str, Any], _: str) -> dict[str, Any]:
        ids = PlatformIds(*(body.get(key) for key in ("platform", "assignment_id", "worker_id", "study_id")))  # type: ignore[arg-type]
        started = service.start(ids, trialset_id=body.get("trialset_id"))
        study = service.study
        pages = {name: study.pages.get(name) for name in PAGES}
        screening_block = None if study.screening is None else study.screening.block
        page = {"study_id": study.study_id, "title": study.title, "pages": pages, "screening_block": screening_block}
        return {**asdict(started), "study": page}

    def record(body: dict[str, Any], token: str) -> dict[str, Any]:
        responses = body.get("trials")
        if not isinstance(responses, list):
            raise InvalidRequest("expected a list of trials")
        stored, next_trial = service.record(token, responses)
        return {"stored": stored, "next_trial": next_trial}

    def screening(_: dict[str, Any], token: str) -> dict[str, Any]:
        return {"passed": service.screening(token)}

    def finish(_: dict[str, Any], token: str) -> dict[str, Any]:
        ending = service.finish(token)
        return {"state": ending.outcome, "code": ending.code, **asdict(ending.result)}

    async def stimulus(request: Request) -> Response:
        path = files.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "no such picture")
        # Its name is its content's. The file's time would tell its class, since pictures are written class by class.
        headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{request.path_params["name"]}"', "Last-Modified": _NO_TIME}
        return FileResponse(path, headers=headers)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "study": service.study.study_id})

    routes = [
        Route("/healthz", healthz),
        # A mount of its own, so that a wrong method is not looked up among the files of the page.
        Mount(
            "/api",
            routes=[
                Route("/sessions", _endpoint(start), methods=["POST"]),
                Route("/trials", _endpoint(record), methods=["POST"]),
                Route("/screening", _endpoint(screening), methods=["POST"]),
                Route("/finish", _endpoint(finish), methods=["POST"]),
            ],
        ),
        Route(f"/{STIMULUS_FOLDER}/{{name}}", stimulus),
        Mount("/", StaticFiles(directory=site, html=True)),
    ]
    handlers: Mapping[Any, Any] = {RequestRefused: _refused, HTTPException: _failed, Exception: _broken}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.add_middleware(_SafeHeaders, headers=_safe_headers(outside_origins(service.study)))
    return app


def _endpoint(
    handle: Callable[[dict[str, Any], str], dict[str, Any]],
) -> Callable[[Request], Awaitable[Response]]:
    """An API call: JSON object in, JSON object out, the work in a thread so that a disk write blocks nobody else."""

    async def endpoint(request: Request) -> Response:
        body = await _json_object(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        answer = await run_in_threadpool(handle, body, token if scheme == "Bearer" else "")
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    return endpoint


async def _json_object(request: Request) -> dict[str, Any]:
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BODY_BYTES:
                raise HTTPException(413, f"a request may have {MAX_BODY_BYTES // 1024} KB at most")
    except ClientDisconnect:
        # Someone closed the page; nobody reads this answer, but it keeps a traceback out of the log.
        raise HTTPException(400, "the request broke off") from None
    try:
        body = json.loads(received)
    except (ValueError, RecursionError):
        raise InvalidRequest("expected JSON") from None
    if not isinstance(body, dict):
        raise InvalidRequest("expected a JSON object")
    return body


async def _refused(_: Request, error: RequestRefused) -> Response:
    content: dict[str, Any] = {"error": str(error)}
    if isinstance(error, TrialsMissing):
        content["missing"] = error.missing
    return JSONResponse(content, status_code=_STATUS_OF[type(error)])


async def _failed(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _broken(_: Request, __: Exception) -> Response:
    # This answer is made outside of all middleware, and the server closes the connection after it.
    content = {"error": "something went wrong on the server; its log says what"}
    return JSONResponse(content, status_code=500, headers={**_safe_headers(), "Connection": "close"})


class _SafeHeaders:
    """Adds the security headers to every answer; an answer that does not say otherwise is not kept unasked."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                # Otherwise a browser may show yesterday's page, whose scripts a newer build has replaced.
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)
