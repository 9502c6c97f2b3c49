"""A running study at a glance: counts per condition, time needed, places left, every session.

A pure function of the stored sessions and the time. Knows nothing of stores, HTTP or pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.study import TEST_PLATFORM, Study
from lwise_core.experiments.trialset import trialset_of_slot
from lwise_core.sessions.store import Problem, Session
from lwise_core.wire_schema import ReleaseReason

Progress = Literal["finished", "under_way", "dropped_out", "screened_out", "abandoned", "restarted"]
"""A session's state as the overview counts it: `started` is `under_way` while the lease lasts, then `dropped_out`;
`completed` is `finished`."""


@dataclass(frozen=True)
class Counts:
    """Number of sessions per progress."""

    finished: int = 0
    under_way: int = 0
    dropped_out: int = 0
    screened_out: int = 0
    abandoned: int = 0
    restarted: int = 0


@dataclass(frozen=True)
class SessionAtAGlance:
    """One session.

    Attributes
    ----------
    last_seen : time of the last request; None: unknown, because the platform ended the lease.
    may_be_released : whether its slot can be freed.
    """

    participant: str
    platform: str
    assignment_id: str
    condition_idx: int
    progress: Progress
    released: ReleaseReason | None
    n_stored: int
    n_trials: int
    started_at: str
    last_seen: str | None
    may_be_released: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Overview:
    """A study at one moment. Only `sessions` and `n_tried_out` include sessions on the platform `test`.

    Attributes
    ----------
    conditions : by condition_idx.
    platforms : platform -> number of sessions.
    median_minutes : from start to end, over the finished sessions; None before the first.
    places_left : how many participants can still start; None: no limit.
    n_tried_out : sessions on the platform `test`.
    sessions : newest first.
    """

    at: str
    conditions: tuple[Counts, ...]
    total: Counts
    platforms: Mapping[str, int]
    median_minutes: float | None
    places_left: int | None
    n_tried_out: int
    sessions: tuple[SessionAtAGlance, ...]


def overview_of(
    study: Study,
    sessions: Sequence[Session],
    *,
    trial_counts: Mapping[str, int],
    problems: Iterable[tuple[str, Problem]],
    now: datetime,
) -> Overview:
    """Summarise all sessions of a study, given oldest first.

    Parameters
    ----------
    trial_counts : participant -> number of stored trials; participants without any may be missing.
    problems : (participant, problem), oldest first.
    """
    problems_of: dict[str, list[Problem]] = {}
    for participant, problem in problems:
        problems_of.setdefault(participant, []).append(problem)
    seen = [
        _at_a_glance(
            study,
            session,
            n_stored=trial_counts.get(session.participant, 0),
            problems=tuple(problems_of.get(session.participant, ())),
            now=now,
        )
        for session in sessions
    ]
    return _summary(study, sessions=sessions, seen=seen, now=now)


def _summary(study: Study, *, sessions: Sequence[Session], seen: Sequence[SessionAtAGlance], now: datetime) -> Overview:
    real = [one for one in seen if one.platform != TEST_PLATFORM]
    of_condition: dict[int, list[SessionAtAGlance]] = {index: [] for index in range(study.conditions.count)}
    for one in real:
        of_condition[one.condition_idx].append(one)
    minutes = [
        (datetime.fromisoformat(session.finished_at) - datetime.fromisoformat(session.started_at))
        / timedelta(minutes=1)
        for session in sessions
        if session.state == "completed" and session.finished_at and session.ids.platform != TEST_PLATFORM
    ]
    n_taken = sum(
        session.holds_slot and one.progress in ("finished", "under_way")
        for session, one in zip(sessions, seen, strict=True)
    )
    n_places = None if study.slots.reuse else study.slots.count
    return Overview(
        at=now.isoformat(timespec="milliseconds"),
        conditions=tuple(_counts(of_condition[index]) for index in sorted(of_condition)),
        total=_counts(real),
        platforms=dict(Counter(one.platform for one in real).most_common()),
        median_minutes=median(minutes) if minutes else None,
        places_left=None if n_places is None else n_places - n_taken,
        n_tried_out=len(seen) - len(real),
        sessions=tuple(reversed(seen)),
    )


def _at_a_glance(
    study: Study, session: Session, *, n_stored: int, problems: tuple[Problem, ...], now: datetime
) -> SessionAtAGlance:
    trialset_id = trialset_of_slot(study, session.slot)
    is_real = session.ids.platform != TEST_PLATFORM
    return SessionAtAGlance(
        participant=session.participant,
        platform=session.ids.platform,
        assignment_id=session.ids.assignment_id,
        condition_idx=condition_of(study, trialset_id),
        progress=progress_of(session, now),
        released=session.released,
        n_stored=n_stored,
        n_trials=n_trials(study, trialset_id),
        started_at=session.started_at,
        last_seen=_last_seen(session, timedelta(minutes=study.lease_minutes)),
        may_be_released=session.state == "started" and session.released is None and is_real,
        problems=problems,
    )


def progress_of(session: Session, now: datetime) -> Progress:
    """The progress of a session at a moment."""
    if session.state != "started":
        return "finished" if session.state == "completed" else session.state
    lease_is_over = session.released is not None or datetime.fromisoformat(session.lease_until) <= now
    return "dropped_out" if lease_is_over else "under_way"


def _last_seen(session: Session, lease: timedelta) -> str | None:
    if session.finished_at is not None:
        return session.finished_at
    if session.released is not None:
        return None
    # Every request renews the full lease.
    return (datetime.fromisoformat(session.lease_until) - lease).isoformat(timespec="milliseconds")


def n_trials(study: Study, trialset_id: int) -> int:
    """The length of a trial set, without building it."""
    if study.prespecified:
        return len(study.prespecified[trialset_id].trials)
    return sum(
        len(study.classes) * sum(block.n_per_class.values()) + block.n_calibration_trials + block.n_repeats
        for block in study.blocks
    )


def _counts(sessions: Iterable[SessionAtAGlance]) -> Counts:
    counted: Counter[str] = Counter(session.progress for session in sessions)
    return Counts(**counted)
