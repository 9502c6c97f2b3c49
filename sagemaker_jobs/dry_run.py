"""The exact request that a launch would send, without anything being sent, uploaded or paid for."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from sagemaker_jobs.launch import Launch, launch


class _Seen(Exception):  # noqa: N818 - what was looked for is no error
    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__()
        self.request = request


def request_of(rehearsed: Launch) -> dict[str, Any]:
    """What `CreateTrainingJob` or `CreateProcessingJob` would be called with.

    Every call of the SDK is answered here: nothing leaves this machine.
    """
    session = boto3.Session()
    session.events.register("before-send", partial(_answered, rehearsed.where.bucket))
    session.events.register("provide-client-params.sagemaker", _caught)
    try:
        launch(rehearsed, session)
    except _Seen as seen:
        return seen.request
    raise AssertionError("the SDK sent no request")


def _caught(params: dict[str, Any], model: Any, **_: Any) -> None:
    if model.name.startswith("Create"):
        raise _Seen(params)


def _answered(bucket: str, request: Any, **_: Any) -> AWSResponse:
    """The SDK looks whether the bucket is there; whatever else it sends is answered by nothing."""
    listed = f"<Bucket><Name>{bucket}</Name><CreationDate>2020-01-01T00:00:00.000Z</CreationDate></Bucket>"
    body = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    if request.method != "GET":
        body = ""
    return AWSResponse(request.url, 200, {}, _Body(body.encode()))


class _Body(io.BytesIO):
    def stream(self) -> list[bytes]:
        return [self.getvalue()]
