"""Resumable work computes each batch once, trusts no file that changed, and keeps its folder apart until complete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.vision.resumable import BatchResult, Finished, Outcome, ResumableFolder, in_threads, run_batches
from lwise_core.vision.shard import WHOLE, Shard, cut_batches

_N = 10
_PLAN = {"size": 32, "classes": ("a", "b")}


class _Work:
    """Writes a file per image, and remembers which batches it computed."""

    def __init__(self, root: Path, *, unreadable: Sequence[int] = (), interrupt_at: int | None = None) -> None:
        self.paths = {"files": [root / f"{index}.txt" for index in range(_N)]}
        self.batches: list[list[int]] = []
        self._unreadable, self._interrupt_at = unreadable, interrupt_at

    def compute(self, batches: Sequence[Sequence[int]]) -> Iterator[BatchResult]:
        for batch in batches:
            if self._interrupt_at in batch:
                raise KeyboardInterrupt
            self.batches.append(list(batch))
            readable = [index for index in batch if index not in self._unreadable]
            yield BatchResult(
                [self._store(index) for index in readable],
                {index: f"image {index}: damaged" for index in batch if index not in readable},
            )

    def _store(self, index: int) -> Finished:
        content = f"image {index}".encode()
        self.paths["files"][index].write_bytes(content)
        return Finished(index, {"value": index / 4}, {"files": hashlib.sha256(content).hexdigest()})


def _run(out: Path, shard: Shard = WHOLE, *, skip_bad: bool = False, **options: object) -> tuple[_Work, Outcome]:
    folder = ResumableFolder(out, _PLAN)
    work = _Work(folder.root, **options)  # type: ignore[arg-type]
    outcome = run_batches(
        cut_batches(range(_N), 2),
        work.compute,
        images_root=Path("images"),
        folder=folder,
        paths=work.paths,
        skip_bad=skip_bad,
        shard=shard,
    )
    return work, outcome


def test_resume_skips_finished_batches_and_repeats_those_with_a_changed_file(tmp_path: Path) -> None:
    out, root = tmp_path / "out", tmp_path / "out.unfinished"
    with pytest.raises(KeyboardInterrupt):
        _run(out, interrupt_at=6)
    (root / "1.txt").write_text("changed")
    (root / "2.txt").unlink()
    work, outcome = _run(out)
    assert work.batches == [[0, 1], [2, 3], [6, 7], [8, 9]]
    assert outcome.finished.keys() == set(range(_N))
    assert {one.result["value"] for one in outcome.finished.values()} == {index / 4 for index in range(_N)}
    assert not out.exists()


def test_torn_last_line_costs_no_other_line(tmp_path: Path) -> None:
    out, root = tmp_path / "out", tmp_path / "out.unfinished"
    with pytest.raises(KeyboardInterrupt):
        _run(out, interrupt_at=6)
    for shard in range(2):
        with (root / f"journal-{shard}.jsonl").open("a") as journal:
            journal.write('{"index": 6, "resu')
    assert _run(out)[0].batches == [[6, 7], [8, 9]]
    assert _run(out)[0].batches == []


def test_complete_folder_has_only_the_files(tmp_path: Path) -> None:
    _run(tmp_path / "out")
    ResumableFolder.open_existing(tmp_path / "out").complete()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{index}.txt" for index in range(_N)}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(InputError, match="exists already"):
        ResumableFolder(tmp_path / "out", _PLAN)


def test_other_plan_does_not_resume_and_names_the_difference(tmp_path: Path) -> None:
    ResumableFolder(tmp_path / "out", _PLAN)
    ResumableFolder(tmp_path / "out", _PLAN)
    with pytest.raises(InputError, match=r"size was 32, now 64\); .*remove the folder to start over"):
        ResumableFolder(tmp_path / "out", {**_PLAN, "size": 64})
    with pytest.raises(InputError, match="expected the plan of unfinished work"):
        ResumableFolder.open_existing(tmp_path / "other")


def test_unreadable_image_stops_with_its_row_after_its_batch_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        _run(tmp_path / "out", unreadable=[4])
    assert str(error.value) == (
        "image 4: damaged (row 5 of the dirmap); fix it or use --skip-bad. 5 images are finished; the next run resumes "
        "from there"
    )
    work, outcome = _run(tmp_path / "out", unreadable=[4], skip_bad=True)
    assert work.batches == [[4, 5], [6, 7], [8, 9]]
    assert outcome.skipped == ["image 4: damaged"]
    assert ResumableFolder.open_existing(tmp_path / "out").unreadable() == {4: "image 4: damaged"}


@pytest.mark.parametrize("skip_bad", [False, True])
def test_error_without_any_result_leaves_no_folder(tmp_path: Path, skip_bad: bool) -> None:
    message = "none of the 10 images can be read" if skip_bad else "image 0: damaged.* and 1 more; fix"
    with pytest.raises(InputError, match=message):
        _run(tmp_path / "out", unreadable=range(_N), skip_bad=skip_bad)
    assert list(tmp_path.iterdir()) == []


def test_failing_shard_leaves_the_folder_to_others(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="image 0: damaged"):
        _run(tmp_path / "out", Shard(0, 2), unreadable=[0, 1])
    assert (tmp_path / "out.unfinished" / "plan.json").is_file()
    _run(tmp_path / "out", Shard(0, 2), unreadable=range(_N), skip_bad=True)
    work, outcome = _run(tmp_path / "out", Shard(1, 2), unreadable=range(4), skip_bad=True)
    assert work.batches == [[2, 3], [6, 7]]
    assert sorted(outcome.finished) == [6, 7]


def test_shards_divide_the_batches_and_a_run_without_shard_finds_all(tmp_path: Path) -> None:
    batches = [_run(tmp_path / "out", Shard(index, 2))[0].batches for index in range(2)]
    assert batches == [[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7]]]
    work, outcome = _run(tmp_path / "out")
    assert work.batches == []
    assert len(outcome.finished) == _N


def test_progress_counts_finished_and_skipped_images_of_all() -> None:
    progress: list[tuple[int, int]] = []

    def work(index: int) -> Finished:
        if index == 1:
            raise InputError("image 1: damaged")
        return Finished(index, {})

    outcome = run_batches(
        cut_batches(range(4), 1),
        in_threads(work),
        images_root=Path("images"),
        skip_bad=True,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (sorted(outcome.finished), outcome.unreadable) == ([0, 2, 3], {1: "image 1: damaged"})
    with pytest.raises(InputError, match=r"use --skip-bad$"):  # without a folder, there is nothing to resume
        run_batches(cut_batches(range(4), 1), in_threads(work), images_root=Path("images"))
