"""A data set is built completely as requested, and an interrupted build resumes."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.data.build import Storage, build_dataset
from lwise_core.vision.data.description import load_dataset_description
from lwise_core.vision.data.selection import Selection
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.images import load_rgb
from tests.skip_or_fail import skip_or_fail

_CIFAR = Path(__file__).parents[4] / "shared" / "data" / "cifar10_subset.zip"


@pytest.fixture
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _build_and_be_killed(out: Path, root: Path, rows: list[DirmapRow], storage: Storage) -> None:
    def kill(done: int, total: int) -> None:
        if done == 50:
            os.kill(os.getpid(), signal.SIGKILL)

    build_dataset(out, images_root=root, rows=rows, storage=storage, on_progress=kill)


def test_build_copies_files(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    out = tmp_path / "built"
    assert build_dataset(out, images_root=photographs, rows=rows, selection=Selection(per_class={"val": 4})) == []
    built = read_dirmap(out / "dirmap.csv")
    assert Counter(row.class_name for row in built) == {"blue": 4, "green": 4, "red": 4}
    for row in built:
        assert (out / row.im_path).read_bytes() == (photographs / row.extra["orig_im_path"]).read_bytes()
    assert index_image_folder(out).rows == [replace(row, extra={}) for row in built]
    assert {path.name for path in out.iterdir()} == {"val", "dirmap.csv", "provenance.json"}


@pytest.mark.parametrize(("name", "suffix"), [("png", ".png"), ("webp", ".webp")])
def test_resized_images_equal_model_input(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], name: str, suffix: str
) -> None:
    out = tmp_path / "built"
    build_dataset(out, images_root=photographs, rows=rows[::10], storage=Storage(size=20, format=name))
    for row in read_dirmap(out / "dirmap.csv"):
        assert row.im_path.endswith(suffix)
        stored = load_rgb(out / row.im_path, size=20)
        assert np.array_equal(stored, load_rgb(photographs / row.extra["orig_im_path"], size=20))


def test_copies_get_their_own_names(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    out = tmp_path / "built"
    few = [row for row in rows if row.class_name != "red" or row.im_path.endswith("000.png")]
    build_dataset(out, images_root=photographs, rows=few, selection=Selection(balance=True, per_class={"val": 3}))
    red = [row for row in read_dirmap(out / "dirmap.csv") if row.class_name == "red"]
    assert [row.im_path for row in red] == [f"val/red/000{copy}.png" for copy in ("", "__copy1", "__copy2")]
    assert len({(out / row.im_path).read_bytes() for row in red}) == 1


def test_equal_names_of_two_folders_stay_separate(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    warm = {"red": "warm", "green": "cold", "blue": "cold"}
    merged = [
        replace(row, class_name=warm[row.class_name], class_num=int(row.class_name != "red"))
        for row in rows
        if row.im_path.endswith("000.png")
    ]
    build_dataset(tmp_path / "built", images_root=photographs, rows=merged)
    assert {row.im_path for row in read_dirmap(tmp_path / "built" / "dirmap.csv")} == {
        *(f"{split}/cold/{split}__{name}__000.png" for split in ("train", "val") for name in ("green", "blue")),
        *(f"{split}/warm/000.png" for split in ("train", "val")),
    }


def test_interrupted_build_resumes_and_verifies_saved_files(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow]
) -> None:
    storage = Storage(size=24)
    build_dataset(tmp_path / "whole", images_root=photographs, rows=rows, storage=storage)

    out = tmp_path / "built"
    killed = multiprocessing.get_context("spawn").Process(
        target=_build_and_be_killed, args=(out, photographs, rows, storage)
    )
    killed.start()
    killed.join(timeout=60)
    assert killed.exitcode == -signal.SIGKILL
    assert not out.exists()
    written = sorted((tmp_path / "built.unfinished").rglob("*.png"))
    written[0].write_bytes(written[1].read_bytes())  # the wrong image
    written[2].write_bytes(written[2].read_bytes()[:40])  # half a one
    seen: list[tuple[int, int]] = []
    build_dataset(
        out,
        images_root=photographs,
        rows=rows,
        storage=storage,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 120) for done in range(49, 121)]
    assert _files(out) == _files(tmp_path / "whole")


def test_resume_with_other_settings_is_rejected(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    jpeg = Storage(size=24, format="jpeg", quality=90)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(tmp_path / "built", images_root=photographs, rows=rows, storage=jpeg, on_progress=interrupt)
    before = _files(tmp_path)
    with pytest.raises(InputError, match=r"other settings.*quality.*90"):
        build_dataset(tmp_path / "built", images_root=photographs, rows=rows, storage=replace(jpeg, quality=95))
    assert _files(tmp_path) == before


def test_resume_from_another_folder_is_rejected(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(tmp_path / "built", images_root=photographs, rows=rows, on_progress=interrupt)
    other = photographs.rename(photographs.with_name("others"))
    with pytest.raises(InputError, match=r"other settings \(images was .*, now .*others"):
        build_dataset(tmp_path / "built", images_root=other, rows=rows)


@pytest.mark.parametrize("storage", [Storage(), Storage(size=24)])
def test_all_unreadable_images_are_reported_and_the_rest_saved(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], storage: Storage
) -> None:
    out, damaged = tmp_path / "built", [rows[7].im_path, rows[90].im_path]
    whole = (photographs / damaged[0]).read_bytes()
    (photographs / damaged[0]).write_bytes(whole[:100])
    (photographs / damaged[1]).unlink()
    with pytest.raises(
        InputError, match=rf"(?s)--skip-bad \(all others are saved\).*{damaged[0]}.*{damaged[1]}: no such"
    ):
        build_dataset(out, images_root=photographs, rows=rows, storage=storage)
    (photographs / damaged[0]).write_bytes(whole)
    n_made: list[int] = []
    (skipped,) = build_dataset(
        out,
        images_root=photographs,
        rows=rows,
        storage=storage,
        skip_bad=True,
        on_progress=lambda done, _: n_made.append(done),
    )
    assert damaged[1] in skipped
    assert n_made == [119, 120]
    assert len(read_dirmap(out / "dirmap.csv")) == 119
    with (out / "skipped.csv").open(newline="") as file:
        assert [line["im_path"] for line in csv.DictReader(file)] == [damaged[1]]


def test_provenance_is_saved(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    selection = Selection(classes=("red", "blue"), seed=3)
    build_dataset(tmp_path / "built", images_root=photographs, rows=rows, selection=selection, storage=Storage(size=24))
    written = json.loads((tmp_path / "built" / "provenance.json").read_text())
    assert written["selection"]["classes"] == ["red", "blue"]
    assert written["selection"]["seed"] == 3
    assert written["storage"] == {"size": 24, "format": "png", "quality": None}


def test_existing_folder_is_not_changed(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    (tmp_path / "built").mkdir()
    with pytest.raises(InputError, match="exists already"):
        build_dataset(tmp_path / "built", images_root=photographs, rows=rows)


def test_real_photographs_are_indexed_and_built(tmp_path: Path) -> None:
    if not _CIFAR.is_file():
        skip_or_fail(f"{_CIFAR} is not on this machine")
    with zipfile.ZipFile(_CIFAR) as archive:
        some = [name for name in archive.namelist() if name.endswith(("7.jpg", "3.jpg"))]
        archive.extractall(tmp_path / "raw", some)
    description = load_dataset_description("cifar10")
    rows = index_image_folder(tmp_path / "raw", description=description).rows
    assert class_names(rows) == list(description.class_names or ())
    out = tmp_path / "built"
    taken = Selection(classes=("cat", "dog"), per_class=dict.fromkeys(sorted({row.split for row in rows}), 20))
    assert build_dataset(out, images_root=tmp_path / "raw", rows=rows, selection=taken, storage=Storage(size=32)) == []
    built = read_dirmap(out / "dirmap.csv")
    assert set(Counter((row.split, row.class_name) for row in built).values()) == {20}
    assert {(row.class_name, row.extra["orig_class_num"]) for row in built} == {("cat", "3"), ("dog", "5")}
