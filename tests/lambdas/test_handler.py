"""The assembled function, with boto3 only, against an emulated AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdas.assemble import assemble_session_api
from lwise_core.experiments.bundle import to_bundle
from lwise_core.experiments.payloads import expanded, participant_view
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from tests.aws import Place, StandIn
from tests.lambdas.conftest import CODE_PARAMETER, N_TRIALS
from tests.lambdas.container import Container, container
from tests.lambdas.events import event
from tests.sessions.conftest import answer

_IDS = {"platform": "prolific", "assignment_id": "session-5f1e", "worker_id": "worker-77ab", "study_id": "study-9c3d"}
_EMAIL = "ana@example.org"
_BYTES = 1_000_000


@pytest.fixture
def place(aws: StandIn) -> Place:
    aws.client("ssm").put_parameter(Name=CODE_PARAMETER, Value="CDONE42", Type="SecureString", Overwrite=True)
    return aws.new_place()


@pytest.fixture
def function(cloud_study: Study, aws: StandIn, place: Place, tmp_path: Path) -> Iterator[Container]:
    with container(tmp_path, cloud_study, aws, place) as running:
        yield running


def _call(function: Container, name: str, body: object, *, token: str | None = None, status: int = 200) -> Any:
    answered = function.answer(event(f"/api/{name}", body, token=token, method="GET" if body is None else "POST"))
    assert answered["statusCode"] == status, answered
    return json.loads(answered["body"])


def test_whole_session_through_the_function_is_stored(
    function: Container, cloud_study: Study, aws: StandIn, place: Place
) -> None:
    assert _call(function, "study", None)["title"] == "Moths"
    started = _call(function, "sessions", _IDS)
    trialset = build_trialset(cloud_study, 0)
    assert started["trialset"] == participant_view(cloud_study, trialset)
    token = started["token"]
    right = [trial["i_correct_choice"] for trial in expanded(cloud_study, trialset)]
    for index in range(2):
        stored = _call(function, "trials", {"trials": [answer(index, i_choice=right[index])]}, token=token)
        assert stored == {"stored": [index], "next_trial": index + 1}
    assert _call(function, "sessions", _IDS)["next_trial"] == 2
    assert "opened again" in _call(function, "heartbeat", {}, token=token, status=401)["error"]
    token = _call(function, "sessions", _IDS)["token"]
    rest = [answer(index, i_choice=right[index]) for index in range(2, N_TRIALS)]
    assert _call(function, "finish", {}, token=token, status=409)["missing"] == list(range(2, N_TRIALS))
    _call(function, "trials", {"trials": rest}, token=token)
    assert _call(function, "heartbeat", {}, token=token) == {}
    problem = {"kind": "page_error", "message": "x is undefined", "trial_index": 3}
    assert _call(function, "problems", problem, token=token) == {}
    assert _call(function, "screening", {}, token=token) == {"passed": True}
    assert _call(function, "finish", {}, token=token) == {
        "state": "completed",
        "code": "CDONE42",
        "n_trials": N_TRIALS,
        "n_correct": N_TRIALS,
        "accuracy": 1.0,
        "bonus_usd": 1.5,
    }
    assert _call(function, "contact", {"email": _EMAIL}, token=token) == {}

    store = aws.store(place)
    (session,) = store.sessions()
    assert (session.state, session.slot, session.holds_slot) == ("completed", 0, True)
    assert [record["i_choice"] for record in store.trials(session.participant)] == right
    assert [problem.message for _, problem in store.problems()] == ["x is undefined"]
    assert store.emails() == [_EMAIL]


def test_screened_out_participant_gets_the_screen_out_code(function: Container, cloud_study: Study) -> None:
    token = _call(function, "sessions", _IDS)["token"]
    trials = expanded(cloud_study, build_trialset(cloud_study, 0))
    wrong = [answer(trial["index"], i_choice=(trial["i_correct_choice"] + 1) % 3) for trial in trials]
    _call(function, "trials", {"trials": wrong}, token=token)
    ending = _call(function, "finish", {}, token=token)
    assert (ending["state"], ending["code"]) == ("screened_out", "COUT")


def test_log_has_a_line_per_request_and_no_ids(function: Container, aws: StandIn, place: Place) -> None:
    token = _call(function, "sessions", _IDS)["token"]
    _call(function, "trials", {"trials": [answer(0)]}, token=token)
    _call(function, "contact", {"email": _EMAIL}, token=token)
    _call(function, "contact", {"email": _EMAIL}, token="made-up", status=401)  # noqa: S106 - no password
    _call(function, "session-5f1e", {}, status=404)
    lines = function.logged()
    assert [(line["call"], line["status"], line["cold_start"]) for line in lines] == [
        ("sessions", 200, True),
        ("trials", 200, False),
        ("contact", 200, False),
        ("contact", 401, False),
        (None, 404, False),
    ]
    assert lines[0]["msec"] > 0
    assert all(line.keys() == {"call", "status", "msec", "cold_start"} for line in lines)
    (session,) = aws.store(place).sessions()
    text = function.log.read_text(encoding="utf-8")
    private = (*_IDS.values(), _EMAIL, token, "made-up", session.participant, "203.0.113.7", "c6af9ac6", "i_choice")
    assert not [name for name in private if name in text and name != "prolific"]


def test_exception_is_only_in_the_log(cloud_study: Study, aws: StandIn, place: Place, tmp_path: Path) -> None:
    with container(tmp_path, cloud_study, aws, replace(place, session_table="is-not-there")) as function:
        refused = _call(function, "sessions", _IDS, status=500)
        assert refused == {"error": "something went wrong on the server; its log says what"}
        (line,) = function.logged()
    assert (line["call"], line["status"], line["aws_error"]) == ("sessions", 500, "ResourceNotFoundException")
    assert "stores/dynamodb/" in line["traceback"]
    assert not [name for name in _IDS.values() if name in str(line)]


def test_function_imports_no_heavy_package(function: Container) -> None:
    _call(function, "study", None)
    function.process.stdin.close()  # type: ignore[union-attr]
    function.process.wait(timeout=30)
    loaded = set(function.log.read_text(encoding="utf-8").splitlines()[-1].split())
    heavy = {"torch", "numpy", "pandas", "pydantic", "yaml", "starlette", "sqlite3", "rich", "typer"}
    assert "lwise_core" in loaded
    assert not heavy & loaded


def test_zip_is_small_and_reproducible(cloud_study: Study, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    contents = []
    for folder in folders:
        folder.mkdir()
        assemble_session_api(folder, to_bundle(cloud_study))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert sum(map(len, contents[0].values())) <= _BYTES
    assert not [name for name in contents[0] if "authoring" in name or "sqlite" in name or "__pycache__" in name]
