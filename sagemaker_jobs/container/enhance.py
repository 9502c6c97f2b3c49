"""Entry point of an enhancement job: this machine's share of `lwise enhance`, on all of its cards.

Writes an unfinished folder of variants; the folders of all machines, merged in S3, are complete.
"""

from __future__ import annotations

import sys

import torch

from lwise_core.dirmap import read_dirmap
from lwise_core.vision.enhance import write_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.settings import settings_from
from sagemaker_jobs.container.entrypoint import log, on_each_card, progress_of, run, shard_of
from sagemaker_jobs.container.job import read_job, unpacked
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, JOB_FILE, MODEL_FILE, UNFINISHED, VARIANTS, Container


def work(container: Container) -> int:
    """Enhance this machine's share of the images."""
    code = on_each_card(__file__, torch.cuda.device_count())
    if code is not None:
        return code
    told = container.channel("job")
    job = read_job(told / JOB_FILE)
    config = settings_from(EnhancementConfig, unpacked("enhance", job.settings, told), source=JOB_FILE)
    interrupted, shard = container.optional_channel(UNFINISHED), shard_of(container)
    log(f"part {shard.index + 1} of {shard.of}")
    skipped = write_variants(
        container.output / VARIANTS,
        images_root=container.channel("images"),
        rows=read_dirmap(container.channel("dirmap") / DIRMAP_FILE),
        model_file=container.channel("model") / MODEL_FILE,
        config=config,
        dataset=job.dataset_name,
        shard=shard,
        resume_from=None if interrupted is None else interrupted / f"{VARIANTS}.unfinished",
        images_name=job.dataset_name,
        on_progress=progress_of("images enhanced"),
    )
    for why in skipped:
        log(f"skipped: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(run(work))
