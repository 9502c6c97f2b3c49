"""What commands print: results, warnings, and the progress of long steps (a bar on a terminal, lines in a log)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from lwise_core.progress import OnProgress

console = Console(highlight=False)
"""Standard output: results."""

errors = Console(stderr=True, highlight=False)
"""Standard error: progress and warnings, so that results can be piped."""


def say(text: str | Text) -> None:
    """Print a result: text as it is, with paths and addresses unbroken."""
    console.print(text, markup=False, soft_wrap=True)


def warn(text: str | Text) -> None:
    """Print a warning, an error or progress, as `say` does."""
    errors.print(text, markup=False, soft_wrap=True)


@contextmanager
def step(description: str) -> Iterator[OnProgress]:
    """Announce a step and show how far it is; yields the function to call with (done, total)."""
    started = time.monotonic()
    if errors.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, transient=True) as progress:
            task = progress.add_task(description, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        warn(f"{description} …")
        yield lambda done, total: None
    warn(f"{description}: done in {time.monotonic() - started:.1f} s")
