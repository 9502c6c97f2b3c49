"""The exception for bad input, whose message is written for the user.

The command line prints it and exits with code 2.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 20


class InputError(ValueError):
    """Unusable input: the message names the thing, the value found, what was expected and what to do."""


def raise_if_any(source: object, problems: Sequence[str]) -> None:
    """Raise one `InputError` for all problems of a file: one problem on a single line, several as a list.

    Raises
    ------
    InputError
        If there are any problems; the first 20 are listed.
    """
    if len(problems) == 1:
        raise InputError(f"{source}: {problems[0]}")
    if problems:
        shown = [f"  - {problem}" for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"  - … and {len(problems) - _SHOWN} more")
        raise InputError("\n".join([f"{source}: {len(problems)} problems", *shown]))
