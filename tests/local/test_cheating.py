"""A script that speaks HTTP instead of a participant: what it must not get, change, or read before the end.

The cheat has the page's calls and the server's responses. Only the tests know the secrets.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.experiments.payloads import ROW_COLUMNS, expanded, participant_view
from lwise_core.experiments.trialset import build_trialset
from lwise_core.keyed_random import RandomStream
from lwise_core.local.server import open_records
from tests.experiments.conftest import BUDGETS, CLASSES, write_data_set, write_study
from tests.local.conftest import Server, picture_away
from tests.sessions.conftest import answer

_CODES: dict[str, str] = {"DONE_CODE": "CDONE42", "OUT_CODE": "COUT17"}
_ALIASES = ("Type A", "Type B", "Type C")
_SCREENING, _TRAINING, _TEST = range(3)
_N_TRIALS = 3 * 2 + 2 + 3 * 2 + 3 * 4
_STUDY: dict[str, Any] = {
    "session_config": [
        {"screening": {"n_trials_per_class_train": 2, "n_calibration_trials": 2, "show_feedback": False}},
        {"training": {"n_trials_per_class_train": 2}},
        {
            "exam": {
                "n_trials_per_class_val": 4,
                "show_feedback": False,
                "bonus_usd_if_correct": 0.25,
                "trial_types": {"unaltered": {}, "enhanced": {"variant": BUDGETS[0]}},
            }
        },
    ],
    "trial_config": {
        "choice_names_aliases": dict(zip(CLASSES, _ALIASES, strict=True)),
        "choice_aliases_random_shuffle": True,
    },
    "deployment": {
        "seed": 7_316_009_442_180_553_661,
        "num_conditions": 2,
        "platforms": ["prolific"],
        "completion_code": "env:DONE_CODE",
        "screen_out_code": "env:OUT_CODE",
    },
    "site": {"screening": {"min_correct": 4, "min_correct_per_class": 1}},
}
_CALLS: dict[str, Any] = {
    "trials": {"trials": [answer(0)]},
    "screening": {},
    "finish": {},
    "heartbeat": {},
    "problems": {"kind": "page_error", "message": "x", "trial_index": None},
    "contact": {"email": "a@example.org"},
}
"""The calls of a started session, with a body each."""

_NUMBERS = itertools.count()
_GUESSES = 1000


@dataclass
class Cheat:
    """Somebody's session, held by a script: `said` is every answer of the server to it."""

    client: httpx.Client
    ids: Mapping[str, Any]
    token: str
    started: Mapping[str, Any]
    said: list[httpx.Response]

    def post(self, call: str, body: object = None) -> httpx.Response:
        key = {"Authorization": f"Bearer {self.token}"}
        said = self.client.post(f"/api/{call}", json={} if body is None else body, headers=key)
        self.said.append(said)
        return said

    def send(self, *answers: Mapping[str, Any]) -> httpx.Response:
        return self.post("trials", {"trials": answers})

    @property
    def trialset_id(self) -> int:
        return int(self.started["trialset"]["trialset_id"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The trials as the page gets them."""
        trialset = self.started["trialset"]
        return [dict(zip(trialset["columns"], row, strict=True)) for row in trialset["rows"]]


@pytest.fixture(scope="module")
def compiled(place: Path) -> Iterator[CompiledStudy]:
    """A screening and a test without feedback, training in between; classes behind aliases; codes for both endings."""
    data_set = write_data_set(place / "images", per_class={"train": 6, "val": 5})
    with pytest.MonkeyPatch.context() as environment:
        for name, code in _CODES.items():
            environment.setenv(name, code)
        yield compile_study(write_study(place / "moths_1", data_set, _STUDY))


@pytest.fixture
def cheat(client: httpx.Client) -> Cheat:
    """A new person on a real platform."""
    return _somebody(client)


def _somebody(client: httpx.Client, **ids: Any) -> Cheat:
    number = next(_NUMBERS)
    person = {"platform": "prolific", "assignment_id": f"session {number}", "worker_id": f"person {number}", **ids}
    return _open(client, person)


def _open(client: httpx.Client, ids: Mapping[str, Any]) -> Cheat:
    said = client.post("/api/sessions", json=dict(ids)).raise_for_status()
    return Cheat(client, ids, said.json()["token"], said.json(), [said])


# --- what only the tests know


def _answer_key(server: Server, trialset_id: int) -> list[dict[str, Any]]:
    return expanded(server.compiled.study, build_trialset(server.compiled.study, trialset_id))


def _sheet(server: Server, trialset_id: int, *, right: bool, blocks: Sequence[int]) -> list[dict[str, Any]]:
    """Answers to the trials of some blocks, all right or all wrong."""
    return [
        answer(trial["index"], i_choice=(trial["i_correct_choice"] + (not right)) % len(CLASSES))
        for trial in _answer_key(server, trialset_id)
        if trial["block"] in blocks
    ]


def _stored(server: Server, cheat: Cheat) -> list[dict[str, Any]]:
    with open_records(server.data) as service:
        (session,) = [s for s in service.session_records() if s["assignment_id"] == cheat.ids["assignment_id"]]
        return [record for record in service.trial_records() if record["participant"] == session["participant"]]


def _session_record(server: Server, cheat: Cheat) -> dict[str, Any]:
    with open_records(server.data) as service:
        (session,) = [s for s in service.session_records() if s["assignment_id"] == cheat.ids["assignment_id"]]
        return session


def _codes_in(*said: httpx.Response) -> list[str]:
    return [code for code in _CODES.values() for one in said if code in one.text or code in str(one.headers)]


def _take_part(server: Server, cheat: Cheat, *, passes: bool) -> httpx.Response:
    """Every trial answered: the screening as asked, the rest right."""
    cheat.send(*_sheet(server, cheat.trialset_id, right=passes, blocks=[_SCREENING])).raise_for_status()
    rest = _sheet(server, cheat.trialset_id, right=True, blocks=[_TRAINING, _TEST])
    if passes:
        cheat.send(*rest).raise_for_status()
    return cheat.post("finish")


# --- the code


def test_codes_are_given_to_those_who_earn_them(server: Server, client: httpx.Client) -> None:
    """Otherwise no test below could fail."""
    assert _take_part(server, _somebody(client), passes=True).json() == {
        "state": "completed",
        "code": _CODES["DONE_CODE"],
        "n_trials": 18,
        "n_correct": 18,
        "accuracy": 1.0,
        "bonus_usd": 3.0,
    }
    assert _take_part(server, _somebody(client), passes=False).json()["code"] == _CODES["OUT_CODE"]


def test_code_needs_every_answer(server: Server, cheat: Cheat) -> None:
    """After each answer the script tries to end the session."""
    sheet = _sheet(server, cheat.trialset_id, right=True, blocks=[_SCREENING, _TRAINING, _TEST])
    assert len(sheet) == _N_TRIALS
    for one in (None, *sheet[:-1]):
        if one is not None:
            cheat.send(one)
        for body in ({}, {"state": "completed", "outcome": "completed", "n_trials": 0, "passed": True}):
            refused = cheat.post("finish", body)
            assert (refused.status_code, set(refused.json())) == (409, {"error", "missing"})
    assert _codes_in(*cheat.said) == []


def test_screening_cannot_be_skipped(server: Server, cheat: Cheat) -> None:
    cheat.send(*_sheet(server, cheat.trialset_id, right=True, blocks=[_TRAINING, _TEST]))
    for call in ("screening", "finish"):
        refused = cheat.post(call)
        assert (refused.status_code, refused.json()["missing"]) == (409, list(range(8)))
    assert _codes_in(*cheat.said) == []


def test_failed_screening_is_final(server: Server, cheat: Cheat) -> None:
    """Neither better answers, nor a forged result, nor coming again under the same ids turn it around."""
    cheat.send(*_sheet(server, cheat.trialset_id, right=False, blocks=[_SCREENING]))
    assert cheat.post("screening", {"passed": True}).json() == {"passed": False}
    everything = _sheet(server, cheat.trialset_id, right=True, blocks=[_SCREENING, _TRAINING, _TEST])
    cheat.send(*everything)
    assert cheat.post("screening").json() == {"passed": False}
    again = _open(cheat.client, cheat.ids)
    again.send(*everything)
    for _ in range(2):
        again = _open(cheat.client, cheat.ids)
        ending = again.post("finish", {"state": "completed", "outcome": "completed"}).json()
        assert (ending["state"], ending["code"]) == ("screened_out", _CODES["OUT_CODE"])
        assert _codes_in(*again.said) == [_CODES["OUT_CODE"]]
    assert _codes_in(*cheat.said) == []
    assert _session_record(server, cheat)["state"] == "screened_out"


def test_screened_out_worker_cannot_start_another_assignment(server: Server, cheat: Cheat) -> None:
    _take_part(server, cheat, passes=False)
    for assignment in ("another", cheat.ids["assignment_id"] + " "):
        refused = cheat.client.post("/api/sessions", json={**cheat.ids, "assignment_id": assignment})
        assert (refused.status_code, list(refused.json())) == (403, ["error"])


def test_test_platform_gets_no_code(server: Server, cheat: Cheat) -> None:
    """Otherwise a screened-out participant could repeat the screening as `test` until it is passed."""
    _take_part(server, cheat, passes=False)
    trying = _somebody(cheat.client, platform="test", trialset_id=cheat.trialset_id)
    ending = _take_part(server, trying, passes=True)
    assert ending.json()["state"] == "completed"
    assert _codes_in(ending) == []


@pytest.mark.parametrize("ends_first", [True, False], ids=["after-the-end", "before-the-end"])
def test_answers_after_a_failed_screening_earn_no_bonus(server: Server, cheat: Cheat, ends_first: bool) -> None:
    cheat.send(*_sheet(server, cheat.trialset_id, right=False, blocks=[_SCREENING])).raise_for_status()
    if ends_first:
        assert cheat.post("finish").json()["bonus_usd"] == 0
    cheat.send(*_sheet(server, cheat.trialset_id, right=True, blocks=[_TRAINING, _TEST]))
    ending = cheat.post("finish").json()
    assert (ending["state"], ending["bonus_usd"]) == ("screened_out", 0)
    assert _session_record(server, cheat)["bonus_usd"] == 0


# --- somebody else's session


def test_guessed_token_is_rejected(server: Server, cheat: Cheat) -> None:
    token = cheat.token
    made_up = [
        *("x", "null", "undefined", "0", "%", "*", "' OR 1=1 --", "A" * len(token), "A" * 10_000),
        *(token[:-1], token[1:], token[: len(token) // 2], f"{token}=", f"{token} {token}", token.swapcase()),
        *(f"{token},{token}", token[::-1], str(cheat.ids["assignment_id"])),
    ]
    keys = [{}, *({"Authorization": key} for key in ("", "Bearer", *(f"Bearer {wrong}" for wrong in made_up)))]
    for key in keys:
        for call, body in _CALLS.items():
            refused = cheat.client.post(f"/api/{call}", json=body, headers=key)
            assert (refused.status_code, list(refused.json())) == (401, ["error"]), key
    assert _stored(server, cheat) == []


def test_data_file_has_no_tokens(server: Server, cheat: Cheat) -> None:
    kept = b"".join(path.read_bytes() for path in server.data.iterdir())
    digest = hashlib.sha256(cheat.token.encode()).hexdigest()
    assert digest.encode() in kept
    assert cheat.token.encode() not in kept
    refused = cheat.client.post("/api/finish", json={}, headers={"Authorization": f"Bearer {digest}"})
    assert refused.status_code == 401


def test_old_token_is_invalid_after_reopening(server: Server, cheat: Cheat) -> None:
    again = _open(cheat.client, cheat.ids)
    for call, body in _CALLS.items():
        assert cheat.post(call, body).status_code == 401
    assert _stored(server, cheat) == []
    assert again.send(answer(0)).json() == {"stored": [0], "next_trial": 1}


def test_assignment_is_opened_by_its_own_worker_only(cheat: Cheat) -> None:
    """Or a stranger shuts the participant out, whose token is void from then on, and answers in its place."""
    refused = cheat.client.post("/api/sessions", json={**cheat.ids, "worker_id": "somebody else"})
    assert 400 <= refused.status_code < 500
    assert cheat.send(answer(0)).status_code == 200


def test_token_is_read_from_its_header_only(cheat: Cheat) -> None:
    """Neither in the address, nor in a cookie, nor in the body."""
    url, client = "/api/finish", cheat.client
    for refused in (
        client.post(url, params={"token": cheat.token, "Authorization": f"Bearer {cheat.token}"}, json={}),
        client.post(url, headers={"Cookie": f"token={cheat.token}; Authorization=Bearer {cheat.token}"}, json={}),
        client.post(url, json={"token": cheat.token, "Authorization": f"Bearer {cheat.token}"}),
    ):
        assert refused.status_code == 401


# --- the trial set and the condition


def test_participant_cannot_choose_the_trial_set(server: Server, client: httpx.Client) -> None:
    """Whatever it asks for, arrivals get one after the other."""
    number_of = [_somebody(client).trialset_id]
    for wish in (0, 7, 10**6, -1, None, "3", [1]):
        cheat = _somebody(
            client,
            trialset_id=wish,
            slot=wish,
            condition_idx=1,
            condition=1,
            TRIALSET_ID=wish,
            seed=1,
            state="completed",
        )
        number_of.append(cheat.trialset_id)
        dealt = participant_view(server.compiled.study, build_trialset(server.compiled.study, cheat.trialset_id))
        assert cheat.started["trialset"] == dealt
        asked = _open(client, {**cheat.ids, "trialset_id": 0})
        assert asked.trialset_id == cheat.trialset_id
        by_address = client.post("/api/sessions?trialset_id=0&TRIALSET_ID=0", json=cheat.ids).json()
        assert by_address["trialset"]["trialset_id"] == cheat.trialset_id
    assert number_of == list(range(number_of[0], number_of[0] + len(number_of)))


@pytest.mark.parametrize("platform", ["Test", "test ", "TEST", "tеst", "mturk", "inperson", "Prolific"])
def test_similar_platform_name_is_another_platform(client: httpx.Client, platform: str) -> None:
    ids = {"platform": platform, "assignment_id": "any", "worker_id": "any", "trialset_id": 3}
    refused = client.post("/api/sessions", json=ids)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])


# --- taking part twice


def test_worker_cannot_take_part_twice(server: Server, cheat: Cheat) -> None:
    """Under another assignment or study, before the end and after."""
    others = [
        {"assignment_id": "another"},
        {"assignment_id": "another", "study_id": "another"},
        {"assignment_id": "another", "trialset_id": 3},
        {"assignment_id": cheat.ids["assignment_id"].upper()},
    ]
    for moment in ("before", "after"):
        for changes in others:
            refused = cheat.client.post("/api/sessions", json={**cheat.ids, **changes})
            assert refused.status_code == 403, moment
            assert refused.json() == {"error": "you have taken part in this study already; thank you"}
        _take_part(server, cheat, passes=True)


def test_concurrent_attempts_of_a_worker_give_one_session(server: Server) -> None:
    number = next(_NUMBERS)

    def attempt(place: int) -> int:
        ids = {"platform": "prolific", "assignment_id": f"attempt {number} {place}", "worker_id": f"person {number}"}
        return httpx.post(f"{server.url}/api/sessions", json=ids, timeout=30).status_code

    with ThreadPoolExecutor(16) as threads:
        assert Counter(threads.map(attempt, range(32))) == {200: 1, 403: 31}
    with open_records(server.data) as service:
        assert [s["worker_id"] for s in service.session_records()].count(f"person {number}") == 1


def test_completed_session_cannot_be_restarted(server: Server, cheat: Cheat) -> None:
    ending = _take_part(server, cheat, passes=True).json()
    before = _stored(server, cheat)
    again = _open(cheat.client, cheat.ids)
    assert (again.started["state"], again.started["next_trial"]) == ("completed", _N_TRIALS)
    again.send(*_sheet(server, cheat.trialset_id, right=False, blocks=[_SCREENING, _TRAINING, _TEST]))
    assert again.post("finish").json() == ending
    assert _stored(server, cheat) == before


# --- forged answers


_FORGED: dict[str, Any] = {
    "perf": 1,
    "bonus_usd_if_correct": 100,
    "bonus_usd": 1000,
    "class": "forged",
    "choice_name": "forged",
    "i_correct_choice": 0,
    "show_feedback": True,
    "calibration": 1,
    "trial_type": "repeat_stimulus",
    "block": _TEST,
    "block_name": "forged",
    "condition_idx": 9,
    "trialset_id": 10**6,
    "participant": "p0000000000000000",
    "platform": "forged",
    "obs": 99,
    "trial_number": 100,
    "im_path": "forged",
    "variant": "forged",
    "passed": True,
    "outcome": "completed",
    "state": "completed",
}


def test_answer_cannot_set_server_fields(server: Server, cheat: Cheat) -> None:
    """A forged and an honest session of the same wrong answers end the same, with the same records."""
    honest = _somebody(cheat.client, platform="test", trialset_id=cheat.trialset_id)
    wrong = _sheet(server, cheat.trialset_id, right=False, blocks=[_SCREENING, _TRAINING, _TEST])
    honest.send(*wrong).raise_for_status()
    forged = [
        {**one, **_FORGED, **{part: {**one[part], **_FORGED} for part in ("frame_log", "surroundings")}}
        for one in wrong
    ]
    cheat.post("trials", {**_FORGED, "trials": forged}).raise_for_status()
    whose = {"participant", "platform"}
    for ours, theirs in zip(_stored(server, cheat), _stored(server, honest), strict=True):
        assert {**ours, **dict.fromkeys(whose)} == {**theirs, **dict.fromkeys(whose)}
        assert "forged" not in ours.values()
    assert cheat.post("screening", _FORGED).json() == {"passed": False}
    ending = cheat.post("finish", _FORGED).json()
    assert (ending["state"], ending["n_correct"], ending["bonus_usd"]) == ("screened_out", 0, 0.0)
    record = _session_record(server, cheat)
    assert (record["trialset_id"], record["platform"], record["bonus_usd"]) == (cheat.trialset_id, "prolific", 0.0)


def test_second_answer_is_ignored(server: Server, cheat: Cheat) -> None:
    """Sent again alone, in a batch, twice in one request, or after the session was opened again."""
    blocks = [_SCREENING, _TRAINING, _TEST]
    wrong = _sheet(server, cheat.trialset_id, right=False, blocks=blocks)
    right = _sheet(server, cheat.trialset_id, right=True, blocks=blocks)
    cheat.send(wrong[0], right[0]).raise_for_status()
    for one, better in zip(wrong, right, strict=True):
        cheat.send(one).raise_for_status()
        cheat.send(better).raise_for_status()
    cheat.send(*right).raise_for_status()
    _open(cheat.client, cheat.ids).send(*right).raise_for_status()
    assert [record["i_choice"] for record in _stored(server, cheat)] == [one["i_choice"] for one in wrong]


def test_concurrent_answers_to_a_trial_are_stored_once(server: Server, cheat: Cheat) -> None:
    """A script that tries every choice at the same time still has one try."""

    def attempt(number: int) -> int:
        key = {"Authorization": f"Bearer {cheat.token}"}
        body = {"trials": [answer(index, i_choice=number % len(CLASSES)) for index in range(8)]}
        return httpx.post(f"{server.url}/api/trials", json=body, headers=key, timeout=30).status_code

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(attempt, range(24))) == {200}
    stored = _stored(server, cheat)
    assert [record["obs"] for record in stored] == list(range(8))
    assert len({record["i_choice"] for record in stored}) == 1


@pytest.mark.parametrize("index", [-1, _N_TRIALS, 10**6, 10**30, 0.0, 1.5, "0", True, None, [0], {"index": 0}])
def test_answer_to_a_missing_trial_is_rejected(server: Server, cheat: Cheat, index: object) -> None:
    refused = cheat.send(answer(0), {**answer(0), "index": index})
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert _stored(server, cheat) == []


@pytest.mark.parametrize("choice", [-1, len(CLASSES), 10**30, 0.0, "0", "Type A", True, [0, 1, 2], {"0": 1}])
def test_invalid_choice_is_rejected(server: Server, cheat: Cheat, choice: object) -> None:
    refused = cheat.send(answer(0, i_choice=choice))
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert _stored(server, cheat) == []


# --- what can be read before the end


def _ask_everything(server: Server, cheat: Cheat) -> list[httpx.Response]:
    """Whatever the server can be made to say without ending the session: pages, pictures, answers, complaints."""
    client, said = cheat.client, cheat.said
    # Who fails the screening is at the end already.
    cheat.send(*_sheet(server, cheat.trialset_id, right=True, blocks=[_SCREENING]))
    for index in range(_N_TRIALS - 1):
        cheat.send(answer(index))
        cheat.send(answer(index, i_choice=1))
        cheat.send(answer(index, i_choice=99))
        cheat.send(answer(index, reaction_time_msec="x"))
        cheat.send(answer(index, frame_log={}))
    cheat.send(answer(_N_TRIALS))
    for call in ("screening", "finish", "trials", "sessions", "nowhere"):
        cheat.post(call)
        said.append(client.get(f"/api/{call}"))
        said += [client.post(f"/api/{call}", content=content) for content in ("{", "{}")]
    said += [client.get(path) for path in ("/", "/assets/page-1a2b.js", "/healthz", "/nowhere", "/stimuli/", "/data/")]
    for row in cheat.rows:
        if row["file"] is not None:
            said += [client.request(method, f"/stimuli/{row['file']}") for method in ("GET", "HEAD", "POST")]
            said.append(client.get(f"/stimuli/{row['file']}", headers={"Range": "bytes=9999-"}))
    name, path = next(iter(server.compiled.files.items()))
    with picture_away(path):
        said.append(client.get(f"/stimuli/{name}"))
    return said


def test_responses_before_the_end_do_not_name_the_class(server: Server, cheat: Cheat) -> None:
    said = _ask_everything(server, cheat)
    study = server.compiled.study
    secrets = {
        *study.classes,
        *(image.im_path for image in study.images),
        *(Path(image.im_path).stem + ".png" for image in study.images),
        *(source.variant for source in study.sources if source.variant is not None),
        *("im_path", "unaltered", "enhanced", str(server.data.parent)),
        *_CODES.values(),
        *_CODES,
    }
    assert {one.status_code for one in said} >= {200, 400, 401, 404, 405, 409, 416, 500}
    for one in said:
        is_text = "image" not in one.headers["content-type"]
        text = str(one.headers) + (one.text if is_text else "")
        assert [secret for secret in secrets if secret in text] == [], one.url


def test_trial_row_has_the_answer_only_with_feedback(server: Server, cheat: Cheat) -> None:
    assert cheat.started["trialset"]["columns"] == list(ROW_COLUMNS)
    key = _answer_key(server, cheat.trialset_id)
    for row, trial in zip(cheat.rows, key, strict=True):
        assert row["i_correct_choice"] == (trial["i_correct_choice"] if row["block"] == _TRAINING else None)
    said = json.dumps([one.json() for one in _ask_everything(server, cheat)[1:] if "json" in str(one.headers)])
    assert "i_correct" not in said
    assert "perf" not in said


def test_response_to_a_test_answer_does_not_depend_on_correctness(server: Server, client: httpx.Client) -> None:
    one = _somebody(client)
    other = _somebody(client, platform="test", trialset_id=one.trialset_id)
    right = _sheet(server, one.trialset_id, right=True, blocks=[_TEST])
    wrong = _sheet(server, one.trialset_id, right=False, blocks=[_TEST])
    for good, bad in zip(right, wrong, strict=True):
        said, said_of_bad = one.send(good), other.send(bad)
        assert said.content == said_of_bad.content
        assert _without_date(said) == _without_date(said_of_bad)


def _without_date(said: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in said.headers.items() if name != "date"}


def test_test_platform_does_not_reveal_correct_answers(server: Server, cheat: Cheat) -> None:
    """A script tries its own trial set as `test`, each time with another choice for one trial, and compares."""
    trial = next(index for index, row in enumerate(cheat.rows) if row["block"] == _TEST)
    n_right = []
    for choice in range(len(CLASSES)):
        trying = _somebody(cheat.client, platform="test", trialset_id=cheat.trialset_id)
        sheet = _sheet(server, cheat.trialset_id, right=True, blocks=[_SCREENING])
        trying.send(*sheet).raise_for_status()
        rest = [index for index, row in enumerate(cheat.rows) if row["block"] != _SCREENING]
        trying.send(*(answer(index, i_choice=choice if index == trial else 0) for index in rest)).raise_for_status()
        n_right.append(trying.post("finish").json().get("n_correct"))
    assert len(set(n_right)) == 1


def test_test_platform_does_not_reveal_the_screening(server: Server, cheat: Cheat) -> None:
    """Otherwise a script could try the screening of its own trial set until it knows the answers."""
    told = []
    for right in (True, False):
        trying = _somebody(cheat.client, platform="test", trialset_id=cheat.trialset_id)
        trying.send(*_sheet(server, cheat.trialset_id, right=right, blocks=[_SCREENING])).raise_for_status()
        told.append(trying.post("screening").json())
    assert told[0] == told[1]


# --- classes told apart without looking


def test_image_names_reveal_nothing(server: Server, cheat: Cheat) -> None:
    """All alike in form and length, in no order, and the same folder whatever the class or the variant."""
    study = server.compiled.study
    names = [name for image in study.images for name in image.objects.values()]
    assert len(set(names)) == len(names)
    assert {(len(name), Path(name).suffix) for name in names} == {(36, ".png")}
    assert cheat.started["trialset"]["folders"] == ["stimuli/"]
    of_class = [image.class_num for image in study.images for _ in image.objects]
    ranked = [number for _, number in sorted(zip(names, of_class, strict=True))]
    runs = 1 + sum(here != there for here, there in itertools.pairwise(ranked))
    n_pictures = len(ranked)
    # Classes in order make three runs; a random order makes two thirds of as many runs as there are pictures.
    assert 0.45 * n_pictures < runs < 0.9 * n_pictures


def test_kinds_and_offers_do_not_depend_on_the_class(server: Server, cheat: Cheat) -> None:
    """Within the test every row says the same but for its picture, whichever variant it shows."""
    rows = [row for row in cheat.rows if row["block"] == _TEST]
    assert len({json.dumps({**row, "file": None}) for row in rows}) == 1


def test_trial_position_does_not_reveal_the_class(server: Server) -> None:
    """Over many trial sets each place of the test shows each class, and each is right as often as the others."""
    n_sets = 600
    classes_at: dict[int, Counter[str]] = defaultdict(Counter)
    choices_at: dict[int, Counter[int]] = defaultdict(Counter)
    for trialset_id in range(n_sets):
        for trial in _answer_key(server, trialset_id):
            if trial["block"] == _TEST:
                classes_at[trial["index"]][trial["class"]] += 1
                choices_at[trial["index"]][trial["i_correct_choice"]] += 1
    # Five standard deviations of a count of one in three.
    spread = 5 * (n_sets * 1 / 3 * 2 / 3) ** 0.5
    for counts in (*classes_at.values(), *choices_at.values()):
        assert len(counts) == len(CLASSES)
        assert all(abs(count - n_sets / 3) < spread for count in counts.values())


def test_image_headers_do_not_reveal_the_file_time(server: Server, cheat: Cheat) -> None:
    """Images are written class by class: sorting them by time would sort them by class."""
    for name in [row["file"] for row in cheat.rows if row["file"] is not None]:
        told = []
        for written in (1_700_000_000, 1_700_003_600):
            os.utime(server.compiled.files[name], (written, written))
            told.append(_without_date(cheat.client.get(f"/stimuli/{name}")))
        assert told[0] == told[1]


def test_correct_answers_cannot_be_computed_from_public_data(server: Server, cheat: Cheat) -> None:
    """The script tries seeds until the training matches the page's, then reads the test."""
    guesses = [
        guess for seed in range(_GUESSES) if (guess := _computed_answers(seed, cheat.trialset_id, cheat)) is not None
    ]
    key = [trial["i_correct_choice"] for trial in _answer_key(server, cheat.trialset_id)]
    in_test = [index for index, row in enumerate(cheat.rows) if row["block"] == _TEST]
    best = max((sum(guess[index] == key[index] for index in in_test) for guess in guesses), default=0)
    assert best < len(in_test)


def _computed_answers(seed: int, trialset_id: int, cheat: Cheat) -> list[int | None] | None:
    """The right choice of every trial if the study has this seed; None if the training contradicts it.

    Trials are made class by class and then shuffled, so that only their number is needed to know where each class went.
    """
    draws, classes = RandomStream(seed, trialset_id, "order"), list[int | None]()
    place_of: dict[int | None, int] = {}
    for _, group in itertools.groupby(cheat.rows, key=lambda row: row["block"]):
        rows = list(group)
        n_checks = sum(row["file"] is None for row in rows)
        per_class = (len(rows) - n_checks) // len(CLASSES)
        made: list[int | None] = [number for number in range(len(CLASSES)) for _ in range(per_class)]
        classes += draws.shuffled([*made, *[None] * n_checks])
    for row, number in zip(cheat.rows, classes, strict=True):
        told = row["i_correct_choice"]
        if told is not None and place_of.setdefault(number, told) != told:
            return None
    if len(set(place_of.values())) != len(place_of):
        return None
    return [place_of.get(number) for number in classes]
