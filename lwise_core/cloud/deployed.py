"""A deployed study: found by the outputs of its stack, or its tables by name once the stack is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from lwise_core.cloud.asking import asking, client
from lwise_core.cloud.naming import EXPERIMENT_STACKS, experiment_stack_name
from lwise_core.errors import InputError
from lwise_core.experiments.authoring.folder import find_study
from lwise_core.experiments.study import Study
from lwise_core.sessions.dynamo_s3 import DynamoS3Store
from lwise_core.sessions.service import SessionService

_LINK = "Link"


@dataclass(frozen=True)
class Tables:
    """Where the sessions of a deployed study are kept; all of it outlives the stack."""

    session_table: str
    counter_table: str
    bucket: str


@dataclass(frozen=True)
class DeployedStudy:
    """What a study's stack says of itself.

    Attributes
    ----------
    is_protected : whether AWS refuses to delete the stack.
    address : where participants find it.
    platforms : whose participants it has links for.
    """

    stack: str
    is_protected: bool
    address: str
    platforms: tuple[str, ...]
    tables: Tables


def study_id_of(study: Path) -> str:
    """The id of a study by its folder or, where it has none on this machine, by what is taken for the id itself.

    Raises
    ------
    InputError
        If it is neither.
    """
    try:
        return find_study(study).study_id
    except InputError:
        if len(study.parts) != 1 or study.exists():
            raise
        experiment_stack_name(study.name)
        return study.name


def find_deployed(study_id: str) -> DeployedStudy:
    """What the stack of a study says of itself.

    Raises
    ------
    InputError
        If there is no such stack in the region, it was never complete, or AWS cannot be asked.
    """
    stack = experiment_stack_name(study_id)
    described = _described(stack)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    if "SessionTable" not in outputs:
        raise InputError(
            f"{stack}: its deployment did not come to its end (it is {described['StackStatus']}); deploy it again, or "
            f"remove what there is with `npx cdk destroy {stack}`"
        )
    links = [url for name, url in outputs.items() if name.startswith(_LINK)]
    return DeployedStudy(
        stack=stack,
        is_protected=described.get("EnableTerminationProtection", False),
        address=outputs["Address"],
        platforms=tuple(platform for url in links for platform in parse_qs(urlsplit(url).query)["PLATFORM"]),
        tables=Tables(outputs["SessionTable"], outputs["CounterTable"], outputs["DataBucket"]),
    )


def tables_of(study_id: str) -> Tables:
    """The tables that the stack of a study names in its outputs; raises as `find_deployed`."""
    return find_deployed(study_id).tables


def open_store(tables: Tables) -> DynamoS3Store:
    """The store of these tables, whatever study they are of.

    Raises
    ------
    InputError
        If there is no AWS account or region to ask.
    """
    with asking(f"table {tables.session_table}"):
        return DynamoS3Store(dynamodb=client("dynamodb"), s3=client("s3"), **vars(tables))


def open_sessions(study: Study, tables: Tables) -> SessionService:
    """The sessions in these tables, for reading.

    Raises
    ------
    InputError
        If the tables are not there, AWS cannot be asked, or the trials of the sessions are not those of `study`.
    """
    with asking(f"table {tables.session_table}"):
        return SessionService(study, open_store(tables))


def alarms_of(stack: str) -> list[str]:
    """What is wrong with a deployed study, in the words of those of its alarms that have gone off.

    Raises
    ------
    InputError
    """
    with asking(f"{stack}, alarms"):
        # Names go on with a hyphen: those of study 1 are not those of study 10.
        pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    told = [alarm.get("AlarmDescription") or alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
    return [text.removeprefix(f"{stack}: ") for text in told]


def _described(stack: str) -> Mapping[str, Any]:
    with asking(stack):
        cloudformation = client("cloudformation")
        try:
            (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if "does not exist" not in error.response["Error"]["Message"]:
                raise
            region = cloudformation.meta.region_name
            there = ", ".join(_studies_there(cloudformation)) or "none"
            raise InputError(
                f"{stack}: does not exist in {region} of this account; the studies there: {there}. Deploy it with "
                f"`npx cdk deploy {stack}`, or set AWS_REGION and AWS_PROFILE to where it is"
            ) from None
    found: Mapping[str, Any] = described
    return found


def _studies_there(cloudformation: Any) -> Sequence[str]:
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    names = [stack["StackName"] for page in pages for stack in page["Stacks"]]
    return sorted(name for name in names if name.startswith(EXPERIMENT_STACKS))
