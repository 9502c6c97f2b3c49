"""A whole study in a real browser over a bad network: every answer arrives once, in order, as it was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect

from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.trialset import build_trialset
from tests.e2e.fault_proxy import Fault, FaultProxy, no_fault
from tests.e2e.taking_part import BadLine, behind_a_bad_line, choose, finish, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.exclusive]

_N_TRIALS = 30
_N_FIRST = 12
"""Pictures of the first two blocks."""
_GONE = 16
"""A trial of the third block."""
_N_FAULTY_ATTEMPTS = 3
"""Of each picture; the page gives one up after seven."""
_SEED = 14
"""With it failures and successes alternate at first, so that no kind of fault is left out of one short study."""
_SETTLED_MSEC = 300
"""Whatever was on its way is lost by then."""
_MINUTES_AWAY = range(5, 15)
"""Trials that are answered during the outage, one a minute."""


def _start(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_test_id("start").click(timeout=30_000)


def _lost(_: str) -> Fault:
    return Fault.LOST


def _i_choice(index: int) -> int:
    return index * 7 % 3


def _assert_all_stored(line: BadLine) -> None:
    assert line.session["state"] == "completed"
    assert [(trial["obs"], trial["i_choice"]) for trial in line.trials] == [
        (index, _i_choice(index)) for index in range(_N_TRIALS)
    ]
    assert line.proxy.acknowledged == set(range(_N_TRIALS))


class _BadNetwork:
    """Faults by chance, yet each kind once in every few requests to each call of the server."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._decks: dict[str, Iterator[Fault]] = {}
        self._attempts: Counter[str] = Counter()

    def __call__(self, path: str) -> Fault:
        self._attempts[path] += 1
        if path.startswith("/stimuli/"):
            is_faulty = self._attempts[path] <= _N_FAULTY_ATTEMPTS
            return next(self._deck("/stimuli/", list(Fault))) if is_faulty else Fault.NONE
        if path == "/api/sessions":
            # Starting once more gives a new token, and the page would be the one with the old.
            return next(self._deck(path, [fault for fault in Fault if fault is not Fault.REPEATED]))
        return next(self._deck(path, list(Fault))) if path.startswith("/api/") else Fault.NONE

    def _deck(self, name: str, faults: Sequence[Fault]) -> Iterator[Fault]:
        return self._decks.setdefault(name, _dealt(faults, Random(f"{self._seed}:{name}")))  # noqa: S311 - no secret


def _dealt(faults: Sequence[Fault], chance: Random) -> Iterator[Fault]:
    while True:
        yield from chance.sample(faults, len(faults))


def test_a_bad_network_loses_duplicates_and_changes_nothing(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        line.proxy.judge = _BadNetwork(seed=_SEED)
        page = browser.new_page()
        _start(page, line.link("bad network"))
        for index in range(_N_TRIALS):
            choose(page, index, _i_choice(index))
        finish(page)
        page.close()
        _assert_all_stored(line)
        assert {exchange.fault for exchange in line.proxy.of("/api/trials")} == set(Fault)


def test_an_outage_of_ten_minutes_costs_nothing(long_study: CompiledStudy, tmp_path: Path, browser: Browser) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        page = browser.new_page()
        page.clock.install()
        _start(page, line.link("outage"))
        for index in range(_N_TRIALS):
            if index == _MINUTES_AWAY.start:
                _await_images(page, line.proxy)
                line.proxy.judge = _lost
            if index == _MINUTES_AWAY.stop:
                line.proxy.judge = no_fault
            choose(page, index, _i_choice(index))
            if index in _MINUTES_AWAY:
                page.clock.fast_forward("01:00")
        finish(page)
        page.close()
        _assert_all_stored(line)
        began = [datetime.fromisoformat(trial["timestamp_start"]) for trial in line.trials]
        assert began[_MINUTES_AWAY.stop] - began[_MINUTES_AWAY.start] >= timedelta(minutes=len(_MINUTES_AWAY) - 1)
        lost = [exchange for exchange in line.proxy.of("/api/trials") if exchange.fault is Fault.LOST]
        assert len(lost) >= len(_MINUTES_AWAY)


def test_the_end_waits_for_the_last_answer(long_study: CompiledStudy, tmp_path: Path, browser: Browser) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        page = browser.new_page()
        _start(page, line.link("end"))
        for index in range(_N_TRIALS):
            if index == _N_TRIALS - 2:
                wait_until(page, lambda: line.proxy.acknowledged == set(range(_N_TRIALS - 2)))
                line.proxy.judge = lambda path: Fault.LOST if path == "/api/trials" else Fault.NONE
            choose(page, index, _i_choice(index))
        expect(page.get_by_test_id("sending")).to_contain_text("2 left")
        assert line.session["state"] == "started"
        assert not line.proxy.of("/api/finish")
        line.proxy.judge = no_fault
        finish(page)
        page.close()
        _assert_all_stored(line)


def test_unsent_answers_arrive_after_the_page_closes(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        page = browser.new_page()
        page.clock.install()
        _start(page, line.link("left"))
        _await_images(page, line.proxy)
        line.proxy.judge = _lost
        for index in range(_N_TRIALS - 1):
            choose(page, index, _i_choice(index))
        wait_until(page, partial(line.proxy.has_seen, 0))
        # From now on nothing is sent of the page's own accord.
        page.clock.pause_at("2100-01-01")
        page.wait_for_timeout(_SETTLED_MSEC)
        line.proxy.judge = no_fault
        page.goto("about:blank")
        wait_until(page, lambda: set(line.proxy.first_choices) == set(range(_N_TRIALS - 1)))
        page.close()
        assert len(line.proxy.of("/api/trials")[-1].sent["trials"]) == _N_TRIALS - 1


def test_the_study_starts_with_its_first_blocks_and_waits_for_a_late_image(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        seen = count()

        def only_first(path: str) -> Fault:
            return Fault.LOST if path.startswith("/stimuli/") and next(seen) >= _N_FIRST else Fault.NONE

        line.proxy.judge = only_first
        page = browser.new_page()
        _start(page, line.link("late pictures"))
        for index in range(_N_FIRST):
            choose(page, index, _i_choice(index))
        expect(page.get_by_test_id("loading-image")).to_be_visible()
        expect(page.locator("[data-trial-index]")).to_have_count(0)
        line.proxy.judge = no_fault
        for index in range(_N_FIRST, _N_TRIALS):
            choose(page, index, _i_choice(index))
        finish(page)
        page.close()
        _assert_all_stored(line)
        assert line.service.problems() == []


def test_a_missing_image_is_reported_at_once_and_shows_a_clear_page(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    trials = expanded(long_study.study, build_trialset(long_study.study, 0))
    url = trials[_GONE]["stimulus_image_url"]
    name = url.rpartition("/")[2]
    files = dict(long_study.files)
    with behind_a_bad_line(replace(long_study, files=files), tmp_path / "data") as line:
        picture = files.pop(name)
        page = browser.new_page()
        _start(page, line.link("gone"))
        choose(page, 0, _i_choice(0))
        _await_images(page, line.proxy)
        for index in range(1, _GONE):
            choose(page, index, _i_choice(index))
        ((_, problem),) = line.service.problems()
        assert (problem.kind, problem.trial_index) == ("picture_missing", _GONE)
        assert url in problem.message
        expect(page.get_by_test_id("error")).to_contain_text(url)
        # The researchers have put the picture back.
        files[name] = picture
        page.get_by_test_id("again").click()
        page.get_by_test_id("continue").click()
        for index in range(_GONE, _N_TRIALS):
            choose(page, index, _i_choice(index))
        finish(page)
        page.close()
        _assert_all_stored(line)
        assert len(line.service.problems()) == 1


def _await_images(page: Page, proxy: FaultProxy) -> None:
    """Let the rest of the pictures come."""
    wait_until(page, lambda: sum(exchange.path.startswith("/stimuli/") for exchange in proxy.exchanges) >= _N_TRIALS)
