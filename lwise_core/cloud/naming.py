"""What stacks are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lwise_core.errors import InputError

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")


def experiment_stack_name(study_id: str) -> str:
    """`idaea4_10` -> `ExperimentStack-idaea4-10`.

    Raises
    ------
    InputError
        If the id has letters that no stack's name may have.
    """
    name = f"ExperimentStack-{study_id.replace('_', '-')}"
    if not _STACK_NAME.fullmatch(name):
        raise InputError(f"{study_id}: makes the stack name {name}; use letters, digits, hyphens and underscores only")
    return name


def refuse_twins(study_ids: Iterable[str]) -> None:
    """Two studies whose stacks would have one name.

    Raises
    ------
    InputError
    """
    owner: dict[str, str] = {}
    for study_id in study_ids:
        first = owner.setdefault(experiment_stack_name(study_id), study_id)
        if first != study_id:
            name = experiment_stack_name(study_id)
            raise InputError(f"studies {first} and {study_id} would both be {name}; rename one folder")
