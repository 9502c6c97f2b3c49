"""Whatever a page sends is stored in a form that analysis can read, or rejected as a whole."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.experiments.study import Study
from lwise_core.records.tables import trials_table
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.sessions.conftest import N_TRIALS, answer

_NEARLY_RIGHT: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(-1, 0, 1, 2, 3, 2.0, 2**53, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"), None, True, False),
        *("", "key", "now", "2026-01-31", "2026-01-31T12:00Z", "2026-02-31T12:00Z", "2026-01-31\ud80012:00Z"),
        *([], {}, [[]]),
    ]
)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_CHANGED_VALUES = _NEARLY_RIGHT | _ANY_JSON


def _changes(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), _CHANGED_VALUES, max_size=2)


@st.composite
def _spoilt(draw: st.DrawFn, part: dict[str, Any]) -> dict[str, Any]:
    changed = part | draw(_changes(sorted(part)))
    changed.pop(draw(st.sampled_from([*changed, *["nothing"] * 20])), None)
    return changed


@st.composite
def _spoilt_answers(draw: st.DrawFn) -> Any:
    """An answer to the third trial with fields changed or left out, or something else altogether."""
    whole = answer(2)
    parts = {name: draw(_spoilt(whole[name])) for name in ("frame_log", "surroundings")}
    spoilt = whole | parts | draw(_changes(sorted(whole)))
    spoilt.pop(draw(st.sampled_from([*spoilt, *["nothing"] * 20])), None)
    return draw(st.sampled_from([spoilt] * 9 + [draw(_CHANGED_VALUES)]))


@settings(max_examples=200)
@given(spoilt=_spoilt_answers())
def test_batch_with_a_malformed_answer_is_rejected_whole_or_stored_validly(study: Study, spoilt: Any) -> None:
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "sessions.sqlite3")) as store:
        service = SessionService(study, store)
        token = service.start(PlatformIds("inperson", "person")).token
        try:
            stored, _ = service.record(token, [answer(0), answer(1), spoilt])
        except InvalidRequest:
            stored = []
        kept = list(service.trial_records())
    assert [row["obs"] for row in kept] == stored
    assert set(stored) <= set(range(N_TRIALS))
    if kept:
        json.dumps(kept, allow_nan=False)
        trials_table(kept)
