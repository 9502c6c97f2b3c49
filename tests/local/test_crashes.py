"""The real server is killed repeatedly while participants answer: acknowledged answers are never lost or changed.

Participants do what a page does: send trial by trial, come back under the same ids when the server is gone, and go on
at the trial that they are told to.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from lwise_core.errors import InputError
from lwise_core.local.server import SESSIONS_FILE, listen, open_records
from tests.experiments.conftest import write_data_set, write_study
from tests.run_cli import COMMAND
from tests.sessions.conftest import answer

_N_KILLS = 20
_N_PARTICIPANTS = 8
_N_TRIALS = 3 * 40
_FEWEST_ANSWERS, _MOST_ANSWERS = 5, 25
"""How many answers are acknowledged before the server is killed: in all fewer than there are trials."""

_STUDY = {"session_config": [{"test": {"n_trials_per_class_train": 40, "show_feedback": False}}]}
_PATIENCE_SEC = 30


@dataclass
class Participant:
    """Answers every trial, each attempt with a reaction time of its own; notes what the server has acknowledged."""

    number: int
    address: str
    acknowledgement: threading.Semaphore
    all_over: threading.Event
    acknowledged: set[int] = field(default_factory=set)
    sent: dict[int, list[int]] = field(default_factory=dict)
    trialsets: list[dict[str, Any]] = field(default_factory=list)
    n_visits: int = 0
    ending: dict[str, Any] | None = None
    _attempts: Iterator[int] = field(default_factory=count)

    def take_part(self) -> Participant:
        """Come, and come again after every crash, until the session is finished or the test is over."""
        with httpx.Client(base_url=self.address, timeout=_PATIENCE_SEC) as browser:
            while self.ending is None and not self.all_over.is_set():
                try:
                    self._visit(browser)
                except httpx.TransportError:
                    time.sleep(0.05)
        return self

    def _visit(self, browser: httpx.Client) -> None:
        ids = {"platform": "prolific", "assignment_id": f"session {self.number}", "worker_id": f"person {self.number}"}
        started = browser.post("/api/sessions", json=ids).raise_for_status().json()
        browser.headers["Authorization"] = f"Bearer {started['token']}"
        self.n_visits += 1
        self.trialsets.append(started["trialset"])
        next_trial = started["next_trial"]
        # Trials are sent in order, so that whatever was acknowledged lies before the first one that is missing.
        assert self.acknowledged <= set(range(next_trial)), "an acknowledged answer is gone"
        # Whatever was sent for this trial died with a server; whatever was sent for the others has been kept.
        self.sent.pop(next_trial, None)
        if next_trial > 0:
            # A page that did not hear back sends its last answer once more; here it has changed its mind.
            self._send(browser, next_trial - 1)
        for index in range(next_trial, _N_TRIALS):
            self._send(browser, index)
        self.ending = browser.post("/api/finish", json={}).raise_for_status().json()

    def _send(self, browser: httpx.Client, index: int) -> None:
        attempt = next(self._attempts)
        self.sent.setdefault(index, []).append(attempt)
        trial = answer(index, i_choice=attempt % 3, reaction_time_msec=attempt)
        stored = browser.post("/api/trials", json={"trials": [trial]}).raise_for_status().json()
        assert stored == {"stored": [index], "next_trial": index + 1}
        self.acknowledged.add(index)
        self.acknowledgement.release()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """One block of 120 trials."""
    data_set = write_data_set(tmp_path / "images", per_class={"train": 40})
    return write_study(tmp_path / "study", data_set, _STUDY)


@pytest.fixture
def port() -> int:
    """A free port; participants keep the address while servers come and go.

    Below those that systems give to callers: or a participant who calls while nobody listens might be given this one.
    """
    first = 20_000 + os.getpid() % 10_000
    for number in range(first, first + 100):
        with suppress(InputError), listen("127.0.0.1", number):
            return number
    raise AssertionError(f"no port from {first} on is free")


@contextmanager
def _server_to_be_killed(study: Path, data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`lwise serve`, from the moment at which it prints its link until it is killed at the end of the block."""
    command = [*COMMAND, "serve", str(study), "--data", str(data), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            assert server.stdout is not None
            assert list(islice((line for line in server.stdout if line.startswith("Participant's link: ")), 1))
            yield server
        finally:
            server.kill()


@contextmanager
def _set_at_the_end(event: threading.Event) -> Iterator[None]:
    """Whatever happens in the block, nobody waits for the event in vain."""
    try:
        yield
    finally:
        event.set()


def _complaints(waiting: Sequence[Future[Participant]]) -> str:
    found = [repr(participant.exception()) for participant in waiting if participant.done()]
    return "; ".join(["the server has stopped taking answers", *found])


def _pictures(trialset: dict[str, Any]) -> list[str]:
    """Where the picture of each trial lies, in the order in which the page shows them."""
    rows = [dict(zip(trialset["columns"], row, strict=True)) for row in trialset["rows"]]
    return [f"{trialset['folders'][row['folder']]}{row['file']}" for row in rows]


def test_crashes_do_not_lose_duplicate_or_change_answers(study: Path, port: int, tmp_path: Path) -> None:
    data, chance = tmp_path / "data", Random(3)  # noqa: S311 - when the server is killed, no secret
    acknowledgement, all_over = threading.Semaphore(0), threading.Event()
    participants = [
        Participant(number, f"http://127.0.0.1:{port}", acknowledgement, all_over) for number in range(_N_PARTICIPANTS)
    ]
    with ThreadPoolExecutor(_N_PARTICIPANTS) as threads, _set_at_the_end(all_over):
        waiting = [threads.submit(participant.take_part) for participant in participants]
        for _ in range(_N_KILLS):
            with _server_to_be_killed(study, data, port) as server:
                while acknowledgement.acquire(blocking=False):
                    pass  # It came from an earlier server.
                for _ in range(chance.randint(_FEWEST_ANSWERS, _MOST_ANSWERS)):
                    assert acknowledgement.acquire(timeout=_PATIENCE_SEC), _complaints(waiting)
                # Somewhere within an answer, not always right behind one.
                time.sleep(chance.uniform(0, 0.01))
                assert server.poll() is None
        with _server_to_be_killed(study, data, port):
            finished = [participant.result() for participant in waiting]

    with open_records(data) as service:
        sessions = service.session_records()
        trials = list(service.trial_records())
    assert {session["assignment_id"] for session in sessions} == {f"session {p.number}" for p in participants}
    assert len(sessions) == _N_PARTICIPANTS
    assert {session["state"] for session in sessions} == {"completed"}
    assert len(trials) == _N_PARTICIPANTS * _N_TRIALS
    assert sum(participant.n_visits for participant in finished) > _N_PARTICIPANTS + _N_KILLS
    for participant in finished:
        (session,) = [s for s in sessions if s["assignment_id"] == f"session {participant.number}"]
        assert participant.trialsets == [participant.trialsets[0]] * participant.n_visits
        kept = [trial for trial in trials if trial["participant"] == session["participant"]]
        assert [trial["obs"] for trial in kept] == list(range(_N_TRIALS))
        assert [trial["stimulus_image_url"] for trial in kept] == _pictures(participant.trialsets[0])
        # The first that reached the store, whether or not the server lived to say so.
        assert {trial["obs"]: trial["reaction_time_msec"] for trial in kept} == {
            index: attempts[0] for index, attempts in participant.sent.items()
        }
        assert all(trial["i_choice"] == trial["reaction_time_msec"] % 3 for trial in kept)
        assert participant.ending is not None
        assert participant.ending["n_correct"] == sum(trial["perf"] for trial in kept)
    with closing(sqlite3.connect(data / SESSIONS_FILE)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
