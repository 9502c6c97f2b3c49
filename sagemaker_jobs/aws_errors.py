"""SageMaker's errors at launch as one sentence: its message, and the page of the console that helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lwise_core.errors import InputError
from sagemaker_jobs.container.job import Job

_REMEDIES = {
    "ResourceLimitExceeded": "ask for more in the console: "
    "https://{region}.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas",
    "AccessDeniedException": "your user may not launch jobs; see its permissions in the console: "
    "https://{region}.console.aws.amazon.com/iam/home#/users",
}


_ROLE_REMEDY = (
    "the role is made by `npx cdk deploy ComputeStack`; see it in the console: "
    "https://{region}.console.aws.amazon.com/iam/home#/roles"
)
_CONSOLE = "see the console: https://{region}.console.aws.amazon.com/sagemaker/home"


@contextmanager
def launching(job: Job) -> Iterator[None]:
    """Around a launch.

    Raises
    ------
    InputError
    """
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        remedy = _REMEDIES.get(code, _ROLE_REMEDY if "role" in message.lower() else _CONSOLE)
        region = boto3.Session().region_name or "us-east-1"
        what = f"{job.kind} job on {job.compute.instance_count} x {job.compute.instance_type}"
        raise InputError(f"{what}: {message} ({code}); {remedy.format(region=region)}") from None
    except BotoCoreError as error:
        raise InputError(f"{job.kind} job: {error}; see `aws configure`, or set AWS_PROFILE and AWS_REGION") from None
