"""JSON over HTTP: an object in, an object out, and refusals as answers. Knows nothing of what is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from lwise_core.sessions.errors import (
    AlreadyTookPart,
    InvalidRequest,
    NotYours,
    RequestRefused,
    StudyFull,
    TrialsMissing,
    UnknownToken,
)

MAX_BODY_BYTES = 256 * 1024

_STATUS_OF = {
    InvalidRequest: 400,
    UnknownToken: 401,
    AlreadyTookPart: 403,
    NotYours: 403,
    TrialsMissing: 409,
    StudyFull: 410,
}


def endpoint(
    handle: Callable[[dict[str, Any], str], dict[str, Any]],
    *,
    wait: Callable[[dict[str, Any], str], float] = lambda _, __: 0,
) -> Callable[[Request], Awaitable[Response]]:
    """An API call: body and Bearer token to `handle`, in a thread so that a disk write blocks nobody else.

    `wait` says for the same two in how many seconds the call may be made; 0: now.
    """

    async def answer(request: Request) -> Response:
        body, token = await _json_object(request), bearer_token(request)
        if seconds := wait(body, token):
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(math.ceil(seconds))})
        content = await run_in_threadpool(handle, body, token)
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    return answer


def bearer_token(request: Request) -> str:
    """The token that a request carries; empty if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


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


async def refused(_: Request, error: RequestRefused) -> Response:
    """The answer to a request that the rules do not allow."""
    content: dict[str, Any] = {"error": str(error)}
    if isinstance(error, TrialsMissing):
        content["missing"] = error.missing
    return JSONResponse(content, status_code=_STATUS_OF[type(error)])


async def failed(_: Request, error: HTTPException) -> Response:
    """The answer to a request that HTTP does not allow."""
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
