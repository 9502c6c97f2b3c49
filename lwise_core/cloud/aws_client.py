"""AWS clients, parallel requests, and AWS errors as one-line messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lwise_core.errors import InputError

Answer = TypeVar("Answer")

N_PARALLEL = 16
"""Number of parallel requests."""

_CONFIG = Config(max_pool_connections=N_PARALLEL, retries={"mode": "standard", "total_max_attempts": 5})


def client(service: str) -> Any:
    """A client with the region and the account of the user's AWS settings."""
    return boto3.Session().client(service, config=_CONFIG)


def run_parallel(
    requests: Iterable[Callable[[], Answer]], *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Answer]:
    """Run requests in parallel; returns their answers in order.

    If one fails, pending requests are cancelled and its error is raised.
    """
    with ThreadPoolExecutor(N_PARALLEL) as workers:
        futures = [workers.submit(request) for request in requests]
        try:
            for done, one in enumerate(as_completed(futures), start=1):
                one.result()
                on_progress(done, len(futures))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
        return [one.result() for one in futures]


@contextmanager
def explain_aws_errors(about: str) -> Iterator[None]:
    """Turn errors of AWS, or in reaching it, into an InputError that begins with `about`.

    Raises
    ------
    InputError
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"{about}: {_why(error)}") from None


def _why(error: Any) -> str:
    """AWS's reason and what to do about it."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return f"{message} ({code}); region and account are those of your AWS settings, e.g. AWS_REGION and AWS_PROFILE"
    return f"{error}; see `aws configure`, or set AWS_PROFILE and AWS_REGION"
