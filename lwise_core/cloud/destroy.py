"""`cdk destroy` of a study's stack, by the project's own CDK command line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lwise_core.cloud.deployed import stack_exists
from lwise_core.cloud.naming import name_in_app
from lwise_core.errors import InputError

_CLI = Path("node_modules/aws-cdk/bin/cdk")
_APP = Path("cdk.json")


def require_cdk() -> None:
    """Check that the project's stacks can be destroyed from here.

    Raises
    ------
    InputError
        If something is missing.
    """
    if not _APP.is_file():
        raise InputError(f"{_APP}: no such file; run this in the root of the repository that defines the stacks")
    if shutil.which("node") is None:
        raise InputError("node: not found; install Node.js, which runs the AWS CDK")
    if not _CLI.is_file():
        raise InputError(f"{_CLI}: no such file; run `npm ci`")


def destroy(stack: str) -> None:
    """Destroy a study's stack without explain_aws_errors, with the output of the command shown.

    Raises
    ------
    InputError
        If the stack still exists, because `cdk` failed or does not know it.
    """
    known_as = name_in_app(stack)
    done = subprocess.run(["node", str(_CLI), "destroy", "--force", known_as], check=False)  # noqa: S603, S607
    if done.returncode != 0 or stack_exists(stack):
        raise InputError(
            f"{stack}: still exists; run `npx cdk destroy {known_as}` to see why, in a repository with the study's "
            "folder"
        )
