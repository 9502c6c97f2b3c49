"""A training from a data set on disk to a model file, as `lwise train` and training jobs run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lwise_core.dirmap import DirmapRow, class_names
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.architectures import SMALL_RESNET
from lwise_core.vision.checkpoints.native import file_sha256, load_model, save_model
from lwise_core.vision.data import DatasetDescription, load_dataset_description
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.guide import GuideDescription, GuideModel
from lwise_core.vision.settings import plain
from lwise_core.vision.training.augment import augmentation
from lwise_core.vision.training.batches import Images, InMemoryImages, fits_in_memory
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import SINGLE_PROCESS, Group
from lwise_core.vision.training.evaluation import Accuracy
from lwise_core.vision.training.initialisation import from_pretrained, new_model
from lwise_core.vision.training.loop import Callbacks, Data, train
from lwise_core.vision.training.state import RunFolder

_SIZE = 96
_LOADING_SETTINGS = ("workers", "in_memory")


@dataclass(frozen=True)
class Run:
    """A training that is ready to start or to resume.

    Attributes
    ----------
    config : completed from the data set's description and the initial model.
    """

    out: Path
    config: TrainingConfig
    _model: GuideModel
    _data: Data
    _group: Group
    _folder: RunFolder | None
    _plan: Mapping[str, Any]

    def train(self, callbacks: Callbacks | None = None) -> Accuracy:
        """Train, evaluate under attack, and save the best model to `out` in the leading process.

        Raises
        ------
        InputError, Stopped
            As `loop.train`.
        """
        trained = train(
            self._model, self._data, self.config, group=self._group, folder=self._folder, callbacks=callbacks
        )
        if self._folder is not None:
            save_model(self.out, trained.model, training=self._plan, metrics=asdict(trained.accuracy))
            self._folder.complete()
        return trained.accuracy


def run_folder(out: Path) -> Path:
    """The folder for the state of a model's training."""
    return out.with_name(f"{out.stem}.training")


def prepare_run(
    rows: Sequence[DirmapRow],
    images_root: Path,
    out: Path,
    *,
    config: TrainingConfig,
    begin_from: Path | None = None,
    resume: bool = False,
    group: Group = SINGLE_PROCESS,
    on_progress: OnProgress | None = None,
) -> Run:
    """Load the images and the model of a training.

    Parameters
    ----------
    rows : split `train` is trained on, split `val` evaluated on.
    begin_from : file of a model with the initial weights.
    resume : resume an interrupted training, if there is one.
    on_progress : called while images are loaded.

    Raises
    ------
    InputError
        If a split has no images, an image cannot be read, a model or description does not fit, or the folder holds
        another training.
    """
    initial = load_model(begin_from) if begin_from else None
    description = load_dataset_description(config.description) if config.description else None
    _check(rows, config, initial=initial, begin_from=begin_from, description=description)
    size = config.size or (initial.description.size if initial else description.size if description else _SIZE)
    augment = config.augment or (description.augment if description else None)
    completed = config.model_copy(update={"size": size, "augment": augment})
    normalisation, classes = description.normalisation if description else None, class_names(rows)
    plan = {
        **_plan(rows, completed, begin_from=file_sha256(begin_from) if begin_from else None),
        "normalisation": None if normalisation is None else asdict(normalisation),
    }
    folder = RunFolder(run_folder(out), plan, resume=resume) if group.is_leader else None
    data = _data(rows, images_root, completed, size, group, on_progress)
    if initial is not None:
        model = from_pretrained(initial, classes, size=size, seed=completed.seed)
    else:
        guide = GuideDescription(completed.architecture or SMALL_RESNET, classes=tuple(classes), size=size)
        model = new_model(guide, data.train, seed=completed.seed, normalisation=normalisation)
    return Run(out, completed, model, data, group, folder, plan)


def _check(
    rows: Sequence[DirmapRow],
    config: TrainingConfig,
    *,
    initial: GuideModel | None,
    begin_from: Path | None,
    description: DatasetDescription | None,
) -> None:
    """Raise InputError for inputs that contradict each other."""
    if initial is not None and config.architecture not in (None, initial.description.architecture):
        raise InputError(
            f"{begin_from}: is a {initial.description.architecture}; architecture is {config.architecture}; drop "
            "one of them"
        )
    classes = class_names(rows)
    if description is not None and description.class_names is not None and list(description.class_names) != classes:
        raise InputError(
            f"description {config.description} has the classes {', '.join(description.class_names)}; the dirmap has "
            f"{', '.join(classes)}; expected the same in the same order. Make the dirmap with `lwise dataset build`"
        )


def _plan(rows: Sequence[DirmapRow], config: TrainingConfig, *, begin_from: str | None) -> dict[str, Any]:
    """The values that determine the trained weights."""
    settings = {name: value for name, value in plain(config).items() if name not in _LOADING_SETTINGS}
    listed = "\n".join(f"{row.split},{row.class_num},{row.class_name},{row.im_path}" for row in rows)
    return {**settings, "begin_from": begin_from, "dirmap": sha256(listed.encode()).hexdigest()}


def _data(
    rows: Sequence[DirmapRow],
    images_root: Path,
    config: TrainingConfig,
    size: int,
    group: Group,
    on_progress: OnProgress | None,
) -> Data:
    parts = {split: [row for row in rows if row.split == split] for split in ("train", "val")}
    for split, in_split in parts.items():
        if not in_split:
            raise InputError(f"the dirmap has no images in split {split}; make one with `lwise dataset index`")
    loaded_size = augmentation(config.augment, size=size).loaded_size

    def load(split: str, side: int) -> Images:
        dataset = DirmapDataset(images_root, parts[split], size=side)
        in_memory = fits_in_memory(len(parts[split]), side, group) if config.in_memory is None else config.in_memory
        return InMemoryImages(*dataset.load(on_progress)) if in_memory else dataset

    return Data(train=load("train", loaded_size), validation=load("val", size))
