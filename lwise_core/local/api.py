"""The calls of a participant's page, each one call of `SessionService`. Knows no rules."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lwise_core.experiments.study import PAGES, Study
from lwise_core.local.endpoints import endpoint
from lwise_core.local.rate_limit import SessionLimits
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds


def api_routes(service: SessionService, limits: SessionLimits) -> list[Route]:
    """Routes below `/api`."""

    async def study(_: Request) -> Response:
        return JSONResponse(_study_page(service.study))

    calls = {
        "sessions": _start,
        "trials": _record,
        "screening": _screening,
        "finish": _finish,
        "heartbeat": _heartbeat,
        "problems": _problem,
        "contact": _contact,
    }
    bound = {name: lambda body, token, call=call: call(service, body, token) for name, call in calls.items()}
    wait_of = {name: limits.opening if name == "sessions" else limits.call for name in calls}
    posts = [
        Route(f"/{name}", endpoint(handle, wait=wait_of[name]), methods=["POST"]) for name, handle in bound.items()
    ]
    return [Route("/study", study), *posts]


def _study_page(study: Study) -> dict[str, Any]:
    """What the page is told of a study before anyone takes part."""
    return {
        "study_id": study.study_id,
        "title": study.title,
        "pages": {name: study.pages.get(name) for name in PAGES},
        "screening_block": None if study.screening is None else study.screening.block,
        "page": asdict(study.page),
    }


def _start(service: SessionService, body: dict[str, Any], _: str) -> dict[str, Any]:
    ids = PlatformIds(*(body.get(key) for key in ("platform", "assignment_id", "worker_id", "study_id")))  # type: ignore[arg-type]
    return vars(service.start(ids, trialset_id=body.get("trialset_id")))


def _record(service: SessionService, body: dict[str, Any], token: str) -> dict[str, Any]:
    responses = body.get("trials")
    if not isinstance(responses, list):
        raise InvalidRequest("expected a list of trials")
    stored, next_trial = service.record(token, responses)
    return {"stored": stored, "next_trial": next_trial}


def _screening(service: SessionService, _: dict[str, Any], token: str) -> dict[str, Any]:
    return {"passed": service.screening(token)}


def _finish(service: SessionService, _: dict[str, Any], token: str) -> dict[str, Any]:
    ending = service.finish(token)
    return {"state": ending.state, "code": ending.code, **asdict(ending.result)}


def _heartbeat(service: SessionService, _: dict[str, Any], token: str) -> dict[str, Any]:
    service.heartbeat(token)
    return {}


def _problem(service: SessionService, body: dict[str, Any], token: str) -> dict[str, Any]:
    service.report_problem(token, body)
    return {}


def _contact(service: SessionService, body: dict[str, Any], token: str) -> dict[str, Any]:
    service.leave_email(token, body.get("email"))
    return {}
