"""What a session is, and what a session store does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lwise_core.wire_schema import EndState, ProblemKind, ReleaseReason, State


@dataclass(frozen=True)
class PlatformIds:
    """A platform's ids of a participant. `assignment_id` is that of this session; the others may be unknown."""

    platform: str
    assignment_id: str
    worker_id: str | None = None
    study_id: str | None = None


@dataclass(frozen=True)
class Session:
    """One participant's session. `participant` is the random pseudonym of the trial data.

    `slot` says which trial set it gets (`trialset.trialset_of_slot`). The session holds its slot (`holds_slot`) until
    its lease is over and the next arrival gets it; `released`: the platform ended the lease. `state`
    changes and `finished_at` is set when it ends. Times are ISO 8601 in UTC with milliseconds.
    """

    participant: str
    ids: PlatformIds
    slot: int
    holds_slot: bool
    started_at: str
    lease_until: str
    released: ReleaseReason | None = None
    state: State = "started"
    finished_at: str | None = None


@dataclass(frozen=True)
class Problem:
    """A problem on a participant's page: its kind, the page's message, the trial and the time."""

    kind: ProblemKind
    message: str
    trial_index: int | None
    at: str


class SessionStore(Protocol):
    """Durable storage. A method that writes returns when its data would survive a power cut."""

    def claim(self, study_sha256: str) -> None:
        """Bind an empty store to one version of a study's trials; raise `InputError` if it is bound to another."""

    def open_session(
        self,
        ids: PlatformIds,
        *,
        participant: str,
        token_sha256: str,
        slot: int | None,
        n_slots: int | None,
        may_repeat: bool,
        now: str,
        lease_until: str,
    ) -> Session:
        """The session of this platform and assignment, created if there is none; its token becomes `token_sha256`.

        A new session gets `slot` without holding it, or, if that is None, a slot of its own: the lowest one whose
        holder ended without completing or whose lease is over, else the next of 0, 1, 2 …

        Raises
        ------
        StudyFull
            If all `n_slots` (None: no limit) are held.
        AlreadyTookPart
            If not `may_repeat` and the platform's `worker_id` has another session.
        NotYours
            If the session of this assignment is another `worker_id`'s.

        Nothing is stored then.
        """

    def session_of(self, platform: str, assignment_id: str) -> Session | None:
        """The current session of an assignment: the latest one if it was restarted."""

    def session_with_token(self, token_sha256: str) -> Session | None:
        """The session with this token."""

    def add_trials(self, participant: str, records: Mapping[int, Mapping[str, Any]], *, lease_until: str) -> None:
        """Store trial records by index, and renew the lease; the first record of an index stays."""

    def renew_lease(self, participant: str, *, lease_until: str) -> None:
        """Renew the lease, unless the platform has ended it."""

    def release(self, platform: str, assignment_id: str, *, reason: ReleaseReason, now: str) -> bool:
        """End the lease of a session under way, for good; false if there is no such session."""

    def restart(self, participant: str, *, fresh: str, now: str) -> None:
        """Restart a session that has not ended: without its trials, under the pseudonym `fresh`.

        Its trials and problems stay under the old pseudonym, as a session in the state `restarted` that holds no slot.
        """

    def trial_indices(self, participant: str) -> set[int]:
        """Indices of the stored trials."""

    def trials(self, participant: str) -> list[dict[str, Any]]:
        """Trial records in the order of their indices."""

    def trial_counts(self) -> dict[str, int]:
        """Number of stored trials per participant; participants without any are missing."""

    def add_problem(self, participant: str, problem: Problem, *, at_most: int) -> None:
        """Store a problem, up to `at_most` per participant."""

    def problems(self) -> list[tuple[str, Problem]]:
        """(participant, problem), oldest first."""

    def store_email(self, participant: str, email: str) -> None:
        """Store an address; it replaces an earlier one."""

    def emails(self) -> list[str]:
        """The addresses, in alphabetical order, without their owners."""

    def end(self, participant: str, *, state: EndState, now: str) -> Session:
        """End a session, once; a later call changes nothing."""

    def sessions(self) -> Iterable[Session]:
        """All sessions, oldest first."""
