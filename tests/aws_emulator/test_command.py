"""`python -m tests.aws_emulator`: a developer's own cloud, for as long as it takes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import boto3
import httpx

from tests.aws_emulator.cdk_command import PROJECT

_COMMAND = (sys.executable, "-m", "tests.aws_emulator")


def test_stacks_are_deployed_and_served_until_interrupted(assemblies: Path) -> None:
    with subprocess.Popen(
        [*_COMMAND, "Deleted", "--app", assemblies / "first", "--port", "0"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                if line.startswith("Ctrl-C"):
                    break
            facts = dict(
                line.replace("export ", "").replace("=", " ").split() for line in printed if line.startswith("  ")
            )
            assert httpx.get(facts["Url"]).text == "<h1>version 1</h1>"
            s3 = boto3.client(
                "s3",
                endpoint_url=facts["AWS_ENDPOINT_URL"],
                region_name=facts["AWS_REGION"],
                aws_access_key_id=facts["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=facts["AWS_SECRET_ACCESS_KEY"],
            )
            assert facts["BucketName"] in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
            assert httpx.post(f"{facts['Url']}api", json={"do": "fail"}, timeout=60).status_code == 502
            assert "as it was asked to" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
        finally:
            process.kill()


def test_a_stack_that_cannot_be_deployed_is_told_of(assemblies: Path) -> None:
    done = subprocess.run(
        [*_COMMAND, "Missing", "--app", assemblies / "first"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "No stacks match the name(s) Missing" in done.stderr
