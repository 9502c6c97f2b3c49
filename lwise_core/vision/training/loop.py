"""The training loop: epochs of batches, each followed by an evaluation, with a state that can be resumed."""

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
from lwise_core.vision.training.adversarial_step import AdversarialStep
from lwise_core.vision.training.augment import Augmentation, augmentation
from lwise_core.vision.training.batches import Images, batch_problem, epoch_batches, n_batches, training_batches
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import SINGLE_PROCESS, Group
from lwise_core.vision.training.evaluation import Accuracy, evaluate, evaluation_budget
from lwise_core.vision.training.flops import count_flops, peak_tflops
from lwise_core.vision.training.log import EpochRecord
from lwise_core.vision.training.schedules import epsilon_at
from lwise_core.vision.training.state import STEP_KEY, Best, RunFolder, State, parse_state

_MAX_WORKERS = 16


@dataclass(frozen=True)
class Data:
    """Training images, of the size that the augmentation expects, and validation images, of the model's size."""

    train: Images
    validation: Images


@dataclass(frozen=True)
class Callbacks:
    """What a training calls as it runs.

    Attributes
    ----------
    on_batch : called with (batches done, total).
    on_epoch : called after each epoch.
    stop : called after each batch; true saves the state and ends the training.
    """

    on_batch: Callable[[int, int], None] = lambda done, total: None
    on_epoch: Callable[[EpochRecord], None] = lambda record: None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Trained:
    """The best model by accuracy under attack, in evaluation mode on the CPU, and its accuracy."""

    model: GuideModel
    accuracy: Accuracy


class Stopped(Exception):  # noqa: N818 - a requested stop is not an error
    """The training was asked to stop; its state is saved."""


def train(
    model: GuideModel,
    data: Data,
    config: TrainingConfig,
    *,
    group: Group = SINGLE_PROCESS,
    folder: RunFolder | None = None,
    callbacks: Callbacks | None = None,
) -> Trained:
    """Train a model in place.

    On one machine's CPU, equal arguments give bitwise equal weights, also after a stop and resume.

    Parameters
    ----------
    folder : where the leading process saves and finds the state.

    Raises
    ------
    InputError
        If there are too few images, their size does not fit model and augmentation, or the loss is not finite.
    Stopped
        If `callbacks.stop` returned true.
    """
    augmented = augmentation(config.augment, size=model.description.size)
    _check(data, augmented, model, config, group)
    with torch.random.fork_rng(), _fastest_convolutions():
        training = _Training(model, data, config, augmented, group, folder, callbacks or Callbacks())
        training.run()
        return training.result()


def training_engine(config: TrainingConfig, group: Group = SINGLE_PROCESS) -> Engine:
    """The engine of a training."""
    # Compiling pays off only for models whose weights do not change.
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
        callbacks: Callbacks,
    ) -> None:
        self._data, self._config, self._augmentation, self._group = data, config, augmented, group
        self._folder, self._callbacks = folder, callbacks
        self._engine = training_engine(config, group)
        self._n_batches = n_batches(len(data.train), config.batch_size)
        self._workers = loading_processes(config, self._engine, group)
        self._step = AdversarialStep(model, config, engine=self._engine, group=group, batches_per_epoch=self._n_batches)
        self._flops = count_flops(self._step.model, attack_steps=config.attack_steps, engine=self._engine)
        saved = group.broadcast(None if folder is None else folder.start(config))
        self._state = State()
        if saved is not None:
            self._step.load_state_dict(saved[STEP_KEY])
            self._state = parse_state(saved)

    def run(self) -> None:
        while self._state.epoch < self._config.epochs:
            self._train_epoch()
            self._finish_epoch()

    def result(self) -> Trained:
        best = self._state.best
        assert best is not None  # noqa: S101 - the last epoch is always evaluated
        model = self._step.averaged_model
        model.load_state_dict(best.weights)
        on_cpu = model.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return Trained(on_cpu, best.accuracy)

    def _train_epoch(self) -> None:
        state = self._state
        batches = epoch_batches(
            len(self._data.train), self._config.batch_size, seed=self._config.seed, epoch=state.epoch
        )
        loss = torch.tensor(state.loss, dtype=torch.float64, device=self._engine.device)
        start = time.perf_counter() - state.seconds
        for images, labels, indices in self._shares(batches[state.batch :]):
            loss += self._train_batch(images, labels, indices, n_in_batch=len(batches[state.batch]))
            state.batch += 1
            self._callbacks.on_batch(state.epoch * self._n_batches + state.batch, self._config.epochs * self._n_batches)
            if self._group.any(self._callbacks.stop()):
                # An equal share for every process, since all resume from the leader's state.
                state.loss = float(self._group.total(loss)) / self._group.n
                state.seconds = time.perf_counter() - start
                self._save()
                raise Stopped
        state.loss = float(self._group.total(loss))
        state.seconds = time.perf_counter() - start
        if not math.isfinite(state.loss):
            raise InputError(
                f"epoch {state.epoch + 1}: the loss is {state.loss}; try a lower peak_learning_rate than "
                f"{self._config.peak_learning_rate:g}"
            )

    def _shares(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """This process's share of each batch of the current epoch."""
        return training_batches(
            self._data.train,
            [self._group.share(batch) for batch in batches],
            self._augmentation,
            seed=self._config.seed,
            epoch=self._state.epoch,
            workers=self._workers,
            pinned=self._engine.device.type == "cuda",
        )

    def _train_batch(self, images: Tensor, labels: Tensor, indices: Tensor, *, n_in_batch: int) -> Tensor:
        seed, state = self._config.seed, self._state
        return self._step.run(
            images,
            labels,
            n_in_batch=n_in_batch,
            epsilon=self._epsilon(state.batch),
            seed=key_seed(seed, "batch", state.epoch, state.batch, self._group.rank),
            seeds=[key_seed(seed, "start", state.epoch, int(index)) for index in indices],
        )

    def _finish_epoch(self) -> None:
        state = self._state
        accuracy = self._evaluate() if self._is_evaluated(state.epoch) else None
        record = self._record(accuracy)
        state.history.append(record)
        state.epoch, state.batch, state.loss, state.seconds = state.epoch + 1, 0, 0.0, 0.0
        if accuracy is not None and (state.best is None or _is_better(accuracy, state.best.accuracy)):
            self._save_best(accuracy)
        # The log first: after a crash in between, an epoch too many is overwritten; a missing one would stay missing.
        if self._folder is not None:
            self._folder.log(state.history)
        self._save()
        self._callbacks.on_epoch(record)

    def _is_evaluated(self, epoch: int) -> bool:
        return (epoch + 1) % self._config.evaluate_every == 0 or epoch + 1 == self._config.epochs

    def _evaluate(self) -> Accuracy:
        config = self._config
        epsilon = config.epsilon if config.evaluation_epsilon is None else config.evaluation_epsilon
        return evaluate(
            self._step.averaged_model,
            self._data.validation,
            budget=evaluation_budget(epsilon, steps=config.evaluation_steps),
            engine=self._engine,
            group=self._group,
            workers=self._workers,
            seed=config.seed,
        )

    def _record(self, accuracy: Accuracy | None) -> EpochRecord:
        n_images, epsilon = len(self._data.train), self._epsilon(self._n_batches - 1)
        images_per_s = n_images / self._state.seconds
        flops = self._flops.update + (self._flops.attack if epsilon > 0 else 0.0)
        tflops, peak = images_per_s * flops / 1e12, peak_tflops(self._engine)
        return EpochRecord(
            epoch=self._state.epoch + 1,
            loss=self._state.loss / n_images,
            clean_accuracy=None if accuracy is None else accuracy.clean_accuracy,
            robust_accuracy=None if accuracy is None else accuracy.robust_accuracy,
            learning_rate=self._step.learning_rate,
            epsilon=epsilon,
            images_per_s=images_per_s,
            tflops=tflops,
            mfu=None if peak is None else tflops / (peak * self._group.n),
        )

    def _save_best(self, accuracy: Accuracy) -> None:
        model = self._step.averaged_model
        weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        self._state.best = Best(self._state.epoch, accuracy, weights)
        if self._folder is not None:
            self._folder.save_best(model, accuracy)

    def _save(self) -> None:
        if self._folder is not None:
            self._folder.save(self._step.state_dict(), self._state)

    def _epsilon(self, batch: int) -> float:
        return epsilon_at(self._state.epoch + batch / self._n_batches, self._config)


def _is_better(accuracy: Accuracy, than: Accuracy) -> bool:
    """Compare accuracy under attack, then on natural images; a tie goes to the later epoch, which trained longer."""
    return (accuracy.robust_accuracy, accuracy.clean_accuracy) >= (than.robust_accuracy, than.clean_accuracy)


def loading_processes(config: TrainingConfig, engine: Engine, group: Group) -> int:
    """Number of processes that load images; none on a CPU, whose cores the training itself uses."""
    if config.workers is not None:
        return config.workers
    if engine.device.type != "cuda":
        return 0
    return max(1, min(_MAX_WORKERS, (os.cpu_count() or 1) // group.local_size))


@contextmanager
def _fastest_convolutions() -> Iterator[None]:
    """Let cuDNN benchmark its convolution algorithms, since all images have one size."""
    previous = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = previous


def _check(data: Data, augmented: Augmentation, model: GuideModel, config: TrainingConfig, group: Group) -> None:
    """Raise InputError now for what would stop the training later."""
    if problem := batch_problem(len(data.train), config.batch_size, group):
        raise InputError(problem)
    if len(data.validation) < 1:
        raise InputError("there are no validation images; give at least one")
    for name, images, side in (
        ("training", data.train, augmented.loaded_size),
        ("validation", data.validation, model.description.size),
    ):
        if images[0][0].shape != (3, side, side):
            raise InputError(f"the {name} images are {tuple(images[0][0].shape)}; expected (3, {side}, {side})")
    _try_forward_pass(model)


def _try_forward_pass(model: GuideModel) -> None:
    side = model.description.size
    with torch.random.fork_rng(), torch.inference_mode():
        try:
            model.eval()(torch.full((1, 3, side, side), 0.5, device=model.device))
        except (RuntimeError, AssertionError, ValueError) as error:  # each network raises its own
            raise InputError(
                f"size is {side}: {model.description.architecture} does not accept images of that size ({error})"
            ) from None
