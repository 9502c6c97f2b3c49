"""The one exception whose message is written for the person at the keyboard.

Every room raises it for bad input; the command line prints it and ends with exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 20


class InputError(ValueError):
    """Input that cannot be used: the message names the thing, the value found, what was expected and what to do."""


def refuse_if_any(where: object, problems: Sequence[str]) -> None:
    """Raise one `InputError` for all problems of a file: a single one on its line, several as a list.

    Raises
    ------
    InputError
        If there are any problems; the first 20 are spelled out.
    """
    if len(problems) == 1:
        raise InputError(f"{where}: {problems[0]}")
    if problems:
        shown = [f"  - {problem}" for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"  - … and {len(problems) - _SHOWN} more")
        raise InputError("\n".join([f"{where}: {len(problems)} problems", *shown]))
