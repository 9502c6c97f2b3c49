"""Functions, each run from its own zip in processes that see that zip and boto3 alone.

Stock moto runs them in Docker. As in AWS a process answers one event at a time and stays for the next one; where all
are busy another is started.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from moto.awslambda.models import LambdaFunction

TIMED_OUT = "Sandbox.Timedout"

_BROUGHT_BY_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_MOST_AT_ONCE = 4
"""Processes of one function; more would only wait for each other on a small machine. Calls beyond wait."""
_START_SECONDS = 120
"""However busy the machine is."""

Environment = Mapping[str, str]


class Functions:
    """The processes of all functions of an account.

    Parameters
    ----------
    environment : of every function, in addition to its own.
    credentials : environment variables with which a function shows who it is.
    folder : for unpacked code.
    """

    def __init__(
        self, environment: Environment, credentials: Callable[[LambdaFunction], Environment], folder: Path
    ) -> None:
        self._environment = environment
        self._credentials = credentials
        self._folder = folder
        self._runtime = _runtime(folder / "runtime")
        self._warm: dict[str, _Warm] = {}
        self._lock = threading.Lock()

    @contextmanager
    def run(self) -> Iterator[None]:
        """Have moto call functions here; end all processes at the end."""

        def invoke(function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
            answer, logs = self._call(function, {} if event is None else event)
            function.logs_backend.ensure_log_group(function.logs_group_name)
            function.save_logs(logs)
            failed = "error" in answer
            return json.dumps(answer["error"]) if failed else answer["result"], failed, logs

        with mock.patch.object(LambdaFunction, "_invoke_lambda", invoke):
            try:
                yield
            finally:
                self.cool_down()

    def cool_down(self) -> None:
        """End all processes that wait for an event: the next call of every function is a cold start."""
        with self._lock:
            for warm in self._warm.values():
                warm.end()
            self._warm.clear()

    def _call(self, function: LambdaFunction, event: Any) -> tuple[dict[str, Any], str]:
        """The answer to an event, and what was logged meanwhile."""
        warm = self._warm_ones(function)
        with warm.free:
            process = warm.take() or self._start(function)
            try:
                return process.call(event)
            finally:
                warm.put(process)

    def _start(self, function: LambdaFunction) -> _Process:
        root = self._unpacked(function)
        given = {**self._environment, **self._credentials(function), **_environment(function, root)}
        return _Process(function, root, self._runtime, {**given, **function.environment_vars})

    def _warm_ones(self, function: LambdaFunction) -> _Warm:
        """Those of this version of a function; the ones of versions before are ended."""
        settings = (function.handler, function.timeout, function.role, function.environment_vars)
        version = json.dumps([function.code_sha_256, *settings], sort_keys=True)
        with self._lock:
            warm = self._warm.get(function.function_arn)
            if warm is None or warm.version != version:
                if warm is not None:
                    warm.end()
                warm = self._warm[function.function_arn] = _Warm(version)
            return warm

    def _unpacked(self, function: LambdaFunction) -> Path:
        folder = self._folder / function.code_digest.replace(":", "-")
        with self._lock:
            if not folder.exists():
                with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                    archive.extractall(folder)
        return folder


class _Warm:
    """Processes of one version of one function that wait for an event."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._waiting: list[_Process] = []
        self._is_over = False
        self._lock = threading.Lock()

    def take(self) -> _Process | None:
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def put(self, process: _Process) -> None:
        """Take a process back, if it can still be used."""
        with self._lock:
            if self._is_over or not process.is_alive:
                process.end()
            else:
                self._waiting.append(process)

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            for process in self._waiting:
                process.end()
            self._waiting.clear()


class _Process:
    """One process."""

    def __init__(self, function: LambdaFunction, root: Path, runtime: Path, environment: Environment) -> None:
        self._seconds = float(function.timeout)
        self._log = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed with the process
        self._answers, writing = os.pipe()
        self._is_ready = False
        # Opened once more, since this process reads the log from a place of its own.
        with Path(self._log.name).open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-B", Path(__file__).with_name("function_process.py")),
                    *(root, runtime, str(writing)),
                ],
                env=environment,
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
            )
        os.close(writing)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def call(self, event: Any) -> tuple[dict[str, Any], str]:
        """Answer an event. A process that does not, is ended."""
        answer = {} if self._is_ready else self._answer(_START_SECONDS)
        if "error" in answer:
            self._stop()
        else:
            self._is_ready = True
            self._ask(event)
            answer = self._answer(self._seconds)
        return answer, self._log.read().decode(errors="replace")

    def _ask(self, event: Any) -> None:
        asked = {"event": event, "request_id": str(uuid.uuid4()), "seconds": self._seconds}
        assert self._process.stdin is not None
        # A process that has ended gives no answer, which says what is to be said.
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
        self._stop()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._answers)
        self._log.close()

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line that the process writes."""
        ends_at = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._answers], [], [], max(0.0, ends_at - time.monotonic()))
            if not readable:
                self._stop()
                return _error(TIMED_OUT, f"Task timed out after {seconds:.2f} seconds")
            part = os.read(self._answers, 1 << 16)
            if not part:
                self._process.wait()
                return _error("Runtime.ExitError", f"the process exited with {self._process.returncode}")
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": kind, "errorMessage": message}}


def _environment(function: LambdaFunction, root: Path) -> dict[str, str]:
    """What AWS sets for a function."""
    return {
        "_HANDLER": function.handler or "",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": "stand-in",
        "LAMBDA_TASK_ROOT": str(root),
        "STAND_IN_FUNCTION_ARN": function.function_arn,
        "TZ": ":UTC",
    }


def _runtime(folder: Path) -> Path:
    """A folder with the packages that the Lambda runtime brings, and no others."""
    folder.mkdir(parents=True)
    for name in _BROUGHT_BY_THE_RUNTIME:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        source = Path(found.origin)
        source = source.parent if source.name == "__init__.py" else source
        (folder / source.name).symlink_to(source)
    return folder
