"""Problems and e-mail addresses from a page: validated, limited, and stored apart from the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lwise_core.experiments.study import PageSettings, Study
from lwise_core.sessions.errors import InvalidRequest, UnknownToken
from lwise_core.sessions.service import MAX_PROBLEMS, SessionService
from lwise_core.sessions.store import PlatformIds, SessionStore
from tests.sessions.conftest import N_TRIALS

_REPORT = {"kind": "picture_missing", "message": "0123abcd.png could not be loaded", "trial_index": 3}


@pytest.fixture
def token(service: SessionService) -> str:
    return service.start(PlatformIds("prolific", "s", worker_id="w")).token


@pytest.fixture
def asking(study: Study, store: SessionStore) -> SessionService:
    """The service of a study that asks for addresses."""
    return SessionService(replace(study, page=PageSettings(ask_email=True)), store)


def test_problem_is_stored_with_its_time_under_the_pseudonym(service: SessionService, token: str) -> None:
    service.report_problem(token, _REPORT)
    service.report_problem(token, {"kind": "page_error", "message": "größer", "trial_index": None})
    (participant,) = [record["participant"] for record in service.session_records()]
    kept = [(who, problem.kind, problem.message, problem.trial_index) for who, problem in service.problems()]
    assert kept == [(participant, *_REPORT.values()), (participant, "page_error", "größer", None)]
    times = [problem.at for _, problem in service.problems()]
    assert times == sorted(times)
    assert times[0].startswith("2026-01-31T12:")


def test_number_of_stored_problems_is_limited(service: SessionService, token: str) -> None:
    for number in range(MAX_PROBLEMS + 5):
        service.report_problem(token, {**_REPORT, "message": f"number {number}"})
    assert [problem.message for _, problem in service.problems()] == [f"number {n}" for n in range(MAX_PROBLEMS)]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "gossip"},
        {"kind": None},
        {"kind": ["page_error"]},
        {"message": ""},
        {"message": None},
        {"message": "x" * 501},
        {"message": "two\nlines"},
        {"message": "\ud800"},
        {"trial_index": -1},
        {"trial_index": N_TRIALS},
        {"trial_index": True},
        {"trial_index": 1.0},
        {"trial_index": "1"},
    ],
    ids=str,
)
def test_invalid_problem_report_is_rejected(service: SessionService, token: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        service.report_problem(token, _REPORT | change)
    assert service.problems() == []


def test_problem_report_needs_a_valid_token(service: SessionService) -> None:
    with pytest.raises(UnknownToken):
        service.report_problem("made up", _REPORT)
    with pytest.raises(UnknownToken):
        service.heartbeat("made up")
    with pytest.raises(UnknownToken):
        service.store_email("made up", "a@example.org")


def test_email_is_stored_apart_from_all_records(asking: SessionService) -> None:
    token = asking.start(PlatformIds("inperson", "s")).token
    asking.store_email(token, "  first@example.org ")
    asking.store_email(token, "ana.mørk+moths@example.museum")
    assert asking.emails() == ["ana.mørk+moths@example.museum"]
    assert "example" not in str([*asking.session_records(), *asking.trial_records()])


def test_email_is_rejected_unless_the_study_asks_for_it(service: SessionService, token: str) -> None:
    with pytest.raises(InvalidRequest, match="does not ask"):
        service.store_email(token, "a@example.org")
    assert service.emails() == []


@pytest.mark.parametrize(
    "address",
    ["", "@", "a@b", "a b@example.org", "a@@example.org", "a@example.", "a@example.org, b@example.org",
     "a@example.org\nBcc: x@y.org", "a\x00@example.org", "a" * 250 + "@b.org", None, 3, ["a@example.org"]],
)  # fmt: skip
def test_invalid_email_is_rejected(asking: SessionService, address: Any) -> None:
    token = asking.start(PlatformIds("inperson", "s")).token
    with pytest.raises(InvalidRequest, match="not an e-mail address"):
        asking.store_email(token, address)
    assert asking.emails() == []
