"""The rules of a session: where it resumes, its score, and that the server trusts no field that it knows itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.errors import InputError
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import BonusTier, Slots, Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.records.tables import sessions_table, trials_table
from lwise_core.sessions.errors import AlreadyTookPart, InvalidRequest, StudyFull, TrialsMissing, UnknownToken
from lwise_core.sessions.service import (
    MAX_TRIALS_PER_REQUEST,
    CompletionCodes,
    Ending,
    Result,
    SessionService,
    StartedSession,
)
from lwise_core.sessions.store import PlatformIds, SessionStore
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.experiments.conftest import write_data_set, write_study
from tests.sessions.conftest import N_TEST, N_TRAINING, N_TRIALS, OpenStore, answer

_PERSON = PlatformIds("prolific", "session 1", worker_id="worker 1", study_id="study 1")


def _start(service: SessionService, name: str = "session 1") -> StartedSession:
    return service.start(replace(_PERSON, assignment_id=name, worker_id=f"worker of {name}"))


def _record_of(service: SessionService, **changes: Any) -> dict[str, Any]:
    """The record that an answer to the first trial, with these changes, becomes."""
    service.record(_start(service).token, [answer(0, **changes)])
    (record,) = service.trial_records()
    return record


def _choices(study: Study, started: StartedSession, *, is_right: Mapping[int, bool]) -> list[dict[str, Any]]:
    """Answers to all trials, right or wrong as said (right by default)."""
    trials = expanded(study, build_trialset(study, started.trialset["trialset_id"]))
    right = [trial["i_correct_choice"] for trial in trials]
    return [answer(n, i_choice=right[n] if is_right.get(n, True) else (right[n] + 1) % 3) for n in range(N_TRIALS)]


# --- starting and going on


def test_new_session_starts_at_the_first_trial(service: SessionService) -> None:
    started = _start(service)
    assert (started.state, started.next_trial, len(started.trialset["rows"])) == ("started", 0, N_TRIALS)


def test_page_does_not_get_the_answers_of_the_test(service: SessionService) -> None:
    trialset = _start(service).trialset
    answer_column = trialset["columns"].index("i_correct_choice")
    withheld = [index for index, row in enumerate(trialset["rows"]) if row[answer_column] is None]
    assert withheld == list(range(N_TRAINING, N_TRIALS))


def test_arrivals_are_spread_evenly_over_conditions(service: SessionService) -> None:
    for number in range(20):
        _start(service, f"session {number}")
    conditions = Counter(record["condition_idx"] for record in service.session_records())
    assert conditions == {0: 10, 1: 10}


def test_session_resumes_at_the_first_missing_trial(service: SessionService) -> None:
    token = _start(service).token
    assert service.record(token, [answer(1), answer(0)]) == ([0, 1], 2)
    assert service.record(token, [answer(3)]) == ([3], 2)
    again = _start(service)
    assert again.next_trial == 2
    assert again.trialset == _start(service).trialset
    assert service.record(_start(service).token, [answer(2)]) == ([2], 4)


def test_reopening_a_session_invalidates_the_old_token(service: SessionService) -> None:
    here, there = _start(service), _start(service)
    with pytest.raises(UnknownToken, match="opened again in another window"):
        service.record(here.token, [answer(0)])
    with pytest.raises(UnknownToken):
        service.finish(here.token)
    assert service.record(there.token, [answer(0)]) == ([0], 1)


def test_reopened_completed_session_has_its_state(service: SessionService) -> None:
    started = _start(service)
    service.record(started.token, [answer(number) for number in range(N_TRIALS)])
    assert _start(service).state == "started"
    service.finish(_start(service).token)
    again = _start(service)
    assert (again.state, again.next_trial) == ("completed", N_TRIALS)


def test_store_rejects_another_version_of_the_study(study: Study, open_store: OpenStore) -> None:
    SessionService(study, open_store())
    with pytest.raises(InputError, match="another version of this study"):
        SessionService(replace(study, seed=study.seed + 1), open_store())


def test_texts_and_rules_may_change_while_a_study_runs(study: Study, open_store: OpenStore) -> None:
    token = _start(SessionService(study, open_store())).token
    mended = replace(study, title="Moths!", pages={"consent": "<p>New</p>"}, lease_minutes=5.0, platforms=("prolific",))
    assert mended.sha256 != study.sha256
    assert SessionService(mended, open_store()).record(token, [answer(0)]) == ([0], 1)


# --- trying a study out


def test_test_platform_chooses_its_trial_set_and_takes_no_slot(service: SessionService, study: Study) -> None:
    tried = [service.start(PlatformIds("test", f"try {n}"), trialset_id=n) for n in (0, 41, None)]
    assert [started.trialset["trialset_id"] for started in tried] == [0, 41, 0]
    assert _start(service).trialset["trialset_id"] == 0


def test_other_platforms_cannot_choose_a_trial_set(service: SessionService) -> None:
    assert service.start(_PERSON, trialset_id=41).trialset["trialset_id"] == 0


@pytest.mark.parametrize("trialset_id", [-1, 10**9 + 1, True, "3", 1.0, [0]])
def test_invalid_trialset_id_is_rejected(service: SessionService, trialset_id: Any) -> None:
    with pytest.raises(InvalidRequest, match="TRIALSET_ID is not a whole number"):
        service.start(PlatformIds("test", "try"), trialset_id=trialset_id)


@pytest.fixture
def study_of_two(study: Study) -> Study:
    """The study with two trial sets."""
    return replace(study, slots=Slots(2, reuse=False))


def test_arrival_is_rejected_when_all_trial_sets_are_taken(study_of_two: Study, store: SessionStore) -> None:
    service = SessionService(study_of_two, store)
    first = _start(service, "first")
    _start(service, "second")
    with pytest.raises(StudyFull, match="all places in this study are taken; thank you"):
        _start(service, "third")
    assert service.record(first.token, [answer(0)]) == ([0], 1)
    assert _start(service, "second").state == "started"
    assert len(service.session_records()) == 2


def test_trial_sets_are_reused_if_the_study_allows(study_of_two: Study, store: SessionStore) -> None:
    service = SessionService(replace(study_of_two, slots=Slots(2, reuse=True)), store)
    started = [_start(service, f"session {number}") for number in range(5)]
    assert [one.trialset["trialset_id"] for one in started] == [0, 1, 0, 1, 0]
    assert started[4].trialset == started[0].trialset
    assert [session["trialset_id"] for session in service.session_records()] == [0, 1, 0, 1, 0]


def test_test_platform_cannot_choose_a_missing_trial_set(study_of_two: Study, store: SessionStore) -> None:
    with pytest.raises(InvalidRequest, match="TRIALSET_ID is not a whole number from 0 to 1"):
        SessionService(study_of_two, store).start(PlatformIds("test", "try"), trialset_id=2)


def test_platforms_can_be_restricted_except_test(study: Study, store: SessionStore) -> None:
    service = SessionService(replace(study, platforms=("inperson",)), store)
    with pytest.raises(InvalidRequest, match="not open to participants from prolific"):
        _start(service)
    assert service.start(PlatformIds("inperson", "a")).state == "started"
    assert service.start(PlatformIds("test", "a")).state == "started"
    assert len(service.session_records()) == 2


# --- who it is


@pytest.mark.parametrize("field", ["platform", "assignment_id", "worker_id", "study_id"])
@pytest.mark.parametrize("value", ["", "x" * 201, "a\nb", "\x00", "\ud800", 7, True, ["x"], {}])
def test_invalid_id_is_rejected(service: SessionService, field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"{field} is not a text of 1 to 200 printable characters"):
        service.start(replace(_PERSON, **{field: value}))
    assert service.session_records() == []


def test_worker_and_study_id_are_optional(service: SessionService) -> None:
    service.start(PlatformIds("inperson", "x" * 200))
    (session,) = service.session_records()
    assert (session["worker_id"], session["study_id"]) == (None, None)


@pytest.mark.parametrize("field", ["platform", "assignment_id"])
def test_platform_and_assignment_id_are_required(service: SessionService, field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        service.start(replace(_PERSON, **{field: None}))  # type: ignore[arg-type]


def test_trial_records_have_no_platform_ids(service: SessionService) -> None:
    text = json.dumps(_record_of(service))
    assert not [name for name in ("session 1", "worker 1", "study 1") if name in text]


def test_store_has_no_plain_tokens(study: Study, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "sessions.sqlite3")) as store:
        service = SessionService(study, store)
        tokens = [_start(service).token for _ in range(2)]
        service.record(tokens[1], [answer(0)])
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"session 1" in kept
    assert not [token for token in tokens if token.encode() in kept]


# --- answers


def test_first_answer_is_kept(service: SessionService) -> None:
    token = _start(service).token
    service.record(token, [answer(0, i_choice=1), answer(0, i_choice=2)])
    assert service.record(token, [answer(0, i_choice=0)]) == ([0], 1)
    assert [record["i_choice"] for record in service.trial_records()] == [1]


def test_server_fields_are_not_taken_from_the_page(service: SessionService) -> None:
    claims = {
        "perf": 1,
        "i_correct_choice": 1,
        "class": "aversata",
        "choice_name": "best",
        "bonus_usd_if_correct": 1000,
        "trialset_id": 99,
        "condition_idx": 99,
        "participant": "somebody",
        "calibration": 0,
        "surprise": "x",
    }
    for name, changes in (("honest", {}), ("boastful", claims)):
        token = service.start(PlatformIds("test", name)).token
        service.record(token, [answer(0, **changes)])
    honest, boastful = service.trial_records()
    assert boastful == honest | {"participant": boastful["participant"]}
    assert boastful["participant"] != "somebody"
    assert honest["perf"] == int(honest["i_correct_choice"] == 0)


def test_record_joins_answer_and_trial(service: SessionService, study: Study) -> None:
    (trial, *_) = expanded(study, build_trialset(study, 0))
    record = _record_of(service, i_choice=2)
    assert record["choice_name"] == trial["choice_names"][2]
    assert record["stimulus_image_url"] == trial["stimulus_image_url"]
    assert {key: record[key] for key in ("class", "im_path", "variant", "block", "i_correct_choice")} == {
        key: trial[key] for key in ("class", "im_path", "variant", "block", "i_correct_choice")
    }
    assert (record["obs"], record["trial_number"], record["reaction_time_msec"]) == (0, 1, 1000.5)


def test_missed_deadline_is_a_wrong_answer_without_a_choice(service: SessionService) -> None:
    record = _record_of(service, i_choice=None, reaction_time_msec=None, response_device=None)
    assert (record["perf"], record["i_choice"], record["choice_name"], record["reaction_time_msec"]) == (0, *[None] * 3)


@pytest.mark.parametrize("field", ["reaction_time_msec", "rel_timestamp_response"])
@pytest.mark.parametrize("value", [0, 86_400_001, 30 * 86_400_000.5, 1e300])
def test_any_length_of_time_is_accepted(service: SessionService, field: str, value: float) -> None:
    assert _record_of(service, **{field: value})[field] == value


@pytest.mark.parametrize("field", ["reaction_time_msec", "rel_timestamp_response"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 10**400, "1000", True, [1]])
def test_invalid_duration_is_rejected(service: SessionService, field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"trial 0: {field} is missing or has a value it cannot have"):
        _record_of(service, **{field: value})


@pytest.mark.parametrize(
    "value", ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.123456+00:00", "2026-01-31T12:00+05:30"]
)
def test_timestamp_is_stored_as_sent(service: SessionService, value: str) -> None:
    assert _record_of(service, timestamp_start=value)["timestamp_start"] == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-31T12:00:00Z",
        "2026-01-31\ud80012:00:00Z",
        1769860800,
        None,
    ],
)
def test_invalid_timestamp_is_rejected(service: SessionService, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="trial 0: timestamp_start is missing or has a value it cannot have"):
        _record_of(service, timestamp_start=value)


def test_trial_may_last_a_week(service: SessionService) -> None:
    frames = 7 * 86_400 * 240
    frame_log = answer(0)["frame_log"] | {"stimulus_achieved_frames": frames, "dropped_frames": frames}
    assert _record_of(service, frame_log=frame_log)["dropped_frames"] == frames


@pytest.mark.parametrize("count", [0, MAX_TRIALS_PER_REQUEST + 1])
def test_number_of_answers_per_request_is_limited(service: SessionService, count: int) -> None:
    with pytest.raises(InvalidRequest, match=f"expected 1 to 50 trials in a request, found {count}"):
        service.record(_start(service).token, [answer(0)] * count)


# --- finishing


def test_finish_needs_all_answers(service: SessionService) -> None:
    started = _start(service)
    service.record(started.token, [answer(number) for number in range(N_TRIALS) if number not in (3, 9)])
    with pytest.raises(TrialsMissing, match="2 answers have not arrived yet") as refusal:
        service.finish(started.token)
    assert refusal.value.missing == [3, 9]
    assert service.session_records()[0]["state"] == "started"


def test_finish_is_idempotent(service: SessionService) -> None:
    started = _start(service)
    service.record(started.token, [answer(number) for number in range(N_TRIALS)])
    result = service.finish(started.token)
    (session,) = service.session_records()
    assert service.finish(started.token) == result
    assert service.session_records() == [session]
    assert session["started_at"] < session["finished_at"]


def test_test_platform_gets_neither_code_nor_score(study: Study, store: SessionStore) -> None:
    service = SessionService(study, store, codes=CompletionCodes(completed="C1"))
    started = service.start(PlatformIds("test", "trial run"))
    service.record(started.token, _choices(study, started, is_right={}))
    assert service.finish(started.token) == Ending("completed", None, Result(0, 0, 0.0, 0.0))


def test_only_a_completed_session_earns_a_bonus(service: SessionService, study: Study) -> None:
    started = _start(service)
    service.record(started.token, _choices(study, started, is_right={}))
    assert service.session_records()[0]["bonus_usd"] == 0
    service.finish(started.token)
    assert service.session_records()[0]["bonus_usd"] > 0


def test_accuracy_is_over_the_test_and_bonus_over_all_main_trials(service: SessionService, study: Study) -> None:
    started = _start(service)
    trials = expanded(study, build_trialset(study, started.trialset["trialset_id"]))
    calibration = [trial["index"] for trial in trials if trial["calibration"]]
    main_training = [trial["index"] for trial in trials[:N_TRAINING] if not trial["calibration"]]
    wrong = [*calibration, *main_training[:2], N_TRAINING]
    service.record(started.token, _choices(study, started, is_right=dict.fromkeys(wrong, False)))
    bonus = 4 * 0.1 + 5 * 0.25
    assert service.finish(started.token).result == Result(N_TEST, 5, pytest.approx(5 / 6), pytest.approx(bonus))  # type: ignore[arg-type]


def test_attention_checks_earn_no_bonus(service: SessionService, study: Study) -> None:
    started = _start(service)
    trials = expanded(study, build_trialset(study, started.trialset["trialset_id"]))
    wrong = [trial["index"] for trial in trials if not trial["calibration"]]
    service.record(started.token, _choices(study, started, is_right=dict.fromkeys(wrong, False)))
    assert service.finish(started.token).result == Result(N_TEST, 0, 0.0, 0.0)


def test_bonus_is_that_of_the_highest_tier_reached(study: Study, store: SessionStore) -> None:
    """Twelve trials bear a bonus: 9 of 12 right reach 75 %, 8 do not."""
    tiers = (BonusTier(0.75, 5.0), BonusTier(1.0, 20.0))
    service = SessionService(replace(study, bonus_tiers=tiers), store)
    for n_wrong, expected in ((0, 20.0), (1, 5.0), (3, 5.0), (4, 0.0)):
        started = _start(service, f"with {n_wrong} wrong")
        trials = expanded(study, build_trialset(study, started.trialset["trialset_id"]))
        main = [trial["index"] for trial in trials if not trial["calibration"]]
        service.record(started.token, _choices(study, started, is_right=dict.fromkeys(main[:n_wrong], False)))
        assert service.finish(started.token).result.bonus_usd == expected


def test_repeat_trials_count_for_neither_accuracy_nor_bonus(tmp_path: Path, store: SessionStore) -> None:
    data_set = write_data_set(tmp_path / "images", per_class={"val": 4})
    block = {"n_trials_per_class_val": 1, "n_repeats_of_one_stim": 3, "show_feedback": False, "bonus_usd_if_correct": 1}
    study = compile_study(write_study(tmp_path / "study", data_set, {"session_config": [{"test": block}]})).study
    service = SessionService(study, store)
    started = _start(service)
    trials = expanded(study, build_trialset(study, 0))
    assert Counter(trial["trial_type"] for trial in trials) == {"new_stimulus": 3, "repeat_stimulus": 3}
    service.record(started.token, [answer(t["index"], i_choice=t["i_correct_choice"]) for t in trials])
    assert service.finish(started.token).result == Result(3, 3, 1.0, 3.0)


def test_study_without_a_test_counts_all_main_trials(study: Study, store: SessionStore) -> None:
    training_only = replace(study, blocks=study.blocks[:1])
    service = SessionService(training_only, store)
    started = _start(service)
    service.record(started.token, _choices(study, started, is_right={})[:N_TRAINING])
    assert service.finish(started.token).result == Result(6, 6, 1.0, pytest.approx(0.6))  # type: ignore[arg-type]


# --- what is handed on


def test_records_fill_every_column(service: SessionService) -> None:
    for name in ("one", "other"):
        started = _start(service, name)
        service.record(started.token, [answer(number) for number in range(N_TRIALS)])
    service.finish(started.token)
    trials, sessions = trials_table(service.trial_records()), sessions_table(service.session_records())
    assert len(trials) == 2 * N_TRIALS
    assert set(trials["participant"]) == set(sessions["participant"])
    assert sorted(sessions["state"]) == ["completed", "started"]
    assert list(sessions["n_stored"]) == [N_TRIALS, N_TRIALS]


def test_session_without_answers_has_no_accuracy(service: SessionService) -> None:
    _start(service)
    (session,) = service.session_records()
    assert (session["n_stored"], session["accuracy"], session["bonus_usd"]) == (0, None, 0)


@pytest.mark.parametrize(
    ("platform", "allow_repeats", "is_accepted"),
    [("prolific", False, False), ("prolific", True, True), ("test", False, True)],
)
def test_worker_repeats_on_the_test_platform_or_if_the_study_allows_it(
    study: Study, store: SessionStore, platform: str, allow_repeats: bool, is_accepted: bool
) -> None:
    service = SessionService(replace(study, allow_repeats=allow_repeats), store)
    first, second = (PlatformIds(platform, name, worker_id="worker") for name in ("one", "two"))
    service.start(first)
    if is_accepted:
        assert service.start(second).next_trial == 0
    else:
        with pytest.raises(AlreadyTookPart):
            service.start(second)
