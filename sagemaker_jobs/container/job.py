"""A job: what is to be done, with which data, on which machines. It is a file too, kept with every launch.

Knows nothing of AWS: the same job runs on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from lwise_core import atomic_files
from lwise_core.aws_names import JobKind
from lwise_core.errors import InputError, raise_if_any
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.settings import Settings, plain, read_settings, settings_from, write_settings
from lwise_core.vision.training.config import TrainingConfig
from sagemaker_jobs.container.opt_ml import JOB_FILE

SETTINGS_OF: Mapping[JobKind, type[Settings]] = {
    "train": TrainingConfig,
    "enhance": EnhancementConfig,
    "score": ScoringConfig,
}
_FILES_OF: Mapping[JobKind, tuple[str, ...]] = {
    "train": ("augment", "description"),
    "enhance": ("superclasses",),
    "score": ("superclasses",),
}
"""Settings that may name a YAML file, which travels with the job."""

_LONGEST_PROCESSING_H = 216
"""After nine days SageMaker stops whatever is no training."""


class Compute(Settings):
    """The machines of a job, as SageMaker takes them."""

    instance_type: str = Field(default="ml.g5.xlarge", pattern="^ml\\.[a-z0-9-]+\\.[a-z0-9]+$")
    """Kind of machine."""
    instance_count: int = Field(default=1, ge=1, le=1000)
    """Number of machines."""
    volume_gb: int = Field(default=100, ge=1, le=16384)
    """Disk of each machine in GB."""
    spot: bool | None = None
    """Spare machines at a fraction of the price, which AWS may take back; training only."""
    max_hours: float = Field(default=24, gt=0, le=672)
    """Stopped after so many hours of work."""
    max_wait_hours: float | None = Field(default=None, gt=0, le=672)
    """With spot: hours to wait and to work (default: twice max_hours)."""
    image: str | None = None
    """Container image (default: AWS's with this PyTorch)."""
    kms_key: str | None = None
    """KMS key for disks and results (default: S3's own keys)."""
    subnets: tuple[str, ...] = ()
    """Subnets of your VPC; needs security_groups."""
    security_groups: tuple[str, ...] = ()
    """Security groups of your VPC; needs subnets."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the job, for the bill."""


class Job(Settings):
    """A job."""

    kind: JobKind
    """What is done: as `lwise train`, `lwise enhance` or `lwise score`."""
    dataset: str
    """Name of a data set in the artefact bucket, or `s3://bucket/prefix`; locally a folder.

    It holds `dirmap.csv`, and `images/` that the dirmap's `im_path` starts from.
    """
    model: str | None = None
    """Guide model: name of a training job, `s3://bucket/….safetensors`, or a local file.

    For a training, the model to start from, if any.
    """
    goes_on: str | None = None
    """For an enhancement: name of an interrupted job with the same settings, whose finished images are reused."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Of that kind of work, as below."""
    compute: Compute = Compute()
    """The machines, as below."""

    @property
    def dataset_name(self) -> str:
        """The last part of where the data set is."""
        return self.dataset.rstrip("/").rpartition("/")[2]

    @property
    def uses_spot(self) -> bool:
        """Whether it runs on machines that may be taken back."""
        return self.kind == "train" if self.compute.spot is None else self.compute.spot


def new_job(
    kind: JobKind, dataset: str, *, model: str | None, settings: Mapping[str, Any], compute: Mapping[str, Any]
) -> Job:
    """A job with all of its settings written out.

    Raises
    ------
    InputError
        Naming all that is wrong.
    """
    chosen = settings_from(SETTINGS_OF[kind], settings, source=f"settings of the {kind} job")
    machines = settings_from(Compute, compute, source=f"machines of the {kind} job")
    job = Job(kind=kind, dataset=dataset, model=model, settings=plain(chosen), compute=machines)
    raise_if_any(f"{kind} job", _problems(job))
    return job


def read_job(path: Path) -> Job:
    """Read a job's file, and check it.

    Raises
    ------
    InputError
        Naming all that is wrong.
    """
    told = read_settings(path)
    job = settings_from(Job, told, source=str(path))
    chosen = settings_from(SETTINGS_OF[job.kind], job.settings, source=f"{path}: settings")
    raise_if_any(path, _problems(job))
    return job.model_copy(update={"settings": plain(chosen)})


def write_job(path: Path, job: Job) -> None:
    """Write a job as a file that `read_job` reads."""
    write_settings(path, job)


def packed(job: Job, folder: Path) -> Job:
    """The job as its machines read it: its file, and the files that its settings name, are put into a folder.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    settings = dict(job.settings)
    for name in _FILES_OF[job.kind]:
        if _is_file(settings[name]):
            path = Path(settings[name])
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"{name} is {path}: cannot be read ({error.strerror})") from None
            settings[name] = f"{name}.yaml"
            atomic_files.write_bytes(folder / settings[name], content)
    made = job.model_copy(update={"settings": settings})
    write_job(folder / JOB_FILE, made)
    return made


def unpacked(kind: JobKind, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings of a packed job, with the files that they name where they are."""
    return {
        name: str(folder / value) if name in _FILES_OF[kind] and _is_file(value) else value
        for name, value in settings.items()
    }


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and value.endswith((".yaml", ".yml"))


def _problems(job: Job) -> list[str]:
    compute, problems = job.compute, []
    if job.kind != "train" and job.model is None:
        problems.append(f"model is missing; a job of kind {job.kind} needs the guide model")
    if job.kind != "train" and compute.spot:
        problems.append("compute.spot is true; SageMaker has spot machines for training jobs only, leave it out")
    if job.kind != "train" and compute.max_hours > _LONGEST_PROCESSING_H:
        problems.append(
            f"compute.max_hours is {compute.max_hours:g}; expected {_LONGEST_PROCESSING_H} or less: SageMaker runs "
            "trainings only for longer"
        )
    if compute.max_wait_hours is not None and not job.uses_spot:
        problems.append("compute.max_wait_hours goes with spot machines only")
    if compute.max_wait_hours is not None and compute.max_wait_hours < compute.max_hours:
        problems.append(
            f"compute.max_wait_hours is {compute.max_wait_hours:g}; expected max_hours, {compute.max_hours:g}, or more"
        )
    if job.goes_on is not None and job.kind != "enhance":
        problems.append(
            f"goes_on is {job.goes_on}; only enhancements go on from another job: a training does by itself"
        )
    if bool(compute.subnets) != bool(compute.security_groups):
        problems.append("compute.subnets and compute.security_groups go together")
    return problems
