"""Asking AWS, with its refusals as sentences for the person at the keyboard."""

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

AT_ONCE = 16
"""Requests under way at the same time where there are many to make."""

_PATIENCE = Config(max_pool_connections=AT_ONCE, retries={"mode": "standard", "total_max_attempts": 5})


def client(service: str) -> Any:
    """A client with the region and the account of the user's AWS settings."""
    return boto3.Session().client(service, config=_PATIENCE)


def at_once(
    requests: Iterable[Callable[[], Answer]], *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Answer]:
    """The answers to many requests in their order, several under way at the same time.

    Where one fails, those that were not begun are left out, and its error is raised.
    """
    with ThreadPoolExecutor(AT_ONCE) as workers:
        asked = [workers.submit(request) for request in requests]
        try:
            for done, one in enumerate(as_completed(asked), start=1):
                one.result()
                on_progress(done, len(asked))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
        return [one.result() for one in asked]


@contextmanager
def asking(about: str) -> Iterator[None]:
    """Say of what AWS refuses, or where it is not reached, what it was about.

    Raises
    ------
    InputError
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"{about}: {_why(error)}") from None


def _why(error: Any) -> str:
    """AWS's reason, with what can be done about it."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return f"{message} ({code}); region and account are those of your AWS settings, e.g. AWS_REGION and AWS_PROFILE"
    return f"{error}; see `aws configure`, or set AWS_PROFILE and AWS_REGION"
