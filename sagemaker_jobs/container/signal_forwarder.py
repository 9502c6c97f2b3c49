"""Runs a command in its own process group, forwards SIGTERM to the group, and exits when all of the group has exited.

The command and its children ignore the signal unless they handle it: shells and log readers stay alive while `torchrun`
and the training save their state and log it. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

_POLL_INTERVAL_S = 0.2


def main(command: list[str]) -> int:
    """Run the command; returns its exit code as a shell would."""
    # Child processes inherit an ignored signal.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603

    def forward(number: int, _: FrameType | None) -> None:
        os.killpg(process.pid, number)

    signal.signal(signal.SIGTERM, forward)
    code = process.wait()
    while _has_processes(process.pid):
        time.sleep(_POLL_INTERVAL_S)
    return code if code >= 0 else 128 - code


def _has_processes(group: int) -> bool:
    """Whether the group has processes. As a container's first process, this one also reaps orphans."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
