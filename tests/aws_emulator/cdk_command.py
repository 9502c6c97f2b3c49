"""The project's own `cdk` command, as a developer runs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.skip_or_fail import skip_or_fail

PROJECT = Path(__file__).parents[2]
_CLI = PROJECT / "node_modules" / "aws-cdk" / "bin" / "cdk"
_OPTIONS = {
    # Without a change set: moto creates what is in one in the order of the template, and then has no outputs.
    "deploy": ("--method=direct", "--require-approval=never"),
    "destroy": ("--force",),
}
_SECONDS = 600


class CdkError(Exception):
    """`cdk` ended with an error; the message has all that it printed."""


def require_cdk() -> None:
    """Go on only where there is a `cdk` command: a test fails where `CI` is set, and is skipped elsewhere."""
    if shutil.which("node") is None:
        skip_or_fail("no Node.js on this machine")
    if not _CLI.is_file():
        skip_or_fail("no cdk command: run `npm ci` at the root of the project")


def run_cdk(
    *arguments: str, app: Path | str | None, output: Path, environment: Mapping[str, str], project: Path
) -> str:
    """Run a command of the CLI at the root of a project.

    Parameters
    ----------
    app : an assembly that was made before, or a command that makes one; None: what cdk.json says.
    output : folder for an assembly that is made.
    project : has the cdk.json.

    Returns
    -------
    What it printed.

    Raises
    ------
    CdkError
    """
    command, *others = arguments
    apps = () if app is None else ("--app", str(app))
    made = () if isinstance(app, Path) else ("--output", str(output))
    done = subprocess.run(
        ["node", _CLI, command, *_OPTIONS.get(command, ()), *apps, *made, *others],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise CdkError(f"cdk {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout
