"""Names of stacks and buckets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lwise_core.authoring.folder import StudyFolder
from lwise_core.aws_names import EXPERIMENT_STACKS, STIMULUS_STACKS
from lwise_core.errors import InputError

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")


def experiment_stack_name(study_id: str) -> str:
    """`idaea4_10` -> `ExperimentStack-idaea4-10`.

    Raises
    ------
    InputError
        If the id has characters that stack names may not have.
    """
    return _checked(f"{EXPERIMENT_STACKS}{study_id.replace('_', '-')}", study_id)


def name_in_account(study: StudyFolder) -> str:
    """Name of a study's stack in the account: the name in the app, after the study's `aws_prefix`.

    Raises
    ------
    InputError
        If the study's config cannot be read.
    """
    prefix = study.config_file.config.deployment.aws_prefix
    name = experiment_stack_name(study.study_id)
    return name if prefix is None else f"{prefix}-{name}"


def name_in_app(stack: str) -> str:
    """`lab-ExperimentStack-moths-0` -> `ExperimentStack-moths-0`, as `cdk` knows it."""
    return stack[stack.index(EXPERIMENT_STACKS) :]


def stimulus_stack_name(dataset: str) -> str:
    """`idaea4` -> `StimulusStack-idaea4`.

    Raises
    ------
    InputError
        If the name has characters that stack names may not have.
    """
    return _checked(f"{STIMULUS_STACKS}{dataset.replace('_', '-')}", dataset)


def stimulus_bucket_name(dataset: str, account: str, region: str) -> str:
    """The bucket of a `StimulusStack`. `account` and `region` may be placeholders of the CDK."""
    return f"lwise-stimuli-{dataset.replace('_', '-')}-{account}-{region}"


def _checked(stack: str, owner: str) -> str:
    if not _STACK_NAME.fullmatch(stack):
        raise InputError(f"{owner}: makes the stack name {stack}; use letters, digits, hyphens and underscores only")
    return stack


def reject_duplicate_stacks(study_ids: Iterable[str]) -> None:
    """Reject studies whose stacks would have the same name.

    Raises
    ------
    InputError
    """
    owner: dict[str, str] = {}
    for study_id in study_ids:
        first = owner.setdefault(experiment_stack_name(study_id), study_id)
        if first != study_id:
            name = experiment_stack_name(study_id)
            raise InputError(f"studies {first} and {study_id} would both have the stack {name}; rename one folder")
