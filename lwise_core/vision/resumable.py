"""Work on the images of a data set that resumes where an earlier run was interrupted.

Results collect in a folder beside the one that they become. It holds the plan, which identifies the work, and a journal
with a line per finished image: its result, and the SHA-256 of each of its files, so that a file is reused only if it
is what was written. The folder gets its final name when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.prefetch import prefetch
from lwise_core.vision.shard import WHOLE, Shard

_PLAN = "plan.json"
_JOURNALS = "journal-*.jsonl"
_N_PENDING = 4 * (os.cpu_count() or 1)

Paths = Mapping[str, Sequence[Path]]
"""Name of a set of files, such as a variant -> the file of each image."""


@dataclass(frozen=True)
class Finished:
    """A finished image.

    Attributes
    ----------
    index : index of the image.
    result : JSON values that the work computed for it.
    sha256 : name of a set of files -> SHA-256 of the image's file, hexadecimal.
    """

    index: int
    result: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchResult:
    """Finished images of a batch, and by index why the others cannot be read."""

    finished: Sequence[Finished]
    unreadable: Mapping[int, str]


@dataclass(frozen=True)
class Outcome:
    """All finished images by index, and by index why others cannot be read."""

    finished: dict[int, Finished]
    unreadable: dict[int, str]

    @property
    def skipped(self) -> list[str]:
        """Why images were skipped, one sentence each, in their order."""
        return [why for _, why in sorted(self.unreadable.items())]


Compute = Callable[[Sequence[Sequence[int]]], Iterator[BatchResult]]
"""Batches of image indices -> their results, in order, each when its files are written."""


def run_batches(
    batches: Sequence[Sequence[int]],
    compute: Compute,
    *,
    images_root: Path,
    folder: ResumableFolder | None = None,
    paths: Paths | None = None,
    shard: Shard = WHOLE,
    resume_from: Path | None = None,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Compute the batches that have unfinished images, and record their results.

    Parameters
    ----------
    batches : indices of all images.
    images_root : where the images come from, for error messages.
    folder : where results are recorded; None: nowhere.
    paths : files of the images in `folder`.
    shard : the part of this run. The outcome comprises what other runs have finished.
    resume_from : the folder of an interrupted run elsewhere, from which finished images of this shard are copied.
    skip_bad : skip unreadable images instead of stopping.

    Raises
    ------
    InputError
        If an image cannot be read and `skip_bad` is false, or none can be read.
    """
    indices = {index for batch in batches for index in batch}
    finished: dict[int, Finished] = {}
    unreadable: dict[int, str] = {}
    own_batches = shard.select(batches)
    with _open_journal(folder, shard) as journal:
        if folder is not None and journal is not None:
            finished = {index: one for index, one in folder.finished(paths or {}).items() if index in indices}
            if resume_from is not None:
                missing = {index for batch in own_batches for index in batch} - finished.keys()
                finished |= folder.copy_finished(resume_from, missing, journal, paths or {})
        remaining = [batch for batch in own_batches if not all(index in finished for index in batch)]
        for result in compute(remaining):
            if journal is not None:
                journal.write(result)
            finished |= {one.index: one for one in result.finished}
            unreadable |= result.unreadable
            if unreadable and not skip_bad:
                raise InputError(unreadable_message(unreadable, n_finished=0 if folder is None else len(finished)))
            if on_progress:
                on_progress(len(finished) + len(unreadable), len(indices))
        if unreadable and not finished and shard == WHOLE:
            raise InputError(
                f"{images_root}: none of the {len(indices)} images can be read; expected the folder that the dirmap's "
                f"im_path starts from. The first: {next(iter(unreadable.values()))}"
            )
    return Outcome(finished, unreadable)


def in_threads(work: Callable[[int], Finished]) -> Compute:
    """Compute images one by one in threads; an `InputError` of `work` makes its image unreadable."""

    def compute(batches: Sequence[Sequence[int]]) -> Iterator[BatchResult]:
        indices = [index for batch in batches for index in batch]
        with ThreadPoolExecutor() as threads:

            def submit(index: int) -> tuple[int, Future[Finished]]:
                return index, threads.submit(work, index)

            yield from prefetch(indices, begin=submit, end=_wait_for, n=_N_PENDING)

    return compute


def unreadable_message(unreadable: Mapping[int, str], *, n_finished: int) -> str:
    """For an `InputError`.

    Parameters
    ----------
    unreadable : row of the dirmap, counted from 0 -> why its image cannot be read.
    n_finished : images that the next run reuses.
    """
    ((index, why), *others) = unreadable.items()
    more = f" and {len(others)} more" if others else ""
    resume = f". {n_finished} images are finished; the next run resumes from there" if n_finished else ""
    return f"{why} (row {index + 1} of the dirmap){more}; fix it or use --skip-bad{resume}"


class ResumableFolder:
    """The folder of unfinished work that becomes `out`.

    Attributes
    ----------
    root : path of the folder.
    plan : JSON values that identify the work.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any]) -> None:
        """
        Parameters
        ----------
        plan : everything that decides what the results are.

        Raises
        ------
        InputError
            If `out` exists, cannot be written, or has unfinished work with another plan.
        """
        if out.exists():
            raise InputError(f"{out} exists already; choose another name or remove it first")
        self._out = out
        self.root = _unfinished(out)
        self.plan: dict[str, Any] = json.loads(json.dumps(plan))
        path = self.root / _PLAN
        if not path.is_file():
            atomic_files.write_text(path, json.dumps(plan, indent=2) + "\n")
        elif _read_plan(path) != self.plan:
            raise InputError(
                f"{self.root}: has unfinished work with other settings ({_differences(path, self.plan)}); use the same "
                "settings to resume it, or remove the folder to start over"
            )

    @classmethod
    def open_existing(cls, out: Path) -> ResumableFolder:
        """Open the unfinished work for `out`, whatever its plan.

        Raises
        ------
        InputError
            If there is none, or `out` exists.
        """
        path = _unfinished(out) / _PLAN
        plan = _read_plan(path)
        if plan is None:
            raise InputError(f"{path}: cannot be read; expected the plan of unfinished work")
        return cls(out, plan)

    def finished(self, paths: Paths) -> dict[int, Finished]:
        """Finished images whose files are intact, by index."""
        return _intact(self.root, paths)

    def recorded(self) -> dict[int, Finished]:
        """Finished images by index, wherever their files are now."""
        return _recorded(self.root)

    def unreadable(self) -> dict[int, str]:
        """Why images could not be read, by index."""
        return {line["index"]: line["unreadable"] for line in _journal_lines(self.root) if "unreadable" in line}

    def copy_finished(self, other: Path, missing: Set[int], journal: Journal, paths: Paths) -> dict[int, Finished]:
        """Copy the missing images that are finished and intact in another such folder.

        Raises
        ------
        InputError
            If that folder has another plan.
        """
        if _read_plan(other / _PLAN) != self.plan:
            differences = _differences(other / _PLAN, self.plan)
            raise InputError(f"{other}: was made with other settings ({differences}); use the same settings")
        sources = {name: [other / path.relative_to(self.root) for path in files] for name, files in paths.items()}
        copied = {index: one for index, one in _intact(other, sources).items() if index in missing}
        for index, one in copied.items():
            for name in one.sha256:
                shutil.copyfile(sources[name][index], paths[name][index])
            journal.write(BatchResult([one], {}))
        return copied

    @contextmanager
    def journal(self, shard: int) -> Iterator[Journal]:
        """Open the journal of one of several parallel runs."""
        path = self.root / f"journal-{shard}.jsonl"
        _drop_torn_line(path)
        with path.open("a", encoding="utf-8") as file:
            yield Journal(file)

    def complete(self) -> None:
        """Give the folder its final name."""
        for path in (self.root / _PLAN, *self.root.glob(_JOURNALS)):
            path.unlink()
        self.root.replace(self._out)

    def discard_if_empty(self) -> None:
        """Remove a folder without results, which would only block other settings."""
        if not self.recorded():
            self.discard()

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root, ignore_errors=True)


class Journal:
    """Appends a line per image, after its files are written."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, result: BatchResult) -> None:
        """Append the images of a batch."""
        lines = [asdict(one) for one in result.finished]
        lines += [{"index": index, "unreadable": why} for index, why in result.unreadable.items()]
        self._file.writelines(json.dumps(line) + "\n" for line in lines)
        self._file.flush()


@contextmanager
def _open_journal(folder: ResumableFolder | None, shard: Shard) -> Iterator[Journal | None]:
    """The journal, if there is a folder. A shard never removes the folder, since others may be about to write to it."""
    if folder is None:
        yield None
        return
    try:
        with folder.journal(shard.index) as journal:
            yield journal
    except Exception:
        if shard == WHOLE:
            folder.discard_if_empty()
        raise


def _wait_for(pending: tuple[int, Future[Finished]]) -> BatchResult:
    index, future = pending
    try:
        return BatchResult([future.result()], {})
    except InputError as error:
        return BatchResult([], {index: str(error)})


def _unfinished(out: Path) -> Path:
    return out.with_name(f"{out.name}.unfinished")


def _intact(root: Path, paths: Paths) -> dict[int, Finished]:
    return {
        index: one
        for index, one in _recorded(root).items()
        if all(_has_sha256(paths[name][index], sha256) for name, sha256 in one.sha256.items())
    }


def _recorded(root: Path) -> dict[int, Finished]:
    return {line["index"]: Finished(**line) for line in _journal_lines(root) if "result" in line}


def _journal_lines(root: Path) -> Iterator[dict[str, Any]]:
    for journal in sorted(root.glob(_JOURNALS)):
        for line in journal.read_text(encoding="utf-8").splitlines():
            # An interrupted run may have torn its last line.
            with suppress(ValueError):
                yield json.loads(line)


def _drop_torn_line(journal: Path) -> None:
    """Keep the next line from joining half a line."""
    if journal.exists() and (content := journal.read_bytes()) and not content.endswith(b"\n"):
        atomic_files.write_bytes(journal, content[: content.rfind(b"\n") + 1])


def _has_sha256(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def _differences(path: Path, plan: Mapping[str, Any]) -> str:
    before = _read_plan(path)
    if before is None:
        return "its plan cannot be read"
    names = sorted(name for name in before.keys() | plan.keys() if before.get(name) != plan.get(name))
    return "; ".join(f"{name} was {before.get(name)!r}, now {plan.get(name)!r}" for name in names)


def _read_plan(path: Path) -> dict[str, Any] | None:
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan
