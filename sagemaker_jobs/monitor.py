"""Launched jobs: list them, read their status and logs, stop them, wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lwise_core.aws_names import JOB_LOGS
from lwise_core.cloud.aws_client import client, explain_aws_errors
from lwise_core.errors import InputError

_OURS = "lwise-"
_ACTIVE = ("InProgress", "Stopping")
_POLL_INTERVAL_S = 15.0


@dataclass(frozen=True)
class JobStatus:
    """A job on SageMaker.

    Attributes
    ----------
    status : SageMaker's word: InProgress, Completed, Failed, Stopping or Stopped.
    step : current step, if SageMaker reports one.
    machines : number and kind.
    reason : why it failed.
    """

    name: str
    status: str
    created: datetime
    ended: datetime | None = None
    step: str = ""
    machines: str = ""
    reason: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the job has not ended."""
        return self.status in _ACTIVE


def list_jobs(n: int) -> list[JobStatus]:
    """The newest jobs of this project, trainings and others.

    Raises
    ------
    InputError
    """
    options = {"NameContains": _OURS, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": min(n, 100)}
    with explain_aws_errors("jobs"):
        sagemaker = client("sagemaker")
        jobs = [
            JobStatus(one["TrainingJobName"], one["TrainingJobStatus"], one["CreationTime"], one.get("TrainingEndTime"))
            for one in sagemaker.list_training_jobs(**options)["TrainingJobSummaries"]
        ] + [
            JobStatus(
                one["ProcessingJobName"], one["ProcessingJobStatus"], one["CreationTime"], one.get("ProcessingEndTime")
            )
            for one in sagemaker.list_processing_jobs(**options)["ProcessingJobSummaries"]
        ]
    return sorted(jobs, key=lambda job: job.created, reverse=True)[:n]


def job_status(name: str) -> JobStatus:
    """Status of a job.

    Raises
    ------
    InputError
        If there is no such job in the region.
    """
    with explain_aws_errors(f"job {name}"):
        if _is_training(name):
            description = client("sagemaker").describe_training_job(TrainingJobName=name)
            cluster, kind = description["ResourceConfig"], "Training"
        else:
            description = client("sagemaker").describe_processing_job(ProcessingJobName=name)
            cluster, kind = description.get("ProcessingResources", {}).get("ClusterConfig"), "Processing"
    return JobStatus(
        name=name,
        status=description[f"{kind}JobStatus"],
        created=description["CreationTime"],
        ended=description.get(f"{kind}EndTime"),
        step=description.get("SecondaryStatus", ""),
        machines=f"{cluster['InstanceCount']} x {cluster['InstanceType']}" if cluster else "",
        # For processing jobs, ExitMessage has the reason that the entry point wrote.
        reason=description.get("ExitMessage") or description.get("FailureReason", ""),
    )


def log_lines(name: str) -> Iterator[str]:
    """The lines of a job's log in order of time, each with its machine.

    Raises
    ------
    InputError
        If there are none.
    """
    group = f"{JOB_LOGS}{'Training' if _is_training(name) else 'Processing'}Jobs"
    is_empty = True
    with explain_aws_errors(f"log of {name}"):
        pages = client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, logStreamNamePrefix=f"{name}/"):
            for event in page["events"]:
                is_empty = False
                host = event["logStreamName"].removeprefix(f"{name}/").rpartition("-")[0]
                yield f"{host} {event['message']}"
    if is_empty:
        raise InputError(f"job {name}: has no log lines yet")


def stop_job(name: str) -> None:
    """Ask a job to stop; a training saves its state.

    Raises
    ------
    InputError
        If there is no such job, or it has ended.
    """
    with explain_aws_errors(f"job {name}"):
        sagemaker = client("sagemaker")
        if _is_training(name):
            sagemaker.stop_training_job(TrainingJobName=name)
        else:
            sagemaker.stop_processing_job(ProcessingJobName=name)


def wait_for(
    name: str, *, on_status: Callable[[JobStatus], Any], sleep: Callable[[float], None] = time.sleep
) -> JobStatus:
    """Wait until a job has ended, and return its status; `on_status` is called on every change.

    Raises
    ------
    InputError
    """
    before = None
    while True:
        status = job_status(name)
        if (status.status, status.step) != before:
            on_status(status)
            before = (status.status, status.step)
        if not status.is_active:
            return status
        sleep(_POLL_INTERVAL_S)


def _is_training(name: str) -> bool:
    if not name.startswith(_OURS):
        raise InputError(
            f"{name!r} is not a job of this project; expected a name that begins with {_OURS}, see `lwise jobs list`"
        )
    return name.startswith(f"{_OURS}train-")
