"""The server's calls as a participant's page makes them, over real HTTP."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lwise_core.experiments.payloads import expanded, participant_view
from lwise_core.experiments.trialset import build_trialset
from lwise_core.sessions.api import MAX_BODY_BYTES
from tests.local.conftest import Server
from tests.sessions.conftest import answer

_IDS = {"platform": "prolific", "assignment_id": "session 1", "worker_id": "worker 1", "study_id": "study 1"}
_N_TRIALS = 11
_NUMBERS = itertools.count()


@pytest.fixture
def somebody() -> dict[str, str]:
    """The ids of a new person."""
    number = next(_NUMBERS)
    return _IDS | {"assignment_id": f"session of person {number}", "worker_id": f"person {number}"}


def _start(client: httpx.Client, ids: Mapping[str, Any]) -> dict[str, Any]:
    """Start a session; from here on the client speaks for it."""
    started: dict[str, Any] = client.post("/api/sessions", json=ids).raise_for_status().json()
    client.headers["Authorization"] = f"Bearer {started['token']}"
    return started


# --- the way of a participant


def test_repeat_participant_is_rejected_politely(client: httpx.Client, somebody: dict[str, str]) -> None:
    _start(client, somebody)
    again = client.post("/api/sessions", json=somebody | {"assignment_id": "another one"})
    assert again.status_code == 403
    assert again.json() == {"error": "you have taken part in this study already; thank you"}


def test_participant_starts_answers_and_finishes(
    client: httpx.Client, server: Server, somebody: dict[str, str]
) -> None:
    started = _start(client, somebody)
    assert (started["state"], started["next_trial"]) == ("started", 0)
    trialset = build_trialset(server.compiled.study, started["trialset"]["trialset_id"])
    assert started["trialset"] == participant_view(server.compiled.study, trialset)
    trials = expanded(server.compiled.study, trialset)
    answers = [answer(trial["index"], i_choice=trial["i_correct_choice"]) for trial in trials]
    first = client.post("/api/trials", json={"trials": answers[:6]})
    assert (first.status_code, first.json()) == (200, {"stored": [0, 1, 2, 3, 4, 5], "next_trial": 6})
    assert _start(client, somebody)["next_trial"] == 6
    client.post("/api/trials", json={"trials": answers[6:]}).raise_for_status()
    finished = client.post("/api/finish", json={})
    assert (finished.status_code, finished.json()) == (
        200,
        {"state": "completed", "code": None, "n_trials": 6, "n_correct": 6, "accuracy": 1.0, "bonus_usd": 1.5},
    )
    assert _start(client, somebody)["state"] == "completed"


def test_study_page_is_public(client: httpx.Client, server: Server) -> None:
    assert client.get("/api/study").json() == {
        "study_id": "moths_1",
        "title": "Moths",
        "screening_block": None,
        "pages": {
            "consent": None,
            "task": "<p>Look at the <em>wings</em>.</p>\n",
            "test": None,
            "done": None,
            "screened_out": None,
        },
        "page": {
            "desktop_only": True,
            "min_window_px": 600,
            "calibrate_screen": False,
            "full_screen": False,
            "ask_email": False,
        },
    }


def test_page_sends_heartbeats_and_problems(client: httpx.Client, somebody: dict[str, str]) -> None:
    _start(client, somebody)
    report = {"kind": "page_error", "message": "x is undefined", "trial_index": None}
    for path, body in (("heartbeat", {}), ("problems", report)):
        answered = client.post(f"/api/{path}", json=body)
        assert (answered.status_code, answered.json()) == (200, {})
    assert client.post("/api/problems", json=report | {"kind": "gossip"}).status_code == 400
    assert client.post("/api/contact", json={"email": "a@example.org"}).status_code == 400


def test_concurrent_participants_have_all_answers_stored(server: Server) -> None:
    def take_part(number: int) -> int:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            trialset_id: int = _start(client, _IDS | {"assignment_id": f"crowd {number}", "worker_id": None})[
                "trialset"
            ]["trialset_id"]
            for index in range(_N_TRIALS):
                client.post("/api/trials", json={"trials": [answer(index)]}).raise_for_status()
            client.post("/api/finish", json={}).raise_for_status()
        return trialset_id

    with ThreadPoolExecutor(8) as crowd:
        assert len(set(crowd.map(take_part, range(16)))) == 16


def test_test_link_gives_its_trial_set(client: httpx.Client, somebody: dict[str, str]) -> None:
    started = _start(client, somebody | {"platform": "test", "trialset_id": 12})
    assert started["trialset"]["trialset_id"] == 12


def test_health_check(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "study": "moths_1"}


# --- what is refused


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "error"),
    [
        ("POST", "/api/sessions", {"content": ""}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": "{"}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": b"\xff\xfe\xfa"}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": "[" * 100_000}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": '{"platform":' * 9_000}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": "1" * 10_000}, 400, "expected JSON"),
        ("POST", "/api/sessions", {"content": "[]"}, 400, "expected a JSON object"),
        ("POST", "/api/sessions", {"content": "null"}, 400, "expected a JSON object"),
        ("POST", "/api/sessions", {"json": {}}, 400, "platform is not a text"),
        ("POST", "/api/sessions", {"json": _IDS | {"worker_id": [1]}}, 400, "worker_id is not a text"),
        ("POST", "/api/sessions", {"json": _IDS | {"platform": "test", "trialset_id": "x"}}, 400, "TRIALSET_ID is not"),
        ("POST", "/api/trials", {"json": {"trials": [answer(0)]}}, 401, "is unknown"),
        ("POST", "/api/finish", {"json": {}}, 401, "is unknown"),
        (
            "POST",
            "/api/finish",
            {"json": {}, "headers": {"Authorization": "Bearer x"}},
            401,
            "this session is unknown",
        ),
        (
            "POST",
            "/api/finish",
            {"json": {}, "headers": {"Authorization": b"Bearer \xff"}},
            401,
            "this session is unknown",
        ),
        ("GET", "/nowhere", {}, 404, "Not Found"),
        ("GET", "/api/nowhere", {}, 404, "Not Found"),
        ("POST", "/api/nowhere", {"json": {}}, 404, "Not Found"),
        ("GET", "/stimuli/nowhere.png", {}, 404, "no such image"),
        ("GET", "/api/sessions", {}, 405, "Method Not Allowed"),
        ("DELETE", "/api/trials", {}, 405, "Method Not Allowed"),
        ("POST", "/", {}, 405, "Method Not Allowed"),
        ("POST", "/api/sessions", {"content": b" " * (MAX_BODY_BYTES + 1)}, 413, "256 KB at most"),
        ("POST", "/api/sessions", {"content": b" " * (20 * MAX_BODY_BYTES)}, 413, "256 KB at most"),
    ],
)
def test_rejected_request_says_why(
    client: httpx.Client, method: str, path: str, request_: dict[str, Any], status: int, error: str
) -> None:
    refused = client.request(method, path, **request_)
    assert (refused.status_code, list(refused.json())) == (status, ["error"])
    assert error in refused.json()["error"]


@pytest.mark.parametrize(
    ("trials", "error"),
    [
        (None, "expected a list of trials"),
        ({"0": answer(0)}, "expected a list of trials"),
        ([], "expected 1 to 50 trials in a request, found 0"),
        ([answer(0)] * 51, "expected 1 to 50 trials in a request, found 51"),
        (["answer"], "a trial's index is not a whole number from 0 to 10"),
        ([answer(_N_TRIALS)], "a trial's index is not a whole number from 0 to 10"),
        ([answer(0), answer(1, i_choice=3)], "trial 1: i_choice is not one of the 3 choices"),
        ([answer(0), answer(1, frame_log=None)], "trial 1: frame_log is missing"),
    ],
)
def test_rejected_answers_are_not_stored(
    client: httpx.Client, somebody: dict[str, str], trials: object, error: str
) -> None:
    _start(client, somebody)
    refused = client.post("/api/trials", json={"trials": trials})
    assert (refused.status_code, refused.json()) == (400, {"error": error})
    assert _start(client, somebody)["next_trial"] == 0


def test_chunked_body_is_limited_too(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * MAX_BODY_BYTES

    assert client.post("/api/sessions", content=endless()).status_code == 413


def test_finishing_too_early_names_the_missing_trials(client: httpx.Client, somebody: dict[str, str]) -> None:
    _start(client, somebody)
    client.post("/api/trials", json={"trials": [answer(index) for index in range(_N_TRIALS) if index not in (2, 7)]})
    refused = client.post("/api/finish", json={})
    assert refused.status_code == 409
    assert refused.json() == {"error": "2 answers have not arrived yet", "missing": [2, 7]}


def test_page_with_a_replaced_token_is_rejected(client: httpx.Client, somebody: dict[str, str]) -> None:
    old = _start(client, somebody)["token"]
    _start(client, somebody)
    refused = client.post("/api/finish", json={}, headers={"Authorization": f"Bearer {old}"})
    assert refused.status_code == 401
    assert "opened again in another window" in refused.json()["error"]


def test_malformed_token_is_rejected(client: httpx.Client, somebody: dict[str, str]) -> None:
    token = _start(client, somebody)["token"]
    for header in (f"Basic {token}", token, f"Bearer {token}x", f"Bearer {token.lower()}"):
        assert client.post("/api/finish", json={}, headers={"Authorization": header}).status_code == 401
    assert client.post("/api/finish", json={}, headers={"Authorization": f"Bearer {token}"}).status_code == 409


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_BODIES = st.one_of(
    _JSON,
    st.fixed_dictionaries({}, optional=dict.fromkeys([*_IDS, "trialset_id", "trials"], _JSON)),
    st.fixed_dictionaries({"platform": st.sampled_from(["test", "a"]), "assignment_id": _JSON, "trialset_id": _JSON}),
    st.fixed_dictionaries({"trials": st.lists(_JSON, max_size=3)}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/api/sessions", "/api/trials", "/api/finish"]), body=_BODIES)
def test_any_json_body_gets_a_valid_response(
    client: httpx.Client, somebody: dict[str, str], path: str, body: object
) -> None:
    """One client for all examples, which must not affect each other."""
    if "Authorization" not in client.headers:
        _start(client, somebody)
    answered = client.post(path, content=json.dumps(body))
    assert answered.status_code in (200, 400, 409)
    assert ("error" in answered.json()) is (answered.status_code != 200)
