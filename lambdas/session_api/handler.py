"""The function's entry point: set up when a container starts, then answer and log every event.

A line of the log has the call, its status and its duration, and identifies nobody. All writes are done before the
response: the container is frozen after it.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdas.session_api.codes import Codes
from lambdas.session_api.gateway import Answer, Event, answer, call_name
from lwise_core import aws_names
from lwise_core.experiments.bundle import load_bundle
from lwise_core.sessions.service import CompletionCodes, SessionService
from lwise_core.sessions.stores.dynamodb.store import DynamoStore

_BUNDLE = Path(__file__).parents[2] / "bundle.json"
"""The compiled study, written by `assemble`."""

# API Gateway's own timeout is 29 seconds.
_TIMEOUTS = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 4})
_STUDY = load_bundle(_BUNDLE)
_STORE = DynamoStore(
    dynamodb=boto3.client("dynamodb", config=_TIMEOUTS),
    # Creating a client is slow, and S3 is only for e-mail addresses.
    s3=boto3.client("s3", config=_TIMEOUTS) if _STUDY.page.ask_email else None,
    session_table=os.environ[aws_names.SESSION_TABLE_ENV],
    counter_table=os.environ[aws_names.COUNTER_TABLE_ENV],
    bucket=os.environ[aws_names.DATA_BUCKET_ENV],
)
_CODE_OF = Codes(os.environ, lambda: boto3.client("ssm", config=_TIMEOUTS))

_is_cold = True


def lambda_handler(event: Event, _: object) -> dict[str, Any]:
    """Answer one event of API Gateway."""
    global _is_cold
    began, was_cold, _is_cold = time.perf_counter(), _is_cold, False
    failure: dict[str, str] = {}
    try:
        response = answer(event, _service(), _CODE_OF)
    except Exception as error:
        content = {"error": "something went wrong on the server; its log says what"}
        response, failure = Answer(call_name(event), 500, content), _failure(error)
    msec = round(1000 * (time.perf_counter() - began), 1)
    line: dict[str, Any] = {aws_names.LOG_CALL: response.call, aws_names.LOG_STATUS: response.status}
    line |= {"msec": msec, "cold_start": was_cold, **failure}
    print(json.dumps(line))
    return response.for_gateway()


@cache
def _service() -> SessionService:
    """The service, with references in place of codes."""
    references = CompletionCodes(_STUDY.codes.completion, _STUDY.codes.screen_out)
    return SessionService(_STUDY, _STORE, codes=references)


def _failure(error: Exception) -> dict[str, str]:
    """The exception's type and traceback, without the message, which may quote the request."""
    failure = {"error": type(error).__qualname__, "traceback": "".join(traceback.format_tb(error.__traceback__))}
    return failure | ({"aws_error": error.response["Error"]["Code"]} if isinstance(error, ClientError) else {})
