"""All conditions end with equally many finished participants, however many drop out."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.study import Conditions, Study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds, SessionStore
from tests.experiments.conftest import write_data_set, write_study
from tests.sessions.conftest import Crowd, OpenStore, answer, every_store

_N_CONDITIONS = 7
_BLOCK_SIZE = 7
_ARRIVALS = 500
_DROPOUT = 0.3


class _Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two trials in seven conditions; leases last half an hour."""
    data_set = write_data_set(tmp_path / "images", classes=("a", "b"), per_class={"val": 2})
    config = {
        "session_config": [{"test": {"n_trials_per_class_val": 1}}],
        "deployment": {
            "num_conditions": _N_CONDITIONS,
            "randomization_block_size": _BLOCK_SIZE,
            "lease_minutes": 30,
        },
    }
    return compile_study(write_study(tmp_path / "study", data_set, config)).study


@pytest.fixture
def stores(open_store: OpenStore) -> list[SessionStore]:
    """The same data opened twice, as two processes would."""
    return [open_store() for _ in range(2)]


def _finish(service: SessionService, token: str) -> None:
    service.record(token, [answer(0), answer(1)])
    service.finish(token)


@every_store
def test_conditions_end_evenly_filled_despite_dropouts(study: Study, stores: list[SessionStore], crowd: Crowd) -> None:
    """500 at once, of whom 30 % leave; then people come one after the other until all places are filled."""
    arrivals = crowd(_ARRIVALS)
    clock, chance = _Clock(), Random(0)  # noqa: S311 - who leaves, no secret
    services = [SessionService(study, store, clock=clock) for store in stores]
    stays = [chance.random() >= _DROPOUT for _ in range(arrivals)]

    def arrive(number: int) -> int:
        service = services[number % 2]
        started = service.start(PlatformIds("prolific", f"s{number}", worker_id=f"w{number}"))
        if stays[number]:
            _finish(service, started.token)
        return int(started.trialset["trialset_id"])

    with ThreadPoolExecutor(16) as threads:
        slots = list(threads.map(arrive, range(arrivals)))
    assert sorted(slots) == list(range(arrivals))

    n_open = stays.count(False)
    assert n_open > arrivals / 10
    clock.now += timedelta(minutes=31)
    for number in range(n_open):
        started = services[0].start(PlatformIds("prolific", f"late{number}", worker_id=f"late{number}"))
        _finish(services[0], started.token)

    sessions = services[0].session_records()
    holders = [session for session in sessions if session["holds_slot"]]
    assert sorted(session["trialset_id"] for session in holders) == list(range(arrivals))
    finished = [session for session in holders if session["state"] == "completed"]
    assert len(finished) == arrivals
    for first in range(0, arrivals, _BLOCK_SIZE):
        block = Counter(s["condition_idx"] for s in finished if first <= s["trialset_id"] < first + _BLOCK_SIZE)
        assert max(block.values()) - min(block[c] for c in range(_N_CONDITIONS)) <= 1, first
    lost = [session for session in sessions if not session["holds_slot"]]
    assert len(lost) == n_open
    assert {session["state"] for session in lost} == {"started"}


def test_leased_slots_are_not_reassigned(study: Study, stores: list[SessionStore]) -> None:
    clock = _Clock()
    service = SessionService(study, stores[0], clock=clock)
    silent = service.start(PlatformIds("prolific", "silent"))
    clock.now += timedelta(minutes=29)
    assert service.start(PlatformIds("prolific", "early")).trialset["trialset_id"] == 1
    service.record(silent.token, [answer(0)])
    clock.now += timedelta(minutes=29)
    assert service.start(PlatformIds("prolific", "also early")).trialset["trialset_id"] == 2
    clock.now += timedelta(minutes=2)
    assert service.start(PlatformIds("prolific", "late")).trialset["trialset_id"] == 0


def test_session_whose_slot_was_reassigned_can_still_finish(study: Study, stores: list[SessionStore]) -> None:
    clock = _Clock()
    service = SessionService(study, stores[0], clock=clock)
    service.start(PlatformIds("prolific", "slow"))
    clock.now += timedelta(minutes=45)
    quick = service.start(PlatformIds("prolific", "quick"))
    _finish(service, quick.token)
    slow = service.start(PlatformIds("prolific", "slow"))
    assert slow.trialset == quick.trialset
    _finish(service, slow.token)
    states = {s["assignment_id"]: (s["state"], s["holds_slot"]) for s in service.session_records()}
    assert states == {"slow": ("completed", False), "quick": ("completed", True)}


def test_single_condition_fills_all_slots(study: Study, stores: list[SessionStore]) -> None:
    alone = replace(study, conditions=Conditions(1, "blocked", 1))
    service = SessionService(alone, stores[0], clock=_Clock())
    for number in range(5):
        service.start(PlatformIds("a", f"{number}"))
    assert {record["condition_idx"] for record in service.session_records()} == {0}
