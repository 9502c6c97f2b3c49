"""What a session is, and what a place to keep sessions must be able to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Outcome = Literal["completed", "screened_out"]


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
    its lease has run out and the next arrival is given it. `outcome` and `finished_at` are set when it ends. Times are
    ISO 8601 in UTC with milliseconds.
    """

    participant: str
    ids: PlatformIds
    slot: int
    holds_slot: bool
    started_at: str
    outcome: Outcome | None = None
    finished_at: str | None = None

    @property
    def state(self) -> str:
        """`started`, or how it ended."""
        return self.outcome or "started"


class SessionStore(Protocol):
    """Durable storage. Every method that writes returns only when what it wrote would survive a power cut."""

    def claim(self, study_sha256: str) -> None:
        """Bind an empty store to one version of a study; raise `InputError` if it holds another one."""

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
        holder was screened out, or has not ended before its lease ran out, else the next of 0, 1, 2 …

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

    def session_with_token(self, token_sha256: str) -> Session | None:
        """The session that this token opens."""

    def add_trials(self, participant: str, records: Mapping[int, Mapping[str, Any]], *, lease_until: str) -> None:
        """Keep trial records by index, and renew the lease; an index that is there already keeps its first record."""

    def trial_indices(self, participant: str) -> set[int]:
        """Indices of the trials that are kept."""

    def trials(self, participant: str) -> list[dict[str, Any]]:
        """Trial records in the order of their indices."""

    def end(self, participant: str, *, outcome: Outcome, now: str) -> Session:
        """End a session, once; a later call changes nothing."""

    def sessions(self) -> Iterable[Session]:
        """All sessions, oldest first."""
