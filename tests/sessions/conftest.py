"""A small real study, stores for its sessions, and answers as a participant's page sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.study import Study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import SessionStore
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.experiments.conftest import write_data_set, write_study

OpenStore = Callable[[], SessionStore]
"""Opens the same data once more, as another process would."""

Crowd = Callable[[int], int]

N_TRAINING, N_TEST = 8, 6
N_TRIALS = N_TRAINING + N_TEST

_STUDY = {
    "session_config": [
        {"training": {"n_trials_per_class_train": 2, "n_calibration_trials": 2, "bonus_usd_if_correct": 0.1}},
        {"test": {"n_trials_per_class_val": 2, "show_feedback": False, "bonus_usd_if_correct": 0.25}},
    ],
    "deployment": {"seed": 5, "num_conditions": 2},
}


def answer(index: int, **changes: Any) -> dict[str, Any]:
    """An answer to trial `index`, by default the first choice after a second."""
    return {
        "index": index,
        "i_choice": 0,
        "reaction_time_msec": 1000.5,
        "rel_timestamp_response": 60_000.25,
        "timestamp_start": "2026-01-31T12:00:00.000Z",
        "response_device": "mouse",
        "stimulus_width_px": 300,
        "choice_width_px": 120,
        "monitor_width_px": 1440,
        "monitor_height_px": 900,
        "frame_log": {
            "refresh_rate_hz": 59.94,
            "stimulus_requested_frames": None,
            "stimulus_achieved_frames": None,
            "stimulus_requested_msec": None,
            "stimulus_achieved_msec": None,
            "blank_requested_frames": 0,
            "blank_achieved_frames": 0,
            "dropped_frames": 0,
            "timing_ok": True,
        },
        "surroundings": {
            "window_width_px": 1440,
            "window_height_px": 820,
            "full_screen": False,
            "focus_losses": 0,
            "px_per_degree": None,
            "viewing_distance_mm": None,
        },
        **changes,
    }


@contextmanager
def _sqlite_stores(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    folder = request.getfixturevalue("tmp_path")
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(SqliteStore(folder / "sessions.sqlite3")))


@contextmanager
def _cloud_stores(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    aws = request.getfixturevalue("aws")
    yield partial(aws.store, aws.new_place())


_STORES = {"dynamodb": _cloud_stores, "sqlite": _sqlite_stores}


every_store = pytest.mark.parametrize("open_store", sorted(_STORES), indirect=True)
"""For tests of what `SessionStore` promises: they run on every kind of store."""


@pytest.fixture
def open_store(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """A kind of store: SQLite, unless a test runs on every one. The rules of a session do not depend on it."""
    with _STORES[getattr(request, "param", "sqlite")](request) as opener:
        yield opener


@pytest.fixture
def crowd(request: pytest.FixtureRequest) -> Crowd:
    """Reduces the size of a crowd for the emulated AWS account, which is slow."""
    is_slow = request.node.callspec.params["open_store"] == "dynamodb"
    return lambda size: size // 8 if is_slow else size


@pytest.fixture
def store(open_store: OpenStore) -> SessionStore:
    """An empty store."""
    return open_store()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Eight training trials, two of them attention checks, and six test trials, in two conditions."""
    folder = tmp_path_factory.mktemp("sessions")
    data_set = write_data_set(folder / "images", per_class={"train": 4, "val": 2})
    return compile_study(write_study(folder / "study", data_set, _STUDY)).study


@pytest.fixture
def service(study: Study, store: SessionStore) -> SessionService:
    """A service whose clock advances by a minute each time it is read."""
    minutes = count()
    return SessionService(
        study, store, clock=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(minutes=next(minutes))
    )
