"""What runs in a function's process: imports its handler once, then answers one event after the other.

Started as a script with `python -I -S`, so that no package of the project's environment can be imported; knows nothing
but the standard library. Events come as lines of JSON on standard input, answers go as lines of JSON to a file
descriptor of their own, and what is printed is the function's log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class Context:
    """What AWS tells a function of a call."""

    def __init__(self, request_id: str, ends_at: float) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = os.environ["STAND_IN_FUNCTION_ARN"]
        self._ends_at = ends_at

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends_at - time.monotonic()) * 1000))


def main(root: str, runtime: str, answers_to: int) -> None:
    """
    Parameters
    ----------
    root : folder of the function's own code.
    runtime : folder of what the Lambda runtime brings.
    answers_to : file descriptor.
    """
    sys.path.insert(0, root)
    sys.path.append(runtime)
    with os.fdopen(answers_to, "w", encoding="utf-8", buffering=1) as answers:
        try:
            handler = _handler(os.environ["_HANDLER"])
        except BaseException as error:
            print(json.dumps({"error": _describe(error)}), file=answers)
            raise
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            print(json.dumps(_answer(handler, **json.loads(line))), file=answers)


def _handler(name: str) -> Callable[[Any, Context], Any]:
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)  # type: ignore[no-any-return]


def _answer(handler: Callable[[Any, Context], Any], *, event: Any, request_id: str, seconds: float) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = {"result": json.dumps(handler(event, Context(request_id, time.monotonic() + seconds)))}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": _describe(error)}
    sys.stdout.flush()
    sys.stderr.flush()
    return answer


def _describe(error: BaseException) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
