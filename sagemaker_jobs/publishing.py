"""Publish the variants of an enhancement job as stimuli of studies, without downloading the images.

The machines' journals list what was made; S3 copies the images, and each copy is verified against the journals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lwise_core.authoring.republishing import Publication, merged, read_publication, write_publication
from lwise_core.authoring.stimuli import opaque_name_of
from lwise_core.cloud.publishing import publish_from_s3
from lwise_core.cloud.stimuli import stimulus_bucket
from lwise_core.dirmap import read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.enhance import RecordedVariants, recorded_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.settings import settings_from
from sagemaker_jobs.artefacts import S3Place, artefacts
from sagemaker_jobs.container.job import Job, read_job
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, JOB_FILE, VARIANTS
from sagemaker_jobs.download import download
from sagemaker_jobs.launch import folder_of
from sagemaker_jobs.monitor import job_status


def publish_job(
    name: str,
    *,
    manifest: Path,
    dirmap: Path | None = None,
    dataset: str | None = None,
    variants: Sequence[str] = (),
    overwrite: bool = False,
    on_progress: OnProgress,
) -> int:
    """Copy the variants of a job to the bucket of a data set, and add their names to a study's manifest.

    Parameters
    ----------
    manifest : of the study; rows of other variants stay.
    dirmap : where to write the images' rows, with the paths that they have in the variants.
    dataset : whose `StimulusStack` has the bucket; None: the job's.
    variants : the variants to publish; empty: all, and the natural images.
    overwrite : as `republishing.merged`.

    Returns
    -------
    The number of images.

    Raises
    ------
    InputError
        If the job has not completed, a row has no image, or a different variant of that name is published.
    """
    status, folder = job_status(name), folder_of(name, artefacts())
    if status.status != "Completed":
        raise InputError(f"job {name} is {status.status}; expected one that is Completed")
    job, recorded = _recorded(folder)
    selected = tuple(variants) or tuple(recorded.provenance)
    if unknown := [variant for variant in selected if variant not in recorded.provenance]:
        raise InputError(f"--variant is {unknown[0]}; the job made {', '.join(recorded.provenance)}")
    sha256 = {key: digest for key, digest in recorded.sha256.items() if key[0] in selected}
    names = {(variant, path): opaque_name_of(digest, Path(path).suffix) for (variant, path), digest in sha256.items()}
    publication = Publication(names, {variant: recorded.provenance[variant] for variant in selected})
    # Before anything is copied: reject names that are taken by other variants.
    after = merged(read_publication(manifest), publication, overwrite=overwrite, manifest=manifest)
    left = f"{folder.prefix}/output/{VARIANTS}.unfinished"
    publish_from_s3(
        stimulus_bucket(dataset or job.dataset_name),
        source=folder.bucket,
        prefix=left,
        sha256=sha256,
        on_progress=on_progress,
    )
    write_publication(manifest, after)
    if dirmap is not None:
        write_dirmap(dirmap, recorded.rows)
    return len(names)


def _recorded(folder: S3Place) -> tuple[Job, RecordedVariants]:
    """The job and its machines' journals, without the images."""
    with tempfile.TemporaryDirectory() as here:
        root = Path(here)
        download(S3Place(folder.bucket, f"{folder.prefix}/input/job"), root / "job")
        download(S3Place(folder.bucket, f"{folder.prefix}/input/dirmap"), root / "dirmap")
        job = read_job(root / "job" / JOB_FILE)
        if job.kind != "enhance":
            raise InputError(f"{folder}: is a {job.kind} job; expected an enhancement")
        left = S3Place(folder.bucket, f"{folder.prefix}/output/{VARIANTS}.unfinished")
        download(left, root / f"{VARIANTS}.unfinished", suffixes=(".json", ".jsonl"))
        config = settings_from(EnhancementConfig, job.settings, source=JOB_FILE)
        rows = read_dirmap(root / "dirmap" / DIRMAP_FILE)
        return job, recorded_variants(root / VARIANTS, rows, skip_bad=config.skip_bad)
