"""Runs a command in a process group of its own, passes SIGTERM on to all of the group, and ends when they have ended.

The command, and what it starts, ignore the signal unless they ask for it: shells and log readers stay, so that those
who heed it, `torchrun` and the training, can do so and say so. Needs the standard library only: it runs before anything
is installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

_BETWEEN_LOOKS_S = 0.2


def main(command: list[str]) -> int:
    """The exit code of the command, as a shell tells it."""
    # What ignores a signal when it is started goes on ignoring it, and so do those that it starts.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603

    def pass_on(number: int, _: FrameType | None) -> None:
        os.killpg(process.pid, number)

    signal.signal(signal.SIGTERM, pass_on)
    code = process.wait()
    while _is_any_left(process.pid):
        time.sleep(_BETWEEN_LOOKS_S)
    return code if code >= 0 else 128 - code


def _is_any_left(group: int) -> bool:
    """Processes whose parents have ended are this one's, where it is a container's first: they are waited for too."""
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
