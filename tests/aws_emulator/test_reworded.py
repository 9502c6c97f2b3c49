"""A study is deployed once more with another text, while people take part in it."""

from __future__ import annotations

from pathlib import Path

import httpx

from lwise_core.simulation.learners import LearnerModel, take_part
from tests.aws_emulator.lwise_command import download, read_table
from tests.aws_emulator.participant import Participant
from tests.aws_emulator.stand_in import StandIn
from tests.aws_emulator.variations import NEW_TEXT, REWORDED, Variations
from tests.sessions.conftest import answer

_STACK = "ExperimentStack-moths-0"
_N_TRIALS = 52
_OLD_TEXT = "You see one moth at a time."


def _task(url: str) -> str:
    """What the page says is to be done."""
    text: str = httpx.get(f"{url}/api/study").raise_for_status().json()["pages"]["task"]
    return text


def test_participants_go_on_where_they_are_when_a_text_changes(
    stand_in: StandIn, moths: Path, variations: Variations, tmp_path: Path
) -> None:
    stand_in.cdk("deploy", _STACK, app=moths)
    before = stand_in.outputs(_STACK)
    with stand_in.edge(_STACK) as edge, Participant(edge.url, "amid it") as participant:
        take_part(edge.url, assignment_id="through", model=LearnerModel(), seed=1)
        started = participant.start()
        participant.send(answer(index, i_choice=2, reaction_time_msec=500 + index) for index in range(12))
        rows_before = download(stand_in, REWORDED, tmp_path / "before")
        assert _OLD_TEXT in _task(edge.url)

        stand_in.cdk("deploy", _STACK, app=variations.assembly)

        assert NEW_TEXT in _task(edge.url)
        assert _OLD_TEXT not in _task(edge.url)
        # The page that is open knows nothing of it, and is then opened anew.
        assert participant.answer({12: 1}) == {"stored": [12], "next_trial": 13}
        reopened = participant.start()
        assert (reopened["next_trial"], reopened["token"] != started["token"]) == (13, True)
        for kept in ("participant", "trialset", "state"):
            assert reopened[kept] == started[kept]
        ending = take_part(edge.url, assignment_id="amid it", model=LearnerModel(), seed=2)
        newcomer = take_part(edge.url, assignment_id="after it", model=LearnerModel(), seed=3)
        assert (ending["state"], newcomer["state"]) == ("completed", "completed")
        assert edge.troubles == []
    assert stand_in.outputs(_STACK) == before

    # By whoever has the texts of today, since they count for nothing in the data.
    rows = download(stand_in, REWORDED, tmp_path / "after", project=variations.project)
    sessions = {row["assignment_id"]: row for row in read_table(tmp_path / "after" / "sessions.csv")}
    assert sorted(int(row["trialset_id"]) for row in sessions.values()) == [0, 1, 2]
    assert {row["state"] for row in sessions.values()} == {"completed"}
    by_session = {
        name: [row for row in rows if row["participant"] == session["participant"]]
        for name, session in sessions.items()
    }
    for trials in by_session.values():
        assert [int(row["obs"]) for row in trials] == list(range(_N_TRIALS))
    resumed = by_session["amid it"]
    stored_before = [*by_session["through"], *resumed[:12]]
    assert rows_before == sorted(stored_before, key=lambda row: row["participant"])
    assert [float(row["reaction_time_msec"]) for row in resumed[:12]] == [500 + index for index in range(12)]
    assert [row["i_choice"] for row in resumed[:13]] == ["2"] * 12 + ["1"]
