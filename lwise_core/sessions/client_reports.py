"""What a participant's page reports besides answers: problems, and an optional e-mail address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast, get_args

from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.store import Problem
from lwise_core.wire_schema import ProblemKind

MAX_MESSAGE_LENGTH = 500
_MAX_EMAIL_LENGTH = 254  # RFC 5321

# Only mail that arrives proves an address; this rejects impossible ones, and separators that would break a list.
_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\".]+")


def problem_report(report: Mapping[str, Any], *, n_trials: int, at: str) -> Problem:
    """Validate a problem report from a session of `n_trials` trials.

    Raises
    ------
    InvalidRequest
    """
    kind, message, trial_index = report.get("kind"), report.get("message"), report.get("trial_index")
    if kind not in get_args(ProblemKind):
        raise InvalidRequest(f"kind is not one of {', '.join(get_args(ProblemKind))}")
    if not isinstance(message, str) or not 1 <= len(message) <= MAX_MESSAGE_LENGTH or not message.isprintable():
        raise InvalidRequest(f"message is not a text of 1 to {MAX_MESSAGE_LENGTH} printable characters")
    is_whole = isinstance(trial_index, int) and not isinstance(trial_index, bool)
    if trial_index is not None and not (is_whole and 0 <= trial_index < n_trials):
        raise InvalidRequest(f"trial_index is neither null nor a whole number from 0 to {n_trials - 1}")
    return Problem(cast(ProblemKind, kind), message, trial_index, at)


def email_address(value: Any) -> str:
    """The address without surrounding spaces.

    Raises
    ------
    InvalidRequest
        If it is not an e-mail address.
    """
    address = value.strip() if isinstance(value, str) else ""
    if len(address) > _MAX_EMAIL_LENGTH or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise InvalidRequest("this is not an e-mail address")
    return address
