"""JSON over HTTP: an object in, an object out, rejections as responses. Knows nothing of the calls."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from lwise_core.sessions import api
from lwise_core.sessions.errors import RequestRejected

Handle = Callable[[dict[str, Any], str], dict[str, Any]]
"""From the body and Bearer token of a request to the content of its response."""

Run = Callable[[Handle, dict[str, Any], str], Awaitable[dict[str, Any]]]
"""Makes a call outside of the event loop, so that a disk write does not block others."""


def endpoint(
    handle: Handle, *, run: Run = run_in_threadpool, wait: Callable[[dict[str, Any], str], float] = lambda _, __: 0
) -> Callable[[Request], Awaitable[Response]]:
    """An API call; `wait` returns for body and token in how many seconds it may be made; 0: now."""

    async def answer(request: Request) -> Response:
        body, token = await _json_object(request), bearer_token(request)
        if seconds := wait(body, token):
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(math.ceil(seconds))})
        content = await run(handle, body, token)
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return answer


def bearer_token(request: Request) -> str:
    """The request's Bearer token; empty if there is none."""
    return api.bearer_token(request.headers.get("Authorization", ""))


async def _json_object(request: Request) -> dict[str, Any]:
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > api.MAX_BODY_BYTES:
                raise HTTPException(413, api.too_large())
    except ClientDisconnect:
        # The page was closed; nobody reads this response, but it keeps a traceback out of the log.
        raise HTTPException(400, "the request was interrupted") from None
    return api.json_object(received)


async def rejected(_: Request, error: RequestRejected) -> Response:
    """The response to a request that the session service rejects."""
    status, content = api.error_response(error)
    return JSONResponse(content, status_code=status)


async def http_error(_: Request, error: HTTPException) -> Response:
    """The response to an invalid HTTP request."""
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
