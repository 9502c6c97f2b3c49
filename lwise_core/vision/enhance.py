"""Write the variants of a data set: natural, and enhanced within several budgets.

What is saved is what was made: pictures are stored as PNG, and the distance and the logits that are recorded were
measured on the stored 8-bit values. A variant folder appears under its name only when it is complete.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.own import file_sha256, load_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.images import Progress, save_png
from lwise_core.vision.objectives import OBJECTIVES, Objective
from lwise_core.vision.perturb import Budget, ascend_many
from lwise_core.vision.pixels import as_bytes, as_float
from lwise_core.vision.score import true_logits
from lwise_core.vision.targets import Targets, targets_for
from lwise_core.vision.train import preferred_device

NATURAL = "natural"
_BATCH = 64


@dataclass
class _Variant:
    """A variant in the making: where it is written, and one line per image for its `enhanced.csv`."""

    folder: Path
    budget: Budget
    lines: list[tuple[str, float, float, float]] = field(default_factory=list)


def variant_name(epsilon: float) -> str:
    """`eps8`, `eps0.5`, …"""
    return f"eps{epsilon:g}"


def png_path(im_path: str) -> str:
    """The path of an image inside every variant: its own, with the suffix of a lossless file."""
    return str(PurePosixPath(im_path).with_suffix(".png"))


def write_variants(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    model_file: Path,
    budgets: Sequence[Budget],
    objective: str,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> None:
    """Write `out/natural`, one folder per budget (each with `provenance.json` and `enhanced.csv`) and `out/dirmap.csv`.

    `enhanced.csv` has per image the guide model's true-class logit before and after and the L2 distance, all of the
    stored files. `dirmap.csv` is the given dirmap with `im_path` pointing into the variants and the source in
    `orig_im_path`.

    Raises
    ------
    InputError
        If `out` exists, the model's classes are not the dirmap's, or two images would get one name. Nothing is left
        behind then, nor after an interrupt.
    """
    model = load_model(model_file)
    model.to(preferred_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    targets = targets_for(model.description, rows)
    _refuse_shared_names(rows)
    dataset = DirmapDataset(images_root, rows, size=model.description.size)
    with atomic_files.new_folder(out) as folder, ThreadPoolExecutor() as pool:
        variants = [_Variant(folder / variant_name(budget.epsilon), budget) for budget in budgets]
        for class_folder in {str(PurePosixPath(row.im_path).parent) for row in rows}:
            for target in (folder / NATURAL, *(variant.folder for variant in variants)):
                (target / class_folder).mkdir(parents=True, exist_ok=True)
        for done in _write_pictures(model, targets, dataset, folder / NATURAL, variants, OBJECTIVES[objective], pool):
            if on_progress:
                on_progress(done, len(rows))
        for variant in variants:
            _write_provenance(variant, model_file=model_file, size=dataset.size, objective=objective, seed=seed)
        write_dirmap(folder / "dirmap.csv", [_in_variants(row) for row in rows])


def _write_pictures(
    model: GuideModel,
    targets: Targets,
    dataset: DirmapDataset,
    natural_folder: Path,
    variants: Sequence[_Variant],
    objective: Objective,
    pool: ThreadPoolExecutor,
) -> Iterator[int]:
    """Enhance and save batch by batch; yields how many images are on disk in every variant."""
    for batch in torch.split(torch.arange(len(dataset)), _BATCH):
        indices = batch.tolist()
        natural = torch.stack([image for image, _ in pool.map(dataset.__getitem__, indices)])
        rows = [dataset.rows[index] for index in indices]
        labels = targets.labels(rows)
        enhanced = _enhanced(model, natural, labels, objective, [variant.budget for variant in variants])
        before = true_logits(model, natural, labels).tolist()
        saves = [_save(pool, natural_folder, row, image) for row, image in zip(rows, natural, strict=True)]
        for variant, pictures in zip(variants, enhanced, strict=True):
            after = true_logits(model, pictures, labels).tolist()
            distance = (as_float(pictures) - as_float(natural)).flatten(1).norm(dim=1).tolist()
            variant.lines += zip([png_path(row.im_path) for row in rows], before, after, distance, strict=True)
            saves += [_save(pool, variant.folder, row, image) for row, image in zip(rows, pictures, strict=True)]
        for save in saves:
            save.result()
        yield indices[-1] + 1


def _enhanced(
    model: GuideModel, natural: Tensor, labels: Tensor, objective: Objective, budgets: Sequence[Budget]
) -> list[Tensor]:
    """uint8 (N, 3, H, W) per budget, rounded to nearest."""
    device = model.device
    shown = as_float(natural).to(device, memory_format=torch.channels_last)
    found = ascend_many(model, shown, labels.to(device), objective=objective, budgets=budgets)
    return [as_bytes(pictures).cpu() for pictures in found]


def _save(pool: ThreadPoolExecutor, folder: Path, row: DirmapRow, image: Tensor) -> Future[None]:
    return pool.submit(save_png, folder / png_path(row.im_path), image.numpy())


def _write_provenance(variant: _Variant, *, model_file: Path, size: int, objective: str, seed: int) -> None:
    provenance = {
        **asdict(variant.budget),
        "objective": objective,
        "model_sha256": file_sha256(model_file),
        "size": size,
        "package_version": __version__,
        "seed": seed,
    }
    atomic_files.write_text(variant.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["im_path", "logit_natural", "logit_enhanced", "l2"])
    writer.writerows((path, f"{before:.6f}", f"{after:.6f}", f"{l2:.6f}") for path, before, after, l2 in variant.lines)
    atomic_files.write_text(variant.folder / "enhanced.csv", table.getvalue())


def _in_variants(row: DirmapRow) -> DirmapRow:
    extra = {"orig_im_path": row.im_path, **row.extra}
    return replace(row, im_path=png_path(row.im_path), extra=extra)


def _refuse_shared_names(rows: Sequence[DirmapRow]) -> None:
    sources: dict[str, str] = {}
    for row in rows:
        other = sources.setdefault(png_path(row.im_path), row.im_path)
        if other != row.im_path:
            raise InputError(f"{other} and {row.im_path} would both be stored as {png_path(row.im_path)}; rename one")
