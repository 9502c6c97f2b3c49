"""Find a deployed study by the outputs of its stack, or its tables by bucket tags once the stack is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from lwise_core import aws_names
from lwise_core.authoring.folder import find_study
from lwise_core.cloud.aws_client import client, explain_aws_errors
from lwise_core.cloud.naming import experiment_stack_name, name_in_account, name_in_app
from lwise_core.errors import InputError
from lwise_core.experiments.study import Study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.stores.dynamodb.store import DynamoStore


@dataclass(frozen=True)
class Tables:
    """Tables and bucket with the sessions of a deployed study; they outlive the stack."""

    session_table: str
    counter_table: str
    bucket: str


@dataclass(frozen=True)
class DeployedStudy:
    """A study's stack, by its description and outputs.

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


def find_deployed(study: Path) -> DeployedStudy:
    """Read the stack of a study.

    Parameters
    ----------
    study : the study's folder or, where it has none on this machine, its id or the name of its stack.

    Raises
    ------
    InputError
        If there is no such stack in the region, it was never complete, or AWS cannot be reached.
    """
    stack = _stack_of(study)
    described = _describe(stack)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    if aws_names.SESSION_TABLE not in outputs:
        known_as = name_in_app(stack)
        raise InputError(
            f"{stack}: its deployment is incomplete ({described['StackStatus']}); continue it with "
            f"`npx cdk deploy {known_as}`, or remove it with `npx cdk destroy {known_as}`"
        )
    links = [url for name, url in outputs.items() if name.startswith(aws_names.LINK)]
    return DeployedStudy(
        stack=stack,
        is_protected=described.get("EnableTerminationProtection", False),
        address=outputs[aws_names.ADDRESS],
        platforms=tuple(platform for url in links for platform in parse_qs(urlsplit(url).query)["PLATFORM"]),
        tables=Tables(
            session_table=outputs[aws_names.SESSION_TABLE],
            counter_table=outputs[aws_names.COUNTER_TABLE],
            bucket=outputs[aws_names.DATA_BUCKET],
        ),
    )


def stack_exists(stack: str) -> bool:
    """Whether the account has a stack of this name in the region.

    Raises
    ------
    InputError
        If AWS cannot be reached.
    """
    with explain_aws_errors(stack):
        return _describe_if_exists(client("cloudformation"), stack) is not None


def stack_outputs(stack: str, *, remedy: str) -> Mapping[str, str]:
    """The outputs of a stack by their keys.

    Parameters
    ----------
    remedy : ends the error message if there is no such stack: what to do.

    Raises
    ------
    InputError
        If the stack is not in the region, or AWS cannot be reached.
    """
    try:
        with explain_aws_errors(stack):
            (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except InputError as error:
        raise InputError(f"{error}. {remedy}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}


def tables_of_bucket(bucket: str) -> Tables:
    """The tables of a study by its data bucket, whose tags name them even when the stack is gone.

    Raises
    ------
    InputError
        If it is not a study's data bucket, or AWS cannot be reached.
    """
    with explain_aws_errors(f"bucket {bucket}"):
        try:
            tags = client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            tags = []
    named = {tag["Key"]: tag["Value"] for tag in tags}
    if not {aws_names.SESSION_TABLE_TAG, aws_names.COUNTER_TABLE_TAG} <= named.keys():
        raise InputError(f"bucket {bucket}: is not the data bucket of a study; `lwise teardown` prints its name")
    return Tables(named[aws_names.SESSION_TABLE_TAG], named[aws_names.COUNTER_TABLE_TAG], bucket)


def open_store(tables: Tables) -> DynamoStore:
    """The store of these tables, of any study.

    Raises
    ------
    InputError
        If there is no AWS account or region to ask.
    """
    with explain_aws_errors(f"table {tables.session_table}"):
        return DynamoStore(dynamodb=client("dynamodb"), s3=client("s3"), **vars(tables))


def open_sessions(study: Study, tables: Tables) -> SessionService:
    """The sessions in these tables, for reading.

    Raises
    ------
    InputError
        If the tables are not there, AWS cannot be reached, or the trials of the sessions are not those of `study`.
    """
    with explain_aws_errors(f"table {tables.session_table}"):
        return SessionService(study, open_store(tables))


def alarms_of(stack: str) -> list[str]:
    """Descriptions of a deployed study's alarms that are in state ALARM.

    Raises
    ------
    InputError
    """
    with explain_aws_errors(f"{stack}, alarms"):
        # The hyphen keeps study 1 apart from study 10.
        pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    descriptions = [
        alarm.get("AlarmDescription") or alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"
    ]
    return [text.removeprefix(f"{stack}: ") for text in descriptions]


def _stack_of(study: Path) -> str:
    try:
        return name_in_account(find_study(study))
    except InputError:
        if len(study.parts) != 1 or study.exists():
            raise
        return study.name if aws_names.EXPERIMENT_STACKS in study.name else experiment_stack_name(study.name)


def _describe(stack: str) -> Mapping[str, Any]:
    with explain_aws_errors(stack):
        cloudformation = client("cloudformation")
        described = _describe_if_exists(cloudformation, stack)
        if described is None:
            region = cloudformation.meta.region_name
            existing = ", ".join(_deployed_studies(cloudformation)) or "none"
            raise InputError(
                f"{stack}: does not exist in {region} of this account; existing studies: {existing}. Deploy it with "
                f"`npx cdk deploy {name_in_app(stack)}`, or set AWS_REGION and AWS_PROFILE to where it is"
                f"{_retained_buckets(stack)}"
            )
    return described


def _describe_if_exists(cloudformation: Any, stack: str) -> Mapping[str, Any] | None:
    try:
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        return None
    stack_description: Mapping[str, Any] = described
    return stack_description


def _deployed_studies(cloudformation: Any) -> Sequence[str]:
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    names = [stack["StackName"] for page in pages for stack in page["Stacks"]]
    return sorted(name for name in names if aws_names.EXPERIMENT_STACKS in name)


def _retained_buckets(stack: str) -> str:
    """The retained data buckets of a destroyed study, as the end of a sentence."""
    filters = [{"Key": aws_names.STACK_TAG, "Values": [stack]}, {"Key": aws_names.SESSION_TABLE_TAG}]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
    buckets = [found["ResourceARN"].rpartition(":")[2] for page in pages for found in page["ResourceTagMappingList"]]
    return f". Its data were retained: --bucket {' or --bucket '.join(buckets)}" if buckets else ""
