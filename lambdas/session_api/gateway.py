"""An event of API Gateway (REST, format 1.0) to a call of the participant's API, and its answer back.

Knows neither AWS's clients nor what a call does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lwise_core.sessions.api import CALLS, MAX_BODY_BYTES, Json, bearer_token, error_response, json_object, too_large
from lwise_core.sessions.errors import InvalidRequest, RequestRejected
from lwise_core.sessions.service import SessionService

Event = Mapping[str, Any]

_PREFIX = "/api/"


@dataclass(frozen=True)
class Answer:
    """What is answered. `call` is the name of the call, None where the address leads nowhere."""

    call: str | None
    status: int
    content: Json
    headers: Mapping[str, str] = field(default_factory=dict)

    def for_gateway(self) -> dict[str, Any]:
        """The answer as API Gateway takes it."""
        return {
            "statusCode": self.status,
            "headers": {"Content-Type": "application/json", "Cache-Control": "no-store", **self.headers},
            "body": json.dumps(self.content, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
            "isBase64Encoded": False,
        }


def called(event: Event) -> str | None:
    """The name of the call that is asked for, if there is such a call."""
    name = str(event["path"]).removeprefix(_PREFIX)
    return name if name in CALLS and event["path"] == _PREFIX + name else None


def answer(event: Event, service: SessionService, code_of: Callable[[str], str]) -> Answer:
    """Make the call that the event asks for.

    Parameters
    ----------
    service : has the study's references for codes, so that no code is read that nobody has earned.
    code_of : from a reference to the code.
    """
    name = called(event)
    if name is None:
        return Answer(None, 404, {"error": "Not Found"})
    call = CALLS[name]
    if event["httpMethod"] != call.method:
        return Answer(name, 405, {"error": "Method Not Allowed"}, {"Allow": call.method})
    try:
        body = _body(event)
        if len(body) > MAX_BODY_BYTES:
            return Answer(name, 413, {"error": too_large()})
        content = call.handle(service, {} if call.method == "GET" else json_object(body), _token(event))
    except RequestRejected as error:
        return Answer(name, *error_response(error))
    if content.get("code") is not None:
        content["code"] = code_of(content["code"])
    return Answer(name, 200, content)


def _body(event: Event) -> bytes:
    text = event["body"] or ""
    if not event["isBase64Encoded"]:
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidRequest("expected JSON") from None


def _token(event: Event) -> str:
    # HTTP/2 writes names of headers in small letters.
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    return bearer_token(headers.get("authorization", ""))
