"""Screening and completion codes: the server decides, from the stored answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.errors import InputError
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import CodeReferences, Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.local.server import completion_codes
from lwise_core.sessions.errors import TrialsMissing
from lwise_core.sessions.service import CompletionCodes, SessionService, StartedSession
from lwise_core.sessions.store import PlatformIds
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.experiments.conftest import DataSet, write_data_set, write_study
from tests.sessions.conftest import answer

_CLASSES = ("a", "b", "c")
_PER_CLASS = 2
_N_SCREENING = len(_CLASSES) * _PER_CLASS + 2
_CODES = CompletionCodes(completed="CDONE42", screened_out="COUT17")


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_data_set(tmp_path_factory.mktemp("images"), classes=_CLASSES, per_class={"train": 4, "val": 2})


def _config(**screening: object) -> dict[str, object]:
    return {
        "session_config": [
            {"screening": {"n_trials_per_class_train": _PER_CLASS, "n_calibration_trials": 2}},
            {"main": {"n_trials_per_class_val": 1, "bonus_usd_if_correct": 1}},
        ],
        "site": {"screening": screening},
    }


@pytest.fixture(scope="module")
def study(data_set: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Six main trials and two attention checks decide: four right answers, at least one of each class."""
    folder = tmp_path_factory.mktemp("study")
    return compile_study(write_study(folder, data_set, _config(min_correct=4, min_correct_per_class=1))).study


@pytest.fixture
def service(study: Study, tmp_path: Path) -> Iterator[SessionService]:
    store = SqliteStore(tmp_path / "sessions.sqlite3")
    yield SessionService(study, store, codes=_CODES)
    store.close()


def _start(service: SessionService, name: str = "one") -> StartedSession:
    return service.start(PlatformIds("prolific", name))


def _answer_screening(service: SessionService, started: StartedSession, n_right: dict[str, int]) -> None:
    """Answer the screening with so many right answers of each class; attention checks are all right."""
    trials = expanded(service.study, build_trialset(service.study, started.trialset["trialset_id"]))
    left = dict(n_right)
    for trial in trials[:_N_SCREENING]:
        right = trial["i_correct_choice"]
        is_right = bool(trial["calibration"]) or left[trial["class"]] > 0
        if not trial["calibration"]:
            left[trial["class"]] -= 1
        service.record(started.token, [answer(trial["index"], i_choice=right if is_right else (right + 1) % 3)])


@pytest.mark.parametrize(
    ("n_right", "passes"),
    [
        ({"a": 2, "b": 2, "c": 2}, True),
        ({"a": 2, "b": 1, "c": 1}, True),
        ({"a": 1, "b": 1, "c": 1}, False),
        ({"a": 2, "b": 2, "c": 0}, False),
        ({"a": 0, "b": 0, "c": 0}, False),
    ],
)
def test_screening_needs_enough_correct_answers_in_total_and_per_class(
    service: SessionService, n_right: dict[str, int], passes: bool
) -> None:
    started = _start(service)
    _answer_screening(service, started, n_right)
    assert service.screening(started.token) is passes


def test_screening_waits_for_all_answers_of_the_block(service: SessionService) -> None:
    started = _start(service)
    service.record(started.token, [answer(n) for n in range(_N_SCREENING - 1)])
    for ask in (service.screening, service.finish):
        with pytest.raises(TrialsMissing) as refusal:
            ask(started.token)
        assert refusal.value.missing[0] == _N_SCREENING - 1


def test_failed_screening_gives_the_screen_out_code_and_frees_the_slot(service: SessionService) -> None:
    started = _start(service)
    _answer_screening(service, started, {"a": 0, "b": 0, "c": 0})
    ending = service.finish(started.token)
    assert (ending.state, ending.code) == ("screened_out", "COUT17")
    assert _start(service).state == "screened_out"
    assert _start(service, "next").trialset["trialset_id"] == started.trialset["trialset_id"]
    states = {record["assignment_id"]: record["state"] for record in service.session_records()}
    assert states == {"one": "screened_out", "next": "started"}


def test_failed_screening_never_gives_the_completion_code(service: SessionService) -> None:
    """Going on past the screening and answering everything right changes nothing."""
    started = _start(service)
    _answer_screening(service, started, {"a": 0, "b": 2, "c": 2})
    trials = expanded(service.study, build_trialset(service.study, started.trialset["trialset_id"]))
    service.record(started.token, [answer(t["index"], i_choice=t["i_correct_choice"]) for t in trials])
    for _ in range(2):
        ending = service.finish(started.token)
        assert (ending.state, ending.code) == ("screened_out", "COUT17")


def test_completion_code_needs_every_answer(service: SessionService) -> None:
    started = _start(service)
    _answer_screening(service, started, {"a": 2, "b": 2, "c": 2})
    with pytest.raises(TrialsMissing):
        service.finish(started.token)
    service.record(started.token, [answer(n) for n in range(_N_SCREENING, _N_SCREENING + 3)])
    ending = service.finish(started.token)
    assert (ending.state, ending.code) == ("completed", "CDONE42")
    assert service.finish(started.token) == ending


def test_study_without_codes_gives_none(study: Study, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "plain.sqlite3")
    service = SessionService(study, store)
    started = _start(service)
    _answer_screening(service, started, {"a": 0, "b": 0, "c": 0})
    assert service.finish(started.token).code is None
    store.close()


def test_codes_are_in_neither_bundle_nor_page_data(service: SessionService) -> None:
    started = _start(service)
    text = json.dumps(started.trialset) + json.dumps(service.study.content())
    assert not [code for code in ("CDONE42", "COUT17") if code in text]


# --- where codes come from


def test_codes_are_read_from_environment_variables() -> None:
    references = CodeReferences("env:DONE", "env:OUT")
    assert completion_codes(references, {"DONE": "c1", "OUT": "c2"}) == CompletionCodes("c1", "c2")
    assert completion_codes(CodeReferences(None, None), {}) == CompletionCodes()
    for environment in ({"DONE": "c1"}, {"DONE": "c1", "OUT": ""}):
        with pytest.raises(InputError, match="environment variable OUT is not set"):
            completion_codes(references, environment)


def test_ssm_code_is_not_used_by_the_local_server() -> None:
    assert completion_codes(CodeReferences("ssm:/moths/done", "env:OUT"), {"OUT": "c2"}) == CompletionCodes(None, "c2")


# --- what is refused


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (_config(block="warmup", min_correct=1), "no block 'warmup'; expected one of screening, main"),
        (_config(min_correct=7), "requires 7 correct answers and 0 of each class, but block 'screening' has 6 main"),
        (_config(min_correct=1, min_correct_per_class=3), "and 3 of each class, but block 'screening' has 6"),
        (_config(min_corect=1), "site.screening.min_corect: unknown key; did you mean min_correct?"),
        (
            {**_config(min_correct=1), "deployment": {"completion_code": "CDONE42"}},
            "never put the code itself into this file",
        ),
    ],
    ids=["no-such-block", "too-many", "too-many-of-a-class", "typo", "the-code-itself"],
)
def test_impossible_screening_or_plain_code_is_rejected(
    data_set: DataSet, tmp_path: Path, config: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InputError) as refusal:
        compile_study(write_study(tmp_path, data_set, config))
    assert complaint in str(refusal.value)
