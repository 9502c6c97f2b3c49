"""However many leave in the middle, every condition ends with as many finished participants as the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from lwise_core.experiments.authoring.compile import compile_study
from lwise_core.experiments.study import Conditions, Study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.sqlite import SqliteStore
from lwise_core.sessions.store import PlatformIds
from tests.experiments.conftest import write_data_set, write_study
from tests.sessions.conftest import answer

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
    """Two trials in seven conditions; a place is kept for half an hour."""
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
def stores(tmp_path: Path) -> Iterator[list[SqliteStore]]:
    """The same file opened twice, as two processes would."""
    opened = [SqliteStore(tmp_path / "sessions.sqlite3") for _ in range(2)]
    yield opened
    for store in opened:
        store.close()


def _finish(service: SessionService, token: str) -> None:
    service.record(token, [answer(0), answer(1)])
    service.finish(token)


def test_a_crowd_with_dropouts_fills_every_condition_evenly(study: Study, stores: list[SqliteStore]) -> None:
    """500 at once, of whom 30 % leave; then people come one after the other until all places are filled."""
    clock, chance = _Clock(), Random(0)  # noqa: S311 - who leaves, no secret
    services = [SessionService(study, store, clock=clock) for store in stores]
    stays = [chance.random() >= _DROPOUT for _ in range(_ARRIVALS)]

    def arrive(number: int) -> int:
        service = services[number % 2]
        started = service.start(PlatformIds("prolific", f"s{number}", worker_id=f"w{number}"))
        if stays[number]:
            _finish(service, started.token)
        return int(started.trialset["trialset_id"])

    with ThreadPoolExecutor(16) as threads:
        slots = list(threads.map(arrive, range(_ARRIVALS)))
    assert sorted(slots) == list(range(_ARRIVALS))

    n_open = stays.count(False)
    assert n_open > 100
    clock.now += timedelta(minutes=31)
    for number in range(n_open):
        started = services[0].start(PlatformIds("prolific", f"late{number}", worker_id=f"late{number}"))
        _finish(services[0], started.token)

    sessions = services[0].session_records()
    holders = [session for session in sessions if session["holds_slot"]]
    assert sorted(session["trialset_id"] for session in holders) == list(range(_ARRIVALS))
    finished = [session for session in holders if session["state"] == "completed"]
    assert len(finished) == _ARRIVALS
    for first in range(0, _ARRIVALS, _BLOCK_SIZE):
        block = Counter(s["condition_idx"] for s in finished if first <= s["trialset_id"] < first + _BLOCK_SIZE)
        assert max(block.values()) - min(block[c] for c in range(_N_CONDITIONS)) <= 1, first
    lost = [session for session in sessions if not session["holds_slot"]]
    assert len(lost) == n_open
    assert {session["state"] for session in lost} == {"started"}


def test_while_places_are_kept_nobody_else_gets_them(study: Study, stores: list[SqliteStore]) -> None:
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


def test_who_comes_back_too_late_finishes_in_addition(study: Study, stores: list[SqliteStore]) -> None:
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


def test_one_condition_is_as_easy(study: Study, stores: list[SqliteStore]) -> None:
    alone = replace(study, conditions=Conditions(1, "blocked", 1))
    service = SessionService(alone, stores[0], clock=_Clock())
    assert {service.start(PlatformIds("a", f"{n}")).trialset["condition_idx"] for n in range(5)} == {0}
