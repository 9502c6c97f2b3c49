"""Jobs that were launched: which there are, how they are, what they log; stop one, wait for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lwise_core.aws_names import JOB_LOGS
from lwise_core.cloud.aws_client import asking, client
from lwise_core.errors import InputError

_OURS = "lwise-"
_GOING_ON = ("InProgress", "Stopping")
_BETWEEN_LOOKS_S = 15.0


@dataclass(frozen=True)
class JobStatus:
    """A job on SageMaker.

    Attributes
    ----------
    status : SageMaker's word: InProgress, Completed, Failed, Stopping or Stopped.
    step : what it is doing just now, where SageMaker says so.
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
    def is_going_on(self) -> bool:
        """Whether it has not ended."""
        return self.status in _GOING_ON


def list_jobs(n: int) -> list[JobStatus]:
    """The newest jobs of this project, trainings and others.

    Raises
    ------
    InputError
    """
    options = {"NameContains": _OURS, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": min(n, 100)}
    with asking("jobs"):
        sagemaker = client("sagemaker")
        found = [
            JobStatus(one["TrainingJobName"], one["TrainingJobStatus"], one["CreationTime"], one.get("TrainingEndTime"))
            for one in sagemaker.list_training_jobs(**options)["TrainingJobSummaries"]
        ] + [
            JobStatus(
                one["ProcessingJobName"], one["ProcessingJobStatus"], one["CreationTime"], one.get("ProcessingEndTime")
            )
            for one in sagemaker.list_processing_jobs(**options)["ProcessingJobSummaries"]
        ]
    return sorted(found, key=lambda job: job.created, reverse=True)[:n]


def job_status(name: str) -> JobStatus:
    """How a job is.

    Raises
    ------
    InputError
        If there is no such job in the region.
    """
    with asking(f"job {name}"):
        if _is_training(name):
            told = client("sagemaker").describe_training_job(TrainingJobName=name)
            cluster, kind = told["ResourceConfig"], "Training"
        else:
            told = client("sagemaker").describe_processing_job(ProcessingJobName=name)
            cluster, kind = told.get("ProcessingResources", {}).get("ClusterConfig"), "Processing"
    return JobStatus(
        name=name,
        status=told[f"{kind}JobStatus"],
        created=told["CreationTime"],
        ended=told.get(f"{kind}EndTime"),
        step=told.get("SecondaryStatus", ""),
        machines=f"{cluster['InstanceCount']} x {cluster['InstanceType']}" if cluster else "",
        # A processing job says in its exit message what its entry point left as the reason.
        reason=told.get("ExitMessage") or told.get("FailureReason", ""),
    )


def log_lines(name: str) -> Iterator[str]:
    """The lines of a job's log by their time, each with the machine that wrote it.

    Raises
    ------
    InputError
        If there are none.
    """
    group = f"{JOB_LOGS}{'Training' if _is_training(name) else 'Processing'}Jobs"
    is_empty = True
    with asking(f"log of {name}"):
        pages = client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, logStreamNamePrefix=f"{name}/"):
            for event in page["events"]:
                is_empty = False
                host = event["logStreamName"].removeprefix(f"{name}/").rpartition("-")[0]
                yield f"{host} {event['message']}"
    if is_empty:
        raise InputError(f"job {name}: has logged nothing yet")


def stop_job(name: str) -> None:
    """Ask a job to stop; a training keeps its state.

    Raises
    ------
    InputError
        If there is no such job, or it has ended.
    """
    with asking(f"job {name}"):
        sagemaker = client("sagemaker")
        if _is_training(name):
            sagemaker.stop_training_job(TrainingJobName=name)
        else:
            sagemaker.stop_processing_job(ProcessingJobName=name)


def wait_for(
    name: str, *, on_status: Callable[[JobStatus], Any], sleep: Callable[[float], None] = time.sleep
) -> JobStatus:
    """How a job is when it has ended; `on_status` is called with every change.

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
        if not status.is_going_on:
            return status
        sleep(_BETWEEN_LOOKS_S)


def _is_training(name: str) -> bool:
    if not name.startswith(_OURS):
        raise InputError(f"{name!r} is no job of this project; expected a name that begins with {_OURS}, see the list")
    return name.startswith(f"{_OURS}train-")
