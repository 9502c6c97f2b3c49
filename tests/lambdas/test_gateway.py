"""Events become calls, and results become responses with the right status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lambdas.session_api.gateway import Answer, answer
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.sessions.api import MAX_BODY_BYTES
from lwise_core.sessions.service import CompletionCodes, SessionService
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.lambdas.conftest import N_TRIALS
from tests.lambdas.events import event
from tests.sessions.conftest import answer as answer_to_trial

_IDS = {"platform": "prolific", "assignment_id": "session 1", "worker_id": "worker 1", "study_id": "study 1"}

Ask = Callable[..., Answer]


@pytest.fixture
def ask(cloud_study: Study, tmp_path: Path) -> Iterator[Ask]:
    """Sends an event to a service that gives out references."""
    with closing(SqliteStore(tmp_path / "sessions.sqlite3")) as store:
        references = CompletionCodes(cloud_study.codes.completion, cloud_study.codes.screen_out)
        service = SessionService(cloud_study, store, codes=references)
        yield lambda *args, **kwargs: answer(event(*args, **kwargs), service, lambda reference: f"code of {reference}")


def _start(ask: Ask, **changes: str) -> str:
    token: str = ask("/api/sessions", _IDS | changes).content["token"]
    return token


def _answers(study: Study, *, n_right: int) -> list[dict[str, Any]]:
    trials = expanded(study, build_trialset(study, 0))
    right = [trial["i_correct_choice"] for trial in trials]
    return [answer_to_trial(n, i_choice=right[n] if n < n_right else (right[n] + 1) % 3) for n in range(N_TRIALS)]


@pytest.mark.parametrize(
    ("n_right", "state", "code"),
    [(N_TRIALS, "completed", "code of ssm:/lwise/moths/done"), (1, "screened_out", "code of env:OUT_CODE")],
)
def test_earned_code_is_read_at_the_end(ask: Ask, cloud_study: Study, n_right: int, state: str, code: str) -> None:
    token = _start(ask)
    stored = ask("/api/trials", {"trials": _answers(cloud_study, n_right=n_right)}, token=token)
    assert (stored.status, stored.content) == (200, {"stored": list(range(N_TRIALS)), "next_trial": N_TRIALS})
    ended = ask("/api/finish", {}, token=token)
    assert (ended.status, ended.content["state"], ended.content["code"]) == (200, state, code)


def test_unearned_code_is_not_read(ask: Ask, cloud_study: Study) -> None:
    token = _start(ask, platform="test")
    ask("/api/trials", {"trials": _answers(cloud_study, n_right=N_TRIALS)}, token=token)
    assert ask("/api/finish", {}, token=token).content["code"] is None


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        (event("/api/sessions", None), 400, "expected JSON"),
        (event("/api/sessions", "{"), 400, "expected JSON"),
        (event("/api/sessions", "\ud800"), 400, "expected JSON"),
        (event("/api/sessions", "[" * 100_000), 400, "expected JSON"),
        (event("/api/sessions", []), 400, "expected a JSON object"),
        (event("/api/sessions", "{}") | {"body": "%%%", "isBase64Encoded": True}, 400, "expected JSON"),
        (event("/api/sessions", {}), 400, "platform is not a text"),
        (event("/api/trials", {"trials": {}}), 400, "expected a list of trials"),
        (event("/api/finish", {}), 401, "this session is unknown"),
        (event("/api/finish", {}, token="made up"), 401, "this session is unknown"),  # noqa: S106 - no password
        (event("/api/finish", {}) | {"headers": None}, 401, "this session is unknown"),
        (event("/api/nowhere", {}), 404, "Not Found"),
        (event("/api/", {}), 404, "Not Found"),
        (event("sessions", _IDS), 404, "Not Found"),
        (event("/", None, method="GET"), 404, "Not Found"),
        (event("/api/sessions", None, method="GET"), 405, "Method Not Allowed"),
        (event("/api/study", {}, method="POST"), 405, "Method Not Allowed"),
        (event("/api/sessions", " " * (MAX_BODY_BYTES + 1)), 413, "256 KB at most"),
        (event("/api/sessions", " " * (MAX_BODY_BYTES + 1), is_base64=True), 413, "256 KB at most"),
    ],
)
def test_rejected_request_says_why(
    cloud_study: Study, tmp_path: Path, asked: dict[str, Any], status: int, error: str
) -> None:
    with closing(SqliteStore(tmp_path / "sessions.sqlite3")) as store:
        refused = answer(asked, SessionService(cloud_study, store), str)
        assert list(store.sessions()) == []
    assert (refused.status, list(refused.content)) == (status, ["error"])
    assert error in refused.content["error"]


def test_wrong_method_names_the_allowed_one(ask: Ask) -> None:
    assert ask("/api/trials", None, method="DELETE").for_gateway()["headers"]["Allow"] == "POST"


def test_rejected_participant_is_informed(ask: Ask) -> None:
    _start(ask)
    again = ask("/api/sessions", _IDS | {"assignment_id": "another"})
    stranger = ask("/api/sessions", _IDS | {"worker_id": "another"})
    assert (again.status, stranger.status) == (403, 403)
    for number in (2, 3):
        _start(ask, assignment_id=f"session {number}", worker_id=f"worker {number}")
    late = ask("/api/sessions", _IDS | {"assignment_id": "late", "worker_id": "late"})
    assert (late.status, late.content) == (
        410,
        {"error": "all places in this study are taken; thank you for your interest"},
    )


def test_finishing_too_early_names_the_missing_trials(ask: Ask) -> None:
    token = _start(ask)
    ask("/api/trials", {"trials": [answer_to_trial(n) for n in range(N_TRIALS) if n != 3]}, token=token)
    early = ask("/api/finish", {}, token=token)
    assert (early.status, early.content["missing"]) == (409, [3])


@pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
def test_header_names_are_case_insensitive(ask: Ask, header: str) -> None:
    assert ask("/api/heartbeat", {}, token=_start(ask), header=header).status == 200


def test_body_may_be_base64(ask: Ask) -> None:
    assert ask("/api/sessions", _IDS, is_base64=True).content["state"] == "started"


def test_response_is_uncached_json(ask: Ask) -> None:
    sent = ask("/api/study", None, method="GET").for_gateway()
    assert (sent["statusCode"], sent["isBase64Encoded"]) == (200, False)
    assert sent["headers"] == {"Content-Type": "application/json", "Cache-Control": "no-store"}
    assert json.loads(sent["body"])["title"] == "Moths"
