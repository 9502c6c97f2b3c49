"""The function's entry: what it needs is made when a container starts, then every event is answered and logged.

A line of the log says which call it was, how it went and how long it took, and nothing of who made it. All writes are
done before the answer: a container sleeps from then on.
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
from lambdas.session_api.gateway import Answer, Event, answer, called
from lwise_core import aws_names
from lwise_core.experiments.bundle import load_bundle
from lwise_core.sessions.service import CompletionCodes, SessionService
from lwise_core.sessions.stores.dynamodb.store import DynamoStore

_BUNDLE = Path(__file__).parents[2] / "bundle.json"
"""The compiled study, where `assemble` puts it."""

# API Gateway waits for 29 seconds.
_PATIENCE = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 4})
_STUDY = load_bundle(_BUNDLE)
_STORE = DynamoStore(
    dynamodb=boto3.client("dynamodb", config=_PATIENCE),
    # Making a client takes its time; only addresses are kept there.
    s3=boto3.client("s3", config=_PATIENCE) if _STUDY.page.ask_email else None,
    session_table=os.environ[aws_names.SESSION_TABLE_ENV],
    counter_table=os.environ[aws_names.COUNTER_TABLE_ENV],
    bucket=os.environ[aws_names.DATA_BUCKET_ENV],
)
_CODE_OF = Codes(os.environ, lambda: boto3.client("ssm", config=_PATIENCE))

_is_cold = True


def lambda_handler(event: Event, _: object) -> dict[str, Any]:
    """Answer one event of API Gateway."""
    global _is_cold
    began, was_cold, _is_cold = time.perf_counter(), _is_cold, False
    trouble: dict[str, str] = {}
    try:
        answered = answer(event, _service(), _CODE_OF)
    except Exception as error:
        content = {"error": "something went wrong on the server; its log says what"}
        answered, trouble = Answer(called(event), 500, content), _trouble(error)
    msec = round(1000 * (time.perf_counter() - began), 1)
    line: dict[str, Any] = {aws_names.LOG_CALL: answered.call, aws_names.LOG_STATUS: answered.status}
    line |= {"msec": msec, "cold_start": was_cold, **trouble}
    print(json.dumps(line))
    return answered.for_gateway()


@cache
def _service() -> SessionService:
    """The service, which gives out references where others give out codes."""
    references = CompletionCodes(_STUDY.codes.completion, _STUDY.codes.screen_out)
    return SessionService(_STUDY, _STORE, codes=references)


def _trouble(error: Exception) -> dict[str, str]:
    """What broke and where, without the message, which may quote what was sent."""
    told = {"error": type(error).__qualname__, "traceback": "".join(traceback.format_tb(error.__traceback__))}
    return told | ({"aws_error": error.response["Error"]["Code"]} if isinstance(error, ClientError) else {})
