"""A training from a data set on disk to a model's file: what `lwise train` does, and a job does elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from lwise_core.dirmap import DirmapRow, class_names
from lwise_core.errors import InputError
from lwise_core.vision.architectures import SMALL_RESNET
from lwise_core.vision.checkpoints.native import file_sha256, load_model, save_model
from lwise_core.vision.data import DatasetDescription, load_dataset_description
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.guide import GuideDescription, GuideModel
from lwise_core.vision.images import Progress
from lwise_core.vision.settings import plain
from lwise_core.vision.training.augment import augmentation
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import ALONE, Group
from lwise_core.vision.training.evaluation import Accuracy
from lwise_core.vision.training.initialisation import fine_tuned_from, new_model
from lwise_core.vision.training.loop import Data, Watch, train
from lwise_core.vision.training.pictures import Pictures, PicturesInMemory, fit_memory
from lwise_core.vision.training.state import RunFolder

_SIZE = 96
_HOW_IT_IS_LOADED = ("workers", "in_memory")


@dataclass(frozen=True)
class Run:
    """A training that is ready to begin, or to go on.

    Attributes
    ----------
    config : with what a data set's description and a model to begin from say of it.
    """

    out: Path
    config: TrainingConfig
    _model: GuideModel
    _data: Data
    _group: Group
    _folder: RunFolder | None
    _plan: Mapping[str, Any]

    def train(self, watch: Watch | None = None) -> Accuracy:
        """Train, measure under attack, and let the leading process write the best model to `out`.

        Raises
        ------
        InputError, Stopped
            As `loop.train`.
        """
        trained = train(self._model, self._data, self.config, group=self._group, folder=self._folder, watch=watch)
        if self._folder is not None:
            save_model(self.out, trained.model, training=self._plan, metrics=asdict(trained.accuracy))
            self._folder.complete()
        return trained.accuracy


def run_folder(out: Path) -> Path:
    """Where the training of a model keeps its state."""
    return out.with_name(f"{out.stem}.training")


def prepared(
    rows: Sequence[DirmapRow],
    images_root: Path,
    out: Path,
    *,
    config: TrainingConfig,
    begin_from: Path | None = None,
    resume: bool = False,
    group: Group = ALONE,
    on_progress: Progress | None = None,
) -> Run:
    """Everything that a training needs, its pictures loaded.

    Parameters
    ----------
    rows : to learn from in split `train`, to measure on in split `val`.
    begin_from : file of a model whose weights the training begins with.
    resume : go on with a training that was cut short, if there is one.
    on_progress : called while pictures are loaded.

    Raises
    ------
    InputError
        If a split has no pictures, one cannot be read, a model or description does not fit, or another training was
        begun.
    """
    start = load_model(begin_from) if begin_from else None
    described = load_dataset_description(config.description) if config.description else None
    _check(rows, config, start=start, begin_from=begin_from, described=described)
    size = config.size or (start.description.size if start else described.size if described else _SIZE)
    chosen = replace(config, size=size, augment=config.augment or (described.augment if described else None))
    normalisation, classes = described.normalisation if described else None, class_names(rows)
    plan = {
        **_plan(rows, chosen, begin_from=file_sha256(begin_from) if begin_from else None),
        "normalisation": None if normalisation is None else asdict(normalisation),
    }
    folder = RunFolder(run_folder(out), plan, resume=resume) if group.leads else None
    data = _data(rows, images_root, chosen, size, group, on_progress)
    if start is not None:
        model = fine_tuned_from(start, classes, size=size, seed=chosen.seed)
    else:
        description = GuideDescription(chosen.architecture or SMALL_RESNET, classes=tuple(classes), size=size)
        model = new_model(description, data.train, seed=chosen.seed, normalisation=normalisation)
    return Run(out, chosen, model, data, group, folder, plan)


def _check(
    rows: Sequence[DirmapRow],
    config: TrainingConfig,
    *,
    start: GuideModel | None,
    begin_from: Path | None,
    described: DatasetDescription | None,
) -> None:
    """Refuse what does not go together."""
    if start is not None and config.architecture not in (None, start.description.architecture):
        raise InputError(
            f"{begin_from}: is a {start.description.architecture}; architecture is {config.architecture}; leave one out"
        )
    classes = class_names(rows)
    if described is not None and described.class_names is not None and list(described.class_names) != classes:
        raise InputError(
            f"description {config.description} has the classes {', '.join(described.class_names)}; the dirmap has "
            f"{', '.join(classes)}; expected the same in the same order. Make the dirmap by `lwise dataset build`"
        )


def _plan(rows: Sequence[DirmapRow], config: TrainingConfig, *, begin_from: str | None) -> dict[str, Any]:
    """What decides the weights that come out."""
    settings = {name: value for name, value in plain(config).items() if name not in _HOW_IT_IS_LOADED}
    listed = "\n".join(f"{row.split},{row.class_num},{row.class_name},{row.im_path}" for row in rows)
    return {**settings, "begin_from": begin_from, "dirmap": sha256(listed.encode()).hexdigest()}


def _data(
    rows: Sequence[DirmapRow],
    images_root: Path,
    config: TrainingConfig,
    size: int,
    group: Group,
    on_progress: Progress | None,
) -> Data:
    parts = {split: [row for row in rows if row.split == split] for split in ("train", "val")}
    for split, of_split in parts.items():
        if not of_split:
            raise InputError(f"the dirmap has no images in split {split}; make one with `lwise dataset index`")
    loaded_size = augmentation(config.augment, size=size).loaded_size

    def pictures(split: str, side: int) -> Pictures:
        listed = DirmapDataset(images_root, parts[split], size=side)
        few = fit_memory(len(parts[split]), side, group) if config.in_memory is None else config.in_memory
        return PicturesInMemory(*listed.load(on_progress)) if few else listed

    return Data(train=pictures("train", loaded_size), validation=pictures("val", size))
