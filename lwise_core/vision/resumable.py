"""Variants in the making: a folder beside the one that they become, which a run that was cut short goes on with.

It holds the plan, by which a run knows whether the work is its own, and a journal with a line per image that is stored
in every variant: what was measured, and the SHA-256 of each file, so that a file is used again only if it is what was
written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
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
    plan : as it was begun with.
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
        self.plan = plan
        begun = self.root / _PLAN
        if not begun.is_file():
            atomic_files.write_text(begun, json.dumps(plan, indent=2) + "\n")
        elif _read(begun) != dict(plan):
            raise InputError(
                f"{self.root}: was made by a run with other settings ({_differences(begun, plan)}); run it with "
                "those to go on, or remove the folder to begin anew"
            )

    @classmethod
    def found(cls, out: Path) -> UnfinishedVariants:
        """What was begun for `out`, whatever its plan.

        Raises
        ------
        InputError
            If nothing was, or `out` exists.
        """
        begun = out.with_name(f"{out.name}.unfinished") / _PLAN
        plan = _read(begun)
        if plan is None:
            raise InputError(f"{begun}: cannot be read; expected the plan of variants in the making")
        return cls(out, plan)

    def stored(self, paths: Mapping[str, Sequence[Path]]) -> dict[int, Stored]:
        """Images whose files are all there and are what was written, by their index.

        Parameters
        ----------
        paths : variant -> the files of all images.
        """
        return _stored(self.root, paths)

    def noted(self) -> dict[int, Stored]:
        """Images that were stored once, wherever their files are now, by their index."""
        return _noted(self.root)

    def unreadable(self) -> dict[int, str]:
        """Images that could not be read, by their index, and why."""
        lines = (line for journal in sorted(self.root.glob(_JOURNALS)) for line in _values(journal))
        return {line["index"]: line["unreadable"] for line in lines if "unreadable" in line}

    def adopt(
        self, begun: Path, wanted: Set[int], journal: Journal, paths: Mapping[str, Sequence[Path]]
    ) -> dict[int, Stored]:
        """Take over what another such folder has of the wanted images, as far as it is what was written.

        Raises
        ------
        InputError
            If that folder is of work with another plan.
        """
        before = begun / _PLAN
        if _read(before) != self.plan:
            told = _differences(before, self.plan)
            raise InputError(f"{begun}: was made by a run with other settings ({told}); run it with those to go on")
        there = {variant: [begun / path.relative_to(self.root) for path in files] for variant, files in paths.items()}
        taken = {}
        for index, one in _stored(begun, there).items():
            if index in wanted:
                for variant in one.sha256:
                    shutil.copyfile(there[variant][index], paths[variant][index])
                journal.note([one])
                taken[index] = one
        return taken

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

    def note_unreadable(self, unreadable: Mapping[int, str]) -> None:
        """By index of the image, why it could not be read."""
        for index, why in unreadable.items():
            self._file.write(json.dumps({"index": index, "unreadable": why}) + "\n")
        self._file.flush()


def _stored(root: Path, paths: Mapping[str, Sequence[Path]]) -> dict[int, Stored]:
    return {
        index: one
        for index, one in _noted(root).items()
        if all(_is(paths[variant][index], sha256) for variant, sha256 in one.sha256.items())
    }


def _noted(root: Path) -> dict[int, Stored]:
    lines = (line for journal in sorted(root.glob(_JOURNALS)) for line in _values(journal))
    return {line["index"]: Stored(**line) for line in lines if "sha256" in line}


def _values(journal: Path) -> Iterator[dict[str, Any]]:
    for line in journal.read_text(encoding="utf-8").splitlines():
        # A run may have been cut short while it wrote its last line.
        with suppress(ValueError):
            yield json.loads(line)


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
    before = _read(begun)
    if before is None:
        return "its plan cannot be read"
    names = sorted(name for name in before.keys() | plan.keys() if before.get(name) != plan.get(name))
    return "; ".join(f"{name} was {before.get(name)!r}, now {plan.get(name)!r}" for name in names)


def _read(plan: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
