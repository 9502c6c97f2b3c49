"""What SageMaker is sent when a job is launched."""

from __future__ import annotations

from typing import Any

import boto3

from sagemaker_jobs.artefacts import artefacts
from sagemaker_jobs.container.job import Job
from sagemaker_jobs.inputs import prepare
from sagemaker_jobs.launch import launch, new_id


def sent(job: Job) -> tuple[str, dict[str, Any], list[str]]:
    """The name that a launched job got, the request, and the names of all calls."""
    session, requests, calls = boto3.Session(), [], []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name.startswith("Create"):
            requests.append(params)

    session.events.register("provide-client-params.sagemaker", note)
    session.events.register("before-call", lambda model, **_: calls.append(model.name))
    id_ = new_id(job)
    name = launch(prepare(job, id_, artefacts()), session)
    (request,) = requests
    assert name.startswith(f"{id_}-")
    return name, request, calls
