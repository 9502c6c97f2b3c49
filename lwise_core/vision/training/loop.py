"""The training: epochs of batches, measured after each, its state kept so that it can be stopped at any time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lwise_core.errors import InputError
from lwise_core.keyed_random import key_seed
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.training.adversarial_step import Learner
from lwise_core.vision.training.augment import Augmentation, augmentation
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import ALONE, Group
from lwise_core.vision.training.evaluation import Accuracy, evaluate, evaluation_budget
from lwise_core.vision.training.flops import count_work, peak_tflops
from lwise_core.vision.training.log import EpochRecord
from lwise_core.vision.training.pictures import Pictures, epoch_batches, n_batches, too_few, training_batches
from lwise_core.vision.training.schedules import epsilon_at
from lwise_core.vision.training.state import Best, RunFolder, State, state_from

_MOST_WORKERS = 16


@dataclass(frozen=True)
class Data:
    """Pictures to learn from, of the side that the augmentation takes, and pictures to measure on, of the model's."""

    train: Pictures
    validation: Pictures


@dataclass(frozen=True)
class Watch:
    """Who looks on.

    Attributes
    ----------
    on_batch : called with (batches done, batches in all).
    on_epoch : called after each epoch.
    stop : asked after each batch; true ends the training, its state kept.
    """

    on_batch: Callable[[int, int], None] = lambda done, total: None
    on_epoch: Callable[[EpochRecord], None] = lambda record: None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Trained:
    """The best model by accuracy under attack, in evaluation mode on the CPU, and how it was measured."""

    model: GuideModel
    accuracy: Accuracy


class Stopped(Exception):  # noqa: N818 - what was asked for is no error
    """The training was asked to stop; its state is kept."""


def train(
    model: GuideModel,
    data: Data,
    config: TrainingConfig,
    *,
    group: Group = ALONE,
    folder: RunFolder | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a model, which it changes.

    On a processor the same arguments give the same weights on one machine, bit by bit, also after a stop.

    Parameters
    ----------
    folder : of the leading process: where the state is kept, and found.

    Raises
    ------
    InputError
        If there are too few pictures, they are not of the size that model and augmentation take, or the loss is no
        number any more.
    Stopped
        If `watch.stop` said so.
    """
    augmented = augmentation(config.augment, size=model.description.size)
    _check(data, augmented, model, config, group)
    with torch.random.fork_rng(), _fastest_convolutions():
        training = _Training(model, data, config, augmented, group, folder, watch or Watch())
        training.run()
        return training.result()


def training_engine(config: TrainingConfig, group: Group = ALONE) -> Engine:
    """How a training computes."""
    # Compiling is for models that stay as they are.
    automatic = replace(Engine.automatic(group.device), compiles=False)
    return automatic if config.precision == "auto" else replace(automatic, precision=config.precision)


class _Training:
    """One run of `train`."""

    def __init__(
        self,
        model: GuideModel,
        data: Data,
        config: TrainingConfig,
        augmented: Augmentation,
        group: Group,
        folder: RunFolder | None,
        watch: Watch,
    ) -> None:
        self._data, self._config, self._augmentation, self._group = data, config, augmented, group
        self._folder, self._watch = folder, watch
        self._engine = training_engine(config, group)
        self._n_batches = n_batches(len(data.train), config.batch_size)
        self._workers = loading_processes(config, self._engine, group)
        self._learner = Learner(model, config, engine=self._engine, group=group, batches_per_epoch=self._n_batches)
        self._work = count_work(self._learner.model, attack_steps=config.attack_steps, engine=self._engine)
        found = group.from_leader(None if folder is None else folder.begin(config))
        self._state = State()
        if found is not None:
            self._learner.load_state_dict(found["learner"])
            self._state = state_from(found)

    def run(self) -> None:
        while self._state.epoch < self._config.epochs:
            self._learn_epoch()
            self._close_epoch()

    def result(self) -> Trained:
        best = self._state.best
        assert best is not None  # noqa: S101 - the last epoch is always measured
        model = self._learner.judged
        model.load_state_dict(best.weights)
        done = model.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return Trained(done, best.accuracy)

    def _learn_epoch(self) -> None:
        state = self._state
        batches = epoch_batches(
            len(self._data.train), self._config.batch_size, seed=self._config.seed, epoch=state.epoch
        )
        loss = torch.tensor(state.loss, dtype=torch.float64, device=self._engine.device)
        began = time.perf_counter() - state.seconds
        for images, labels, numbers in self._coming(batches[state.batch :]):
            loss += self._learn(images, labels, numbers, n_in_batch=len(batches[state.batch]))
            state.batch += 1
            self._watch.on_batch(state.epoch * self._n_batches + state.batch, self._config.epochs * self._n_batches)
            if self._group.any(self._watch.stop()):
                # To every process an equal share, since one process's state becomes that of all.
                state.loss = float(self._group.total(loss)) / self._group.n
                state.seconds = time.perf_counter() - began
                self._save()
                raise Stopped
        state.loss = float(self._group.total(loss))
        state.seconds = time.perf_counter() - began
        if not math.isfinite(state.loss):
            raise InputError(
                f"epoch {state.epoch + 1}: the loss is {state.loss}; try a lower peak_learning_rate than "
                f"{self._config.peak_learning_rate:g}"
            )

    def _coming(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """This process's parts of the batches of the epoch under way."""
        return training_batches(
            self._data.train,
            [self._group.share(batch) for batch in batches],
            self._augmentation,
            seed=self._config.seed,
            epoch=self._state.epoch,
            workers=self._workers,
            pinned=self._engine.device.type == "cuda",
        )

    def _learn(self, images: Tensor, labels: Tensor, numbers: Tensor, *, n_in_batch: int) -> Tensor:
        seed, state = self._config.seed, self._state
        return self._learner.learn(
            images,
            labels,
            n_in_batch=n_in_batch,
            epsilon=self._epsilon(state.batch),
            seed=key_seed(seed, "batch", state.epoch, state.batch, self._group.rank),
            seeds=[key_seed(seed, "start", state.epoch, int(number)) for number in numbers],
        )

    def _close_epoch(self) -> None:
        state = self._state
        accuracy = self._measured() if self._is_measured(state.epoch) else None
        record = self._record(accuracy)
        state.history.append(record)
        state.epoch, state.batch, state.loss, state.seconds = state.epoch + 1, 0, 0.0, 0.0
        if accuracy is not None and (state.best is None or _is_better(accuracy, state.best.accuracy)):
            self._keep_best(accuracy)
        # Before the state: what the log has too much is written over, what it lacked would stay lacking.
        if self._folder is not None:
            self._folder.note(state.history)
        self._save()
        self._watch.on_epoch(record)

    def _is_measured(self, epoch: int) -> bool:
        return (epoch + 1) % self._config.evaluate_every == 0 or epoch + 1 == self._config.epochs

    def _measured(self) -> Accuracy:
        config = self._config
        epsilon = config.epsilon if config.evaluation_epsilon is None else config.evaluation_epsilon
        return evaluate(
            self._learner.judged,
            self._data.validation,
            budget=evaluation_budget(epsilon, steps=config.evaluation_steps),
            engine=self._engine,
            group=self._group,
            workers=self._workers,
            seed=config.seed,
        )

    def _record(self, accuracy: Accuracy | None) -> EpochRecord:
        n_pictures, epsilon = len(self._data.train), self._epsilon(self._n_batches - 1)
        images_per_s = n_pictures / self._state.seconds
        work = self._work.learning + (self._work.attack if epsilon > 0 else 0.0)
        tflops, peak = images_per_s * work / 1e12, peak_tflops(self._engine)
        return EpochRecord(
            epoch=self._state.epoch + 1,
            loss=self._state.loss / n_pictures,
            clean_accuracy=None if accuracy is None else accuracy.clean_accuracy,
            robust_accuracy=None if accuracy is None else accuracy.robust_accuracy,
            learning_rate=self._learner.learning_rate,
            epsilon=epsilon,
            images_per_s=images_per_s,
            tflops=tflops,
            mfu=None if peak is None else tflops / (peak * self._group.n),
        )

    def _keep_best(self, accuracy: Accuracy) -> None:
        model = self._learner.judged
        weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        self._state.best = Best(self._state.epoch, accuracy, weights)
        if self._folder is not None:
            self._folder.save_best(model, accuracy)

    def _save(self) -> None:
        if self._folder is not None:
            self._folder.save(self._learner.state_dict(), self._state)

    def _epsilon(self, batch: int) -> float:
        return epsilon_at(self._state.epoch + batch / self._n_batches, self._config)


def _is_better(accuracy: Accuracy, than: Accuracy) -> bool:
    """Under attack, then undisturbed; of equals the later one, which has learned longer."""
    now, before = ((one.robust_accuracy, one.clean_accuracy) for one in (accuracy, than))
    return now >= before


def loading_processes(config: TrainingConfig, engine: Engine, group: Group) -> int:
    """How many load pictures; none on a processor alone, whose cores the training itself takes."""
    if config.workers is not None:
        return config.workers
    if engine.device.type != "cuda":
        return 0
    return max(1, min(_MOST_WORKERS, (os.cpu_count() or 1) // group.n_here))


@contextmanager
def _fastest_convolutions() -> Iterator[None]:
    """Let cuDNN try out its convolutions: the pictures have one size."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _check(data: Data, augmented: Augmentation, model: GuideModel, config: TrainingConfig, group: Group) -> None:
    """Find out now what would stop the training later."""
    if problem := too_few(len(data.train), config.batch_size, group):
        raise InputError(problem)
    if len(data.validation) < 1:
        raise InputError("there are no pictures to measure on; give one at least")
    for what, pictures, side in (
        ("to learn from", data.train, augmented.loaded_size),
        ("to measure on", data.validation, model.description.size),
    ):
        if pictures[0][0].shape != (3, side, side):
            raise InputError(f"the pictures {what} are {tuple(pictures[0][0].shape)}; expected (3, {side}, {side})")
    _try_out(model)


def _try_out(model: GuideModel) -> None:
    side = model.description.size
    with torch.random.fork_rng(), torch.inference_mode():
        try:
            model.eval()(torch.full((1, 3, side, side), 0.5, device=model.device))
        except (RuntimeError, AssertionError, ValueError) as error:  # networks complain each in its own way
            raise InputError(
                f"size is {side}: {model.description.architecture} does not take such pictures ({error})"
            ) from None
