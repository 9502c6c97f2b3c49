"""Variants in the making: a folder beside the one that they become, which a run that was cut short goes on with.

It holds the plan, by which a run knows whether the work is its own, and a journal with a line per image that is stored
in every variant: what was measured, and the SHA-256 of each file, so that a file is used again only if it is what was
written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lwise_core import atomic_files
from lwise_core.errors import InputError

_PLAN = "plan.json"
_JOURNALS = "journal-*.jsonl"


@dataclass(frozen=True)
class Stored:
    """An image that is stored in every variant.

    Attributes
    ----------
    index : of its row in the dirmap.
    sha256 : variant -> of its file.
    measured : variant -> what was measured on its file, by name.
    """

    index: int
    sha256: Mapping[str, str]
    measured: Mapping[str, Mapping[str, float]]


class UnfinishedVariants:
    """The folder of variants that become `out`.

    Attributes
    ----------
    root : holds a folder per variant.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any]) -> None:
        """
        Parameters
        ----------
        plan : JSON values; everything that decides what the files hold.

        Raises
        ------
        InputError
            If `out` exists, cannot be written, or another plan was begun for it.
        """
        if out.exists():
            raise InputError(f"{out} exists already; choose another name or remove it first")
        self._out = out
        self.root = out.with_name(f"{out.name}.unfinished")
        text = json.dumps(plan, indent=2, sort_keys=True) + "\n"
        begun = self.root / _PLAN
        if not begun.is_file():
            atomic_files.write_text(begun, text)
        elif begun.read_text(encoding="utf-8") != text:
            raise InputError(
                f"{self.root}: was made by a run with other settings ({_differences(begun, plan)}); run it with "
                "those to go on, or remove the folder to begin anew"
            )

    def stored(self, paths: Mapping[str, Sequence[Path]]) -> dict[int, Stored]:
        """Images whose files are all there and are what was written, by their index.

        Parameters
        ----------
        paths : variant -> the files of all images.
        """
        lines = (line for journal in sorted(self.root.glob(_JOURNALS)) for line in _lines(journal))
        return {
            line.index: line
            for line in lines
            if all(_is(paths[variant][line.index], sha256) for variant, sha256 in line.sha256.items())
        }

    @contextmanager
    def journal(self, shard: int) -> Iterator[Journal]:
        """Where one of several runs at once writes down what it has stored."""
        path = self.root / f"journal-{shard}.jsonl"
        _drop_torn_line(path)
        with path.open("a", encoding="utf-8") as file:
            yield Journal(file)

    def complete(self) -> None:
        """Let the folder become what it was made for."""
        for path in (self.root / _PLAN, *self.root.glob(_JOURNALS)):
            path.unlink()
        self.root.replace(self._out)

    def discard(self) -> None:
        """Begin nothing."""
        shutil.rmtree(self.root, ignore_errors=True)


class Journal:
    """Lines of what is stored, each written when its files are."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def note(self, stored: Iterable[Stored]) -> None:
        for one in stored:
            self._file.write(json.dumps(asdict(one)) + "\n")
        self._file.flush()


def _lines(journal: Path) -> Iterator[Stored]:
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            yield Stored(**json.loads(line))
        except (ValueError, TypeError):
            continue  # the run was cut short while it wrote this line


def _drop_torn_line(journal: Path) -> None:
    """So that the next line does not join half a one."""
    if journal.exists() and (content := journal.read_bytes()) and not content.endswith(b"\n"):
        atomic_files.write_bytes(journal, content[: content.rfind(b"\n") + 1])


def _is(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def _differences(begun: Path, plan: Mapping[str, Any]) -> str:
    try:
        before = json.loads(begun.read_text(encoding="utf-8"))
    except ValueError:
        return "its plan cannot be read"
    names = sorted(name for name in before.keys() | plan.keys() if before.get(name) != plan.get(name))
    return "; ".join(f"{name} was {before.get(name)!r}, now {plan.get(name)!r}" for name in names)
