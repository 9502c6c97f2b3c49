"""A command that takes several numbers of an option in a row."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class ManyNumbers(TyperCommand):
    """`--eps 4 2 1` is `--eps 4 --eps 2 --eps 1`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        repeatable = {flag for option in self.params if getattr(option, "multiple", False) for flag in option.opts}
        expanded: list[str] = []
        current = None
        for word in args:
            if current is not None and expanded[-1] != current and _is_number(word):
                expanded.append(current)
            elif not _is_number(word):
                current = word if word in repeatable else None
            expanded.append(word)
        return super().parse_args(ctx, expanded)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
