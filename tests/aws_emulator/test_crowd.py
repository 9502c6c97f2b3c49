"""Two hundred people open the link of one deployed study at the same moment, and their answers come all at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.folder import EXPERIMENTS
from tests.aws_emulator.cdk_command import PROJECT
from tests.aws_emulator.deployed_sessions import deployed_sessions
from tests.aws_emulator.participant import Participant
from tests.aws_emulator.stand_in import StandIn
from tests.experiments.conftest import trials_of
from tests.sessions.conftest import answer

_STACK, _STUDY = "ExperimentStack-moths-0", PROJECT / EXPERIMENTS / "moths_0"
_N_PEOPLE = 200
_BATCHES = (range(0, 1), range(1, 4), range(4, 7), range(7, 10))
"""Trials that are answered with one call each: as a page sends them, which collects what it has while it waits."""
_N_ANSWERS = 10
_WAIT_SECONDS = 300
"""Longer than the slowest machine needs; whoever waits for others that have failed does not wait for ever."""


def _answers(person: int, indices: range) -> list[dict[str, Any]]:
    """Other ones than those of anybody else."""
    return [
        answer(
            index,
            i_choice=(None, 0, 1, 2)[(person + index) % 4],
            reaction_time_msec=200.5 + person * _N_ANSWERS + index,
            rel_timestamp_response=1_000.5 * person + index,
        )
        for index in indices
    ]


def _expected(trial: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of an answer: all that was sent, in one level, and whether it was right."""
    flat = {**sent, **sent["frame_log"], **sent["surroundings"], "obs": sent["index"]}
    told = {name: value for name, value in flat.items() if name not in ("index", "frame_log", "surroundings")}
    return {
        **told,
        "perf": int(sent["i_choice"] == trial["i_correct_choice"]),
        "class": trial["class"],
        "stimulus_image_url": trial["stimulus_image_url"],
    }


def test_answers_of_a_crowd_are_all_kept(stand_in: StandIn, moths: Path) -> None:
    stand_in.cdk("deploy", _STACK, app=moths)
    everybody_is_here = Barrier(_N_PEOPLE)

    def take_part(participant: Participant, person: int) -> dict[str, Any]:
        everybody_is_here.wait(_WAIT_SECONDS)
        started = participant.start()
        everybody_is_here.wait(_WAIT_SECONDS)
        for indices in _BATCHES:
            stored = participant.send(_answers(person, indices))
            assert stored == {"stored": list(indices), "next_trial": indices.stop}
        return started

    people = range(_N_PEOPLE)
    with stand_in.edge(_STACK) as edge, ExitStack() as pages, ThreadPoolExecutor(_N_PEOPLE) as crowd:
        opened = [pages.enter_context(Participant(edge.url, f"person {person}")) for person in people]
        started = list(crowd.map(take_part, opened, people))
        assert edge.troubles == []

    # Nobody gave up a place, so the counter has given each number once and left none out.
    assert sorted(session["trialset"]["trialset_id"] for session in started) == list(people)
    study = compile_study(_STUDY).study
    trials = {person: trials_of(study, session["trialset"]["trialset_id"]) for person, session in enumerate(started)}
    records = list(deployed_sessions(stand_in, _STACK, _STUDY).trial_records())
    assert len(records) == _N_PEOPLE * _N_ANSWERS
    stored = {(record["participant"], record["obs"]): record for record in records}
    for person in people:
        for sent in _answers(person, range(_N_ANSWERS)):
            expected = _expected(trials[person][sent["index"]], sent)
            record = stored[started[person]["participant"], sent["index"]]
            assert {name: record[name] for name in expected} == expected
