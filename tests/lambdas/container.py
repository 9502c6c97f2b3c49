"""The function as it runs on AWS: its folder, a Python with boto3 only, events in and responses out."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lambdas.assemble import HANDLER, assemble_session_api
from lwise_core.experiments.bundle import to_bundle
from lwise_core.experiments.study import Study
from tests.aws import CREDENTIALS, REGION, Place, StandIn

_BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_SERVE = """
import importlib, json, sys
folder, packages, handler = sys.argv[1:]
sys.path[:0] = [folder, packages]
answers, sys.stdout = sys.stdout, sys.stderr
module, _, function = handler.rpartition(".")
handle = getattr(importlib.import_module(module), function)
for line in sys.stdin:
    print(json.dumps(handle(json.loads(line), None)), file=answers, flush=True)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@dataclass(frozen=True)
class Container:
    """A running container of the function."""

    process: subprocess.Popen[str]
    log: Path

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What the function answers to an event."""
        stdin, stdout = _pipes(self.process)
        stdin.write(json.dumps(event) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, self.log.read_text(encoding="utf-8")
        answered: dict[str, Any] = json.loads(line)
        return answered

    def logged(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def container(folder: Path, study: Study, aws: StandIn, place: Place) -> Iterator[Container]:
    """Start the function for a study, in its own folder."""
    code, packages, log = folder / "code", folder / "packages", folder / "log"
    code.mkdir()
    assemble_session_api(code, to_bundle(study))
    link_boto3(packages)
    environment = environment_of(aws, place) | {"OUT_CODE": "COUT"}
    # -I and -S: nothing that is installed, and nothing of this repository.
    command = [sys.executable, "-I", "-S", "-c", _SERVE, str(code), str(packages), HANDLER]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            yield Container(process, log)
        finally:
            _pipes(process)[0].close()


def environment_of(aws: StandIn, place: Place) -> dict[str, str]:
    """The environment of the function."""
    return {
        **{name.upper(): value for name, value in CREDENTIALS.items()},
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": aws.url,
        "SESSION_TABLE": place.session_table,
        "COUNTER_TABLE": place.counter_table,
        "DATA_BUCKET": place.bucket,
    }


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def link_boto3(folder: Path) -> None:
    """Make a folder of installed packages that has boto3 and what that needs, and nothing else."""
    folder.mkdir()
    for name in _BOTO3:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
