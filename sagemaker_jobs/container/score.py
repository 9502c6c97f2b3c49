"""Entry point of a scoring job: this machine's share of `lwise score`, on all of its cards.

Writes measurements to an unfinished folder; the folders of all machines, merged in S3, are complete.
"""

from __future__ import annotations

import sys

import torch

from lwise_core.dirmap import read_dirmap
from lwise_core.vision.score_dirmap import score_part
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.settings import settings_from
from sagemaker_jobs.container.entrypoint import log, on_each_card, progress_of, run, shard_of
from sagemaker_jobs.container.job import read_job, unpacked
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, JOB_FILE, MODEL_FILE, SCORES, Container


def work(container: Container) -> int:
    """Score this machine's share of the images."""
    code = on_each_card(__file__, torch.cuda.device_count())
    if code is not None:
        return code
    told, shard = container.channel("job"), shard_of(container)
    job = read_job(told / JOB_FILE)
    settings = unpacked("score", job.settings, told)
    log(f"part {shard.index + 1} of {shard.of}")
    score_part(
        read_dirmap(container.channel("dirmap") / DIRMAP_FILE),
        container.channel("images"),
        container.channel("model") / MODEL_FILE,
        container.output / SCORES,
        config=settings_from(ScoringConfig, settings, source=JOB_FILE),
        shard=shard,
        images_name=job.dataset_name,
        on_progress=progress_of("images scored"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(run(work))
