"""`SessionService`: the rules of a session, the same on a laptop and in the cloud.

The server decides: it assigns the trial set, scores answers against its own copy of the trials, and completes a session
only when every trial is stored. Knows nothing of HTTP or of how sessions are stored.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from lwise_core.experiments.payloads import TrialsetPayload, expanded_trial, participant_view, provenance_fields
from lwise_core.experiments.study import REPEAT, TEST_PLATFORM, BonusTier, Study
from lwise_core.experiments.trialset import build_trialset, trialset_of_slot
from lwise_core.sessions.client_reports import email_address, problem_report
from lwise_core.sessions.errors import InvalidRequest, NotYours, TrialsMissing, UnknownToken
from lwise_core.sessions.overview import Overview, overview_of
from lwise_core.sessions.responses import trial_record
from lwise_core.sessions.store import PlatformIds, Problem, Session, SessionStore
from lwise_core.wire_schema import EndState, ReleaseReason, State

MAX_TRIALS_PER_REQUEST = 50
MAX_PROBLEMS = 100
"""Problems stored per session: enough to see what is wrong, too few to fill a disk."""
_MAX_ID_LENGTH = 200
_MAX_TEST_TRIALSET = 10**9
_CACHED_TRIALSETS = 2_000
"""More than people take part at once: with fewer, every answer would build a trial set."""


@dataclass(frozen=True)
class StartedSession:
    """What a participant's page gets when its session starts or resumes.

    Attributes
    ----------
    token : the key to the session.
    participant : pseudonym of the session; a session that starts over gets a new one.
    trialset : the trials without their answers.
    next_trial : the first trial without an answer.
    """

    token: str
    participant: str
    state: State
    trialset: TrialsetPayload
    next_trial: int


@dataclass(frozen=True)
class CompletionCodes:
    """Completion codes of the recruiting platform; None: no code. Sent at the end of a session, never logged."""

    completed: str | None = None
    screened_out: str | None = None


@dataclass(frozen=True)
class Result:
    """Score of a completed session, over the test trials (those without feedback; all main trials if there is no test).

    Attention checks and trials of the repeat image never count, neither here nor for the bonus.

    Attributes
    ----------
    accuracy : 0 to 1.
    """

    n_trials: int
    n_correct: int
    accuracy: float
    bonus_usd: float


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    Attributes
    ----------
    code : what the participant enters on the recruiting platform; None where there is nothing to enter.
    """

    state: State
    code: str | None
    result: Result


class SessionService:
    """The life of a session, from start to finish. One per study and store; safe to call from several threads."""

    def __init__(
        self,
        study: Study,
        store: SessionStore,
        *,
        codes: CompletionCodes = CompletionCodes(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        store.claim(study.trials_sha256)
        self.study = study
        self._store = store
        self._codes = codes
        self._clock = clock
        self._lease = timedelta(minutes=study.lease_minutes)
        self._trialset = lru_cache(maxsize=_CACHED_TRIALSETS)(
            lambda slot: build_trialset(study, trialset_of_slot(study, slot))
        )

    def start(self, ids: PlatformIds, *, trialset_id: int | None = None) -> StartedSession:
        """Start or resume the session of this assignment, with a new token.

        Only the platform `test` may request a trial set; its sessions take no slot. A slot whose holder was not heard
        from for `lease_minutes` goes to the next arrival, so that all conditions end with equally many participants.
        The study's `returning` rules apply to participants who left in the middle of the trials.

        Raises
        ------
        InvalidRequest
            If an id is empty, too long or not printable, the study is not open to the platform, or the requested trial
            set does not exist.
        StudyFull
            If all trial sets are taken.
        AlreadyTookPart
            If the person has another session and the study does not allow repeats.
        NotYours
            If the assignment belongs to another person.
        """
        _check_ids(ids)
        if self.study.platforms and ids.platform not in (TEST_PLATFORM, *self.study.platforms):
            raise InvalidRequest(f"this study is not open to participants from {ids.platform}")
        is_test = ids.platform == TEST_PLATFORM
        test_slot = self._test_slot(trialset_id) if is_test else None
        token = secrets.token_urlsafe(32)
        now = self._clock()
        self._apply_returning_rules(ids, now)
        session = self._store.open_session(
            ids,
            participant=_pseudonym(),
            token_sha256=_sha256(token),
            slot=test_slot,
            n_slots=None if self.study.slots.reuse else self.study.slots.count,
            may_repeat=is_test or self.study.allow_repeats,
            now=_iso(now),
            lease_until=_iso(now + self._lease),
        )
        view = participant_view(self.study, self._trialset(session.slot))
        return StartedSession(token, session.participant, session.state, view, self._next_trial(session))

    def record(self, token: str, responses: Sequence[Mapping[str, Any]]) -> tuple[list[int], int]:
        """Store answers; returns their indices and the first index without an answer.

        The first answer to a trial counts; later ones are ignored.

        Raises
        ------
        UnknownToken, InvalidRequest
        """
        session = self._session(token)
        if not 1 <= len(responses) <= MAX_TRIALS_PER_REQUEST:
            raise InvalidRequest(f"expected 1 to {MAX_TRIALS_PER_REQUEST} trials in a request, found {len(responses)}")
        records: dict[int, dict[str, Any]] = {}
        for response in responses:
            index, record = self._record(session, response)
            records.setdefault(index, record)
        self._store.add_trials(session.participant, records, lease_until=_iso(self._clock() + self._lease))
        return sorted(records), self._next_trial(session)

    def screening(self, token: str) -> bool:
        """Whether the participant continues after the screening block.

        True without a screening, and on the platform `test`: it is open to everyone, who could find the correct
        answers by trying.

        Raises
        ------
        UnknownToken
        TrialsMissing
            If a trial of the block is not stored.
        """
        session = self._session(token)
        missing = self._missing(session, self._screening_trials(session))
        if missing:
            raise TrialsMissing(missing)
        return self._passes_screening(session)

    def finish(self, token: str) -> Ending:
        """End a session: completed if all of its trials are stored, screened out if it failed the screening.

        The platform `test` is open to everyone, so it gets neither code nor score.

        Raises
        ------
        UnknownToken, TrialsMissing
        """
        session = self._session(token)
        if session.state == "started":
            state = self._end_state(session)
            session = self._store.end(session.participant, state=state, now=_iso(self._clock()))
        if session.ids.platform == TEST_PLATFORM:
            return Ending(session.state, None, Result(0, 0, 0.0, 0.0))
        codes = {"completed": self._codes.completed, "screened_out": self._codes.screened_out}
        return Ending(session.state, codes.get(session.state), self._result(session))

    def heartbeat(self, token: str) -> None:
        """Renew the lease: the session keeps its slot.

        Raises
        ------
        UnknownToken
        """
        session = self._session(token)
        self._store.renew_lease(session.participant, lease_until=_iso(self._clock() + self._lease))

    def report_problem(self, token: str, report: Mapping[str, Any]) -> None:
        """Store a problem of a participant's page, up to `MAX_PROBLEMS` per session.

        Raises
        ------
        UnknownToken, InvalidRequest
        """
        session = self._session(token)
        problem = problem_report(report, n_trials=self._n_trials(session), at=_iso(self._clock()))
        self._store.add_problem(session.participant, problem, at_most=MAX_PROBLEMS)

    def store_email(self, token: str, email: Any) -> None:
        """Store a participant's e-mail address, if the study asks for one.

        Raises
        ------
        UnknownToken, InvalidRequest
        """
        session = self._session(token)
        if not self.study.page.ask_email:
            raise InvalidRequest("this study does not ask for e-mail addresses")
        self._store.store_email(session.participant, email_address(email))

    def release(self, platform: str, assignment_id: str, *, reason: ReleaseReason) -> bool:
        """Free the slot of a participant who, the platform says, has left; false if no session is under way."""
        return self._store.release(platform, assignment_id, reason=reason, now=_iso(self._clock()))

    def overview(self) -> Overview:
        """The study under way, now."""
        return overview_of(
            self.study,
            list(self._store.sessions()),
            trial_counts=self._store.trial_counts(),
            problems=self._store.problems(),
            now=self._clock(),
        )

    def problems(self) -> list[tuple[str, Problem]]:
        """Problems of participants' pages, as (participant, problem), oldest first."""
        return self._store.problems()

    def emails(self) -> list[str]:
        """Participants' e-mail addresses, in alphabetical order."""
        return self._store.emails()

    def session_records(self) -> list[dict[str, Any]]:
        """One record per session, for analysis; the only place that links platform ids to the pseudonym."""
        return [self._session_record(session) for session in self._store.sessions()]

    def trial_records(self) -> Iterable[dict[str, Any]]:
        """The records of all trials of all sessions."""
        for session in self._store.sessions():
            yield from self._store.trials(session.participant)

    def _session_record(self, session: Session) -> dict[str, Any]:
        trialset = self._trialset(session.slot)
        result = self._result(session)
        return {
            "participant": session.participant,
            "platform": session.ids.platform,
            "assignment_id": session.ids.assignment_id,
            "worker_id": session.ids.worker_id,
            "study_id": session.ids.study_id,
            "trialset_id": trialset.trialset_id,
            "condition_idx": trialset.condition_idx,
            "state": session.state,
            "holds_slot": session.holds_slot,
            "released": session.released,
            "started_at": session.started_at,
            "finished_at": session.finished_at,
            "n_trials": len(trialset.trials),
            "n_stored": len(self._store.trial_indices(session.participant)),
            "n_correct": result.n_correct,
            "accuracy": result.accuracy if result.n_trials else None,
            "bonus_usd": result.bonus_usd,
        }

    def _result(self, session: Session) -> Result:
        result = result_of(self._store.trials(session.participant), self.study.bonus_tiers)
        # Only a completed session earns a bonus, whatever a page sends after a failed screening.
        return result if session.state == "completed" else replace(result, bonus_usd=0.0)

    def _apply_returning_rules(self, ids: PlatformIds, now: datetime) -> None:
        """Apply the study's `returning` to a session that was left in the middle of its trials."""
        session = self._store.session_of(ids.platform, ids.assignment_id)
        if session is None or session.state != "started" or not self._store.trial_indices(session.participant):
            return
        if session.ids.worker_id != ids.worker_id:
            raise NotYours
        returning = self.study.returning
        if returning.policy == "block" or self._is_too_late(session, now):
            self._store.end(session.participant, state="abandoned", now=_iso(now))
        elif returning.policy == "restart":
            self._store.restart(session.participant, fresh=_pseudonym(), now=_iso(now))

    def _is_too_late(self, session: Session, now: datetime) -> bool:
        within = self.study.returning.within_hours
        # Every request renews the full lease; a release shortens it, and the last request is then unknown.
        if within is None or session.released is not None:
            return False
        return now - (datetime.fromisoformat(session.lease_until) - self._lease) > timedelta(hours=within)

    def _end_state(self, session: Session) -> EndState:
        """The state in which a session ends now."""
        screening = self._screening_trials(session)
        if not self._missing(session, screening) and not self._passes_screening(session):
            return "screened_out"
        if missing := self._missing(session, range(self._n_trials(session))):
            raise TrialsMissing(missing)
        return "completed"

    def _record(self, session: Session, response: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        trialset = self._trialset(session.slot)
        index = response.get("index") if isinstance(response, Mapping) else None
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(trialset.trials):
            raise InvalidRequest(f"a trial's index is not a whole number from 0 to {len(trialset.trials) - 1}")
        session_fields = {
            "participant": session.participant,
            "platform": session.ids.platform,
            "trialset_id": trialset.trialset_id,
        }
        variant_fields = provenance_fields(self.study, trialset.trials[index])
        trial = expanded_trial(self.study, trialset, index)
        return index, {**session_fields, **variant_fields, **trial_record(trial, response)}

    def _session(self, token: str) -> Session:
        session = self._store.session_with_token(_sha256(token))
        if session is None:
            raise UnknownToken("this session is unknown, or was opened again in another window")
        return session

    def _screening_trials(self, session: Session) -> list[int]:
        """Indices of the trials of the screening block."""
        rule = self.study.screening
        if rule is None:
            return []
        trials = self._trialset(session.slot).trials
        return [index for index, trial in enumerate(trials) if trial.block == rule.block]

    def _passes_screening(self, session: Session) -> bool:
        rule = self.study.screening
        if rule is None or session.ids.platform == TEST_PLATFORM:
            return True
        main = [record for record in self._store.trials(session.participant) if is_main(record)]
        block = [record for record in main if record["block"] == rule.block]
        right = Counter({record["class"]: 0 for record in block})
        right.update(record["class"] for record in block if record["perf"])
        return right.total() >= rule.min_correct and min(right.values(), default=0) >= rule.min_correct_per_class

    def _missing(self, session: Session, indices: Iterable[int]) -> list[int]:
        return sorted(set(indices) - self._store.trial_indices(session.participant))

    def _next_trial(self, session: Session) -> int:
        stored = self._store.trial_indices(session.participant)
        n_trials = self._n_trials(session)
        return next((index for index in range(n_trials) if index not in stored), n_trials)

    def _n_trials(self, session: Session) -> int:
        return len(self._trialset(session.slot).trials)

    def _test_slot(self, trialset_id: int | None) -> int:
        slot = 0 if trialset_id is None else trialset_id
        highest = _MAX_TEST_TRIALSET if self.study.slots.count is None else self.study.slots.count - 1
        if not isinstance(slot, int) or isinstance(slot, bool) or not 0 <= slot <= highest:
            raise InvalidRequest(f"TRIALSET_ID is not a whole number from 0 to {highest}")
        return slot


def result_of(records: Sequence[Mapping[str, Any]], bonus_tiers: Sequence[BonusTier] = ()) -> Result:
    """Accuracy and bonus of the trial records of one session."""
    main = [record for record in records if is_main(record)]
    test = [record for record in main if not record["show_feedback"]] or main
    n_correct = sum(record["perf"] for record in test)
    return Result(
        n_trials=len(test),
        n_correct=n_correct,
        accuracy=n_correct / len(test) if test else 0.0,
        bonus_usd=_bonus_usd([record for record in main if record["bonus_usd_if_correct"]], bonus_tiers),
    )


def is_main(record: Mapping[str, Any]) -> bool:
    """Whether a trial counts: it is neither an attention check nor a trial of the repeat image."""
    return not record["calibration"] and record["trial_type"] != REPEAT


def _bonus_usd(records: Sequence[Mapping[str, Any]], tiers: Sequence[BonusTier]) -> float:
    """The bonus of the highest tier reached; without tiers, the sum over correct answers."""
    right: list[float] = [record["bonus_usd_if_correct"] for record in records if record["perf"]]
    if not tiers:
        return round(sum(right), 2)
    # Compare numbers of answers, so that 17 of 20 reach 0.85 in spite of rounding.
    reached = [tier.usd for tier in tiers if records and len(right) >= tier.at_least * len(records) - 1e-9]
    return reached[-1] if reached else 0.0


def _pseudonym() -> str:
    return f"p{secrets.token_hex(8)}"


def _check_ids(ids: PlatformIds) -> None:
    for name, value in vars(ids).items():
        optional = name in ("worker_id", "study_id")
        if value is None and optional:
            continue
        if not isinstance(value, str) or not 1 <= len(value) <= _MAX_ID_LENGTH or not value.isprintable():
            raise InvalidRequest(f"{name} is not a text of 1 to {_MAX_ID_LENGTH} printable characters")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _sha256(token: str) -> str:
    # The store has only the hash, so that a reader of the file cannot impersonate a participant.
    return hashlib.sha256(token.encode()).hexdigest()
