"""What a session is, and what a place to keep sessions must be able to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lwise_core.wire_schema import EndState, ProblemKind, ReleaseReason, State

TEST_PLATFORM = "test"
"""Where sessions come from that someone opens to try the study out. They take no slot and count nowhere."""


@dataclass(frozen=True)
class PlatformIds:
    """Who comes from where. `assignment_id` is the platform's name for this one run; the others may be unknown."""

    platform: str
    assignment_id: str
    worker_id: str | None = None
    study_id: str | None = None


@dataclass(frozen=True)
class Session:
    """One participant's run. `participant` is the random pseudonym under which trial data are kept.

    `slot` says which trial set it gets (`trialset.trialset_of_slot`). The session holds its slot (`holds_slot`) until
    its lease has run out and the next arrival is given it; `released` says that the platform ended the lease. `state`
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
    """Something that went wrong on a participant's page: what, in the page's words, at which trial, and when."""

    kind: ProblemKind
    message: str
    trial_index: int | None
    at: str


class SessionStore(Protocol):
    """Durable storage. Every method that writes returns only when what it wrote would survive a power cut."""

    def claim(self, study_sha256: str) -> None:
        """Bind an empty store to one version of a study's trials; raise `InputError` if it is bound to another one."""

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
        """The session of this platform and assignment, made if there is none; its token becomes `token_sha256`.

        A new session gets `slot`, which nobody then holds, or, if that is None, a slot of its own: the lowest one whose
        holder ended without completing, or has not ended before its lease ran out, else the next of 0, 1, 2 …

        Raises
        ------
        StudyFull
            If all `n_slots` (None: no end) are held.
        AlreadyTookPart
            If not `may_repeat` and the platform's `worker_id` has another session.
        NotYours
            If the session of this assignment is another `worker_id`'s.

        Nothing is kept then.
        """

    def session_of(self, platform: str, assignment_id: str) -> Session | None:
        """The session of an assignment, as it stands; of one begun anew the latest."""

    def session_with_token(self, token_sha256: str) -> Session | None:
        """The session that this token opens."""

    def add_trials(self, participant: str, records: Mapping[int, Mapping[str, Any]], *, lease_until: str) -> None:
        """Keep trial records by index, and renew the lease; an index that is there already keeps its first record."""

    def renew_lease(self, participant: str, *, lease_until: str) -> None:
        """Lengthen the lease, unless the platform has ended it."""

    def release(self, platform: str, assignment_id: str, *, reason: ReleaseReason, now: str) -> bool:
        """End the lease of a session that is under way, for good; false if there is no such session."""

    def restart(self, participant: str, *, fresh: str, now: str) -> None:
        """Let a session that has not ended go on without its trials, under the pseudonym `fresh`.

        The trials so far stay, with their problems, under the old pseudonym as a session of their own that ended as
        `restarted` and holds no slot.
        """

    def trial_indices(self, participant: str) -> set[int]:
        """Indices of the trials that are kept."""

    def trials(self, participant: str) -> list[dict[str, Any]]:
        """Trial records in the order of their indices."""

    def trial_counts(self) -> dict[str, int]:
        """How many trials are kept of each participant who has any."""

    def add_problem(self, participant: str, problem: Problem, *, at_most: int) -> None:
        """Keep a problem, unless `at_most` of the participant's are kept already."""

    def problems(self) -> list[tuple[str, Problem]]:
        """(participant, problem), oldest first."""

    def keep_email(self, participant: str, email: str) -> None:
        """Keep an address, instead of one that was left before."""

    def emails(self) -> list[str]:
        """The addresses, in alphabetical order: nothing about them says whose they are."""

    def end(self, participant: str, *, state: EndState, now: str) -> Session:
        """End a session, once; a later call changes nothing."""

    def sessions(self) -> Iterable[Session]:
        """All sessions, oldest first."""
