"""From what the machines of a job left, together in one folder, to its result: checked to be whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from lwise_core import atomic_files
from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.enhance import complete_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.score_dirmap import score_dirmap
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.settings import settings_from
from sagemaker_jobs.container.job import Job
from sagemaker_jobs.container.opt_ml import JOB_FILE, MODEL_FILE, SCORES, VARIANTS


def take_model(left: Path, out: Path) -> None:
    """The folder that a training left becomes `out`: the model, its settings, its log."""
    if not (left / MODEL_FILE).is_file():
        raise InputError(f"{left}: the job left no {MODEL_FILE}")
    with atomic_files.new_folder(out) as folder:
        shutil.copytree(left, folder, dirs_exist_ok=True)


def complete(job: Job, output: Path, *, rows: list[DirmapRow], model: Path, images: Path, out: Path) -> list[str]:
    """The variants, or the scored dirmap, of a job whose machines' outputs lie together in `output`.

    Parameters
    ----------
    images : of images that could not be read when they were scored.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If a row is missing, or a file is not what was written.
    """
    if out.exists():
        raise InputError(f"{out} exists already; choose another name or remove it first")
    if job.kind == "enhance":
        enhancing = settings_from(EnhancementConfig, job.settings, source=JOB_FILE)
        skipped = complete_variants(output / VARIANTS, rows, skip_bad=enhancing.skip_bad)
        (output / VARIANTS).replace(out)
        return skipped
    scoring = settings_from(ScoringConfig, job.settings, source=JOB_FILE)
    scored = score_dirmap(rows, images, model, output / SCORES, config=scoring, images_name=job.dataset_name)
    (output / SCORES).replace(out)
    return [why for _, why in sorted(scored.unreadable.items())]
