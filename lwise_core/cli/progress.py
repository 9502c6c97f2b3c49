"""Progress of long steps: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

OnProgress = Callable[[int, int], None]

console = Console(highlight=False)
"""For what the user asked for."""

errors = Console(stderr=True, highlight=False)
"""For progress and complaints, so that the output itself can be piped."""


@contextmanager
def step(description: str) -> Iterator[OnProgress]:
    """Announce a step and show how far it is; yields the function to call with (done, total)."""
    started = time.monotonic()
    if errors.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, transient=True) as progress:
            task = progress.add_task(description, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        errors.print(f"{description} …", markup=False, soft_wrap=True)
        yield lambda done, total: None
    errors.print(f"{description}: done in {time.monotonic() - started:.1f} s", markup=False, soft_wrap=True)
