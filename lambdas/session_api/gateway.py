"""From an event of API Gateway (REST, format 1.0) to a call of the participant's API, and back to a response.

Knows neither AWS clients nor what a call does.
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
    """A response. `call` is the name of the call, None for an unknown path."""

    call: str | None
    status: int
    content: Json
    headers: Mapping[str, str] = field(default_factory=dict)

    def for_gateway(self) -> dict[str, Any]:
        """The response in the format of API Gateway."""
        return {
            "statusCode": self.status,
            "headers": {"Content-Type": "application/json", "Cache-Control": "no-store", **self.headers},
            "body": json.dumps(self.content, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
            "isBase64Encoded": False,
        }


def call_name(event: Event) -> str | None:
    """The name of the requested call; None if there is no such call."""
    name = str(event["path"]).removeprefix(_PREFIX)
    return name if name in CALLS and event["path"] == _PREFIX + name else None


def answer(event: Event, service: SessionService, code_of: Callable[[str], str]) -> Answer:
    """Make the call that the event requests.

    Parameters
    ----------
    service : returns references to codes, so that a code is read only when it is earned.
    code_of : from a reference to the code.
    """
    name = call_name(event)
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
    # HTTP/2 header names are lower case.
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    return bearer_token(headers.get("authorization", ""))
