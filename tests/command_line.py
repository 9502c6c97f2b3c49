"""Runs the real `lwise` command in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "lwise_core.cli")


def lwise(*arguments: object, folder: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run `lwise` with `folder` as the working directory; output as text."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def succeed(*arguments: object, folder: Path, timeout: float = 120) -> str:
    """Run `lwise`, which must end with exit code 0; its standard output."""
    done = lwise(*arguments, folder=folder, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout
