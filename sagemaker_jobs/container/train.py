"""Entry point of a training job: `lwise train` on the inputs of a container, on all cards and machines.

`torchrun` starts it once per card. An interrupted job resumes from the state in its checkpoints.
"""

from __future__ import annotations

import shutil
import signal
import sys

from lwise_core.dirmap import read_dirmap
from lwise_core.vision.settings import settings_from
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import Group, process_group
from lwise_core.vision.training.log import EpochRecord
from lwise_core.vision.training.loop import Callbacks, Stopped
from lwise_core.vision.training.run import prepare_run, run_folder
from lwise_core.vision.training.signals import stop_on_signal
from sagemaker_jobs.container.entrypoint import log, progress_of, run
from sagemaker_jobs.container.job import unpacked
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, MODEL_FILE, Container

_COPIED_FILES = ("config.yaml", "log.csv")
"""Files of the run's folder that are copied next to the model."""


def work(container: Container) -> int:
    """Train and write the model to SageMaker's model folder; 143 after SIGTERM, with the state saved."""
    with process_group() as group:
        # Exists if the job was interrupted after its last epoch.
        trained = container.checkpoints / MODEL_FILE
        if not group.broadcast(trained.exists()):
            try:
                _train(container, group)
            except Stopped:
                log("stopped; the state is in the job's checkpoints, from which it goes on")
                return 128 + signal.SIGTERM
        if group.is_leader:
            container.model.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(trained, container.model / MODEL_FILE)
            for name in _COPIED_FILES:
                shutil.copyfile(run_folder(trained) / name, container.model / name)
    return 0


def _train(container: Container, group: Group) -> None:
    settings = unpacked("train", container.hyperparameters, container.channel("job"))
    config = settings_from(TrainingConfig, settings, source="hyperparameters")
    begin_from = container.optional_channel("model")
    training = prepare_run(
        read_dirmap(container.channel("dirmap") / DIRMAP_FILE),
        container.channel("images"),
        container.checkpoints / MODEL_FILE,
        config=config,
        begin_from=None if begin_from is None else begin_from / MODEL_FILE,
        resume=True,
        group=group,
        on_progress=progress_of("images loaded") if group.is_leader else None,
    )
    with stop_on_signal() as request:
        training.train(
            Callbacks(on_epoch=_log_epoch if group.is_leader else _nothing, stop=lambda: request.signal != 0)
        )


def _log_epoch(record: EpochRecord) -> None:
    log(record.line())


def _nothing(record: EpochRecord) -> None:
    pass


if __name__ == "__main__":
    sys.exit(run(work))
