"""A deployed study's tables: found by the outputs of its stack, or by name once the stack is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lwise_core.cloud.naming import experiment_stack_name
from lwise_core.errors import InputError
from lwise_core.experiments.study import Study
from lwise_core.sessions.dynamo_s3 import DynamoS3Store
from lwise_core.sessions.service import SessionService


@dataclass(frozen=True)
class Tables:
    """Where the sessions of a deployed study are kept; all of it outlives the stack."""

    session_table: str
    counter_table: str
    bucket: str


def tables_of(study_id: str) -> Tables:
    """The tables that the stack of a study names in its outputs.

    Raises
    ------
    InputError
        If there is no such stack in the region, or AWS cannot be asked.
    """
    outputs = _outputs(experiment_stack_name(study_id))
    return Tables(outputs["SessionTable"], outputs["CounterTable"], outputs["DataBucket"])


def open_sessions(study: Study, tables: Tables) -> SessionService:
    """The sessions in these tables, for reading.

    Raises
    ------
    InputError
        If the tables are not there, AWS cannot be asked, or the trials of the sessions are not those of `study`.
    """
    try:
        settings = boto3.Session()
        store = DynamoS3Store(dynamodb=settings.client("dynamodb"), s3=settings.client("s3"), **vars(tables))
        return SessionService(study, store)
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"table {tables.session_table}: {_why(error)}") from None


def all_records(service: SessionService) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Session and trial records of a study, also while participants answer.

    Raises
    ------
    InputError
        If fewer trials can be read than the sessions have.
    """
    try:
        sessions = service.session_records()
        trials = list(service.trial_records())
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"the sessions: {_why(error)}") from None
    # Read first, sessions know no more trials than there are by now.
    n_stored = sum(session["n_stored"] for session in sessions)
    if len(trials) < n_stored:
        raise InputError(f"{len(trials)} trials were read, but the sessions have {n_stored}; nothing was written")
    return sessions, trials


def _outputs(stack: str) -> Mapping[str, str]:
    try:
        (described,) = boto3.Session().client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"{stack}: {_why(error)}") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    if "SessionTable" not in outputs:
        raise InputError(f"{stack}: names no tables (it is {described['StackStatus']}); deploy it, or use --tables")
    return outputs


def _why(error: Any) -> str:
    """AWS's reason, with what can be done about it."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return f"{message} ({code}); region and account are those of your AWS settings, e.g. AWS_REGION and AWS_PROFILE"
    return f"{error}; see `aws configure`, or set AWS_PROFILE and AWS_REGION"
