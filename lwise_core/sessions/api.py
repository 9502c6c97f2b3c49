"""The calls of a participant's page over HTTP, the same on every server: requests, responses and errors.

Each call is one call of `SessionService`. Knows no rules, and no server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from lwise_core.experiments.study import PAGES, PageSettings
from lwise_core.sessions.errors import (
    AlreadyTookPart,
    InvalidRequest,
    NotYours,
    RequestRejected,
    StudyFull,
    TrialsMissing,
    UnknownToken,
)
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds
from lwise_core.wire_schema import PageName

Json = dict[str, Any]

MAX_BODY_BYTES = 256 * 1024

_STATUS_OF = {
    InvalidRequest: 400,
    UnknownToken: 401,
    AlreadyTookPart: 403,
    NotYours: 403,
    TrialsMissing: 409,
    StudyFull: 410,
}


@dataclass(frozen=True)
class Call:
    """One call: its method, and what it does with the service, the body and the token of a request.

    Attributes
    ----------
    required : name -> JSON type of what a gateway may require of every body; the rules check the rest.
    """

    method: str
    handle: Callable[[SessionService, Json, str], Json]
    required: Mapping[str, type] = field(default_factory=dict)


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header; empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token if scheme == "Bearer" else ""


def json_object(body: bytes | bytearray) -> Json:
    """The body of a request.

    Raises
    ------
    InvalidRequest
        If it is not a JSON object.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("expected JSON") from None
    if not isinstance(content, dict):
        raise InvalidRequest("expected a JSON object")
    return content


def too_large() -> str:
    """The message of status 413, for a body of more than `MAX_BODY_BYTES`."""
    return f"a request may have {MAX_BODY_BYTES // 1024} KB at most"


def error_response(error: RequestRejected) -> tuple[int, Json]:
    """Status and content of the response to a rejected request."""
    content: Json = {"error": str(error)}
    if isinstance(error, TrialsMissing):
        content["missing"] = error.missing
    return _STATUS_OF[type(error)], content


class StudyPage(TypedDict):
    """What the page gets of a study before anyone takes part."""

    study_id: str
    title: str
    pages: dict[PageName, str | None]
    """HTML that was made from Markdown and sanitised; null where the study has no such page."""
    screening_block: int | None
    """The block after which the server decides who continues; null: everyone does."""
    page: PageSettings


class Stored(TypedDict):
    """The answers of a request, now stored, and the first trial without an answer."""

    stored: list[int]
    next_trial: int


class ScreeningAnswer(TypedDict):
    """Whether the participant continues."""

    passed: bool


def _study(service: SessionService, _: Json, __: str) -> Json:
    study = service.study
    page = StudyPage(
        study_id=study.study_id,
        title=study.title,
        pages={name: study.pages.get(name) for name in PAGES},
        screening_block=None if study.screening is None else study.screening.block,
        page=study.page,
    )
    return {**page, "page": asdict(study.page)}


def _start(service: SessionService, body: Json, _: str) -> Json:
    ids = PlatformIds(*(body.get(key) for key in ("platform", "assignment_id", "worker_id", "study_id")))  # type: ignore[arg-type]
    return vars(service.start(ids, trialset_id=body.get("trialset_id")))


def _record(service: SessionService, body: Json, token: str) -> Json:
    responses = body.get("trials")
    if not isinstance(responses, list):
        raise InvalidRequest("expected a list of trials")
    stored, next_trial = service.record(token, responses)
    return dict(Stored(stored=stored, next_trial=next_trial))


def _screening(service: SessionService, _: Json, token: str) -> Json:
    return dict(ScreeningAnswer(passed=service.screening(token)))


def _finish(service: SessionService, _: Json, token: str) -> Json:
    ending = service.finish(token)
    return {"state": ending.state, "code": ending.code, **asdict(ending.result)}


def _heartbeat(service: SessionService, _: Json, token: str) -> Json:
    service.heartbeat(token)
    return {}


def _problem(service: SessionService, body: Json, token: str) -> Json:
    service.report_problem(token, body)
    return {}


def _contact(service: SessionService, body: Json, token: str) -> Json:
    service.store_email(token, body.get("email"))
    return {}


CALLS: Mapping[str, Call] = {
    "study": Call("GET", _study),
    "sessions": Call("POST", _start, {"platform": str, "assignment_id": str}),
    "trials": Call("POST", _record, {"trials": list}),
    "screening": Call("POST", _screening),
    "finish": Call("POST", _finish),
    "heartbeat": Call("POST", _heartbeat),
    "problems": Call("POST", _problem, {"kind": str, "message": str}),
    "contact": Call("POST", _contact, {"email": str}),
}
"""By their names below `/api/`."""
