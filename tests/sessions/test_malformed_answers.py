"""Whatever a page sends is kept in a form that analysis can read, or refused as a whole: never anything in between."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.experiments.study import Study
from lwise_core.records.tables import trials_table
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.sqlite import SqliteStore
from lwise_core.sessions.store import PlatformIds
from tests.sessions.conftest import N_TRIALS, answer

_NUMBER = count()

_NEARLY_RIGHT = st.sampled_from(
    [-1, 0, 1, 2, 3, 2.0, 2**53, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"), None, True, False, "", "key"]
    + ["2026-01-31", "2026-01-31T12:00:00Z", "2026-02-31T12:00:00Z", "2026-01-31T12:00:00+99:99", "now", [], {}, [[]]]
)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_VALUES = _NEARLY_RIGHT | _ANY_JSON
_FIELDS = sorted(answer(0))
_FRAME_LOG_FIELDS = sorted(answer(0)["frame_log"])


@pytest.fixture(scope="module")
def shared_service(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionService]:
    """One service for all examples, each of which opens a session of its own."""
    with closing(SqliteStore(tmp_path_factory.mktemp("malformed") / "sessions.sqlite3")) as store:
        yield SessionService(study, store)


@st.composite
def _spoilt_batches(draw: st.DrawFn) -> list[Any]:
    """Three answers of which the last has some of its fields changed or left out, or is something else altogether."""
    good = [answer(0), answer(1)]
    if draw(st.integers(0, 9)) == 0:
        return [*good, draw(_VALUES)]
    spoilt = copy.deepcopy(answer(2))
    for name in draw(st.lists(st.sampled_from([*_FIELDS, *_FRAME_LOG_FIELDS]), min_size=1, max_size=3)):
        place = spoilt["frame_log"] if name in _FRAME_LOG_FIELDS else spoilt
        if not isinstance(place, dict):
            continue
        if draw(st.booleans()):
            place[name] = draw(_VALUES)
        else:
            place.pop(name, None)
    return [*good, spoilt]


@settings(max_examples=400)
@given(batch=_spoilt_batches())
def test_a_batch_with_a_spoilt_answer_is_kept_validly_or_refused_as_a_whole(
    shared_service: SessionService, batch: list[Any]
) -> None:
    name = f"session {next(_NUMBER)}"
    started = shared_service.start(PlatformIds("inperson", name))
    try:
        stored, _ = shared_service.record(started.token, batch)
    except InvalidRequest as refusal:
        stored = []
        # The message is one sentence for the person who reads the page.
        assert str(refusal).startswith(("trial 2: ", "a trial's index is not"))  # noqa: PT017
    session = next(row for row in shared_service.session_records() if row["assignment_id"] == name)
    kept = [row for row in shared_service.trial_records() if row["participant"] == session["participant"]]
    assert [row["obs"] for row in kept] == stored
    assert set(stored) <= set(range(N_TRIALS))
    json.dumps(kept, allow_nan=False)
    trials_table(kept)
