"""Speed of adversarial training relative to a plain loop, in one run on the same images.

    .venv/bin/python benchmarks/train.py [--architecture resnet50] [--size 224] [--images 8] [--attack-steps 3]

The plain loop is the usual first implementation, as in published code: fp32, channels first, a random start, PGD that
keeps the best iterate with one more forward pass at the end, SGD; images are decoded one by one before each batch.

Two things are timed in alternation with the loop, taking the fastest round: CPU time (`process_time`, without loading
processes), which depends least on other work on the machine, and wall time.

    a step       a batch in memory: attack and update
    an epoch     four batches from JPEG files of 512 pixels, cropped and mirrored at random

A GPU is used if there is one, with the settings of `lwise train`: bf16 and loading processes. Goals are printed with
the measurements; the exit code is 0 whether or not they are met.

Two cores of an AMD EPYC (x86_64), Python 3.11.7, torch 2.11.0, no GPU, ResNet-50 at 224 px, n = 8, PGD-3, fastest of 3
rounds: a step 1.08x, by time of the cores and by the clock; an epoch 1.09x, and 1.07x the time of its steps.
"""

from __future__ import annotations

import copy
import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated

import torch
import torchvision
import typer
from in_turns import in_turns, print_ratio, write_photographs
from torch import Tensor
from torch.nn import functional

from lwise_core import __version__
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.training.adversarial_step import AdversarialStep
from lwise_core.vision.training.augment import Augmentation, augmentation
from lwise_core.vision.training.batches import training_batches
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import SINGLE_PROCESS
from lwise_core.vision.training.flops import count_flops, peak_tflops
from lwise_core.vision.training.loop import loading_processes, training_engine

_N_CLASSES = 1000
_N_BATCHES = 4


class PlainLoop:
    """The reference."""

    def __init__(self, model: GuideModel, config: TrainingConfig) -> None:
        self._model, self._config = model, config
        self._optimiser = torch.optim.SGD(
            model.parameters(), lr=config.peak_learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )

    def learn(self, batch: Tensor, labels: Tensor) -> None:
        """A step from images (N, 3, H, W) in [0, 1]."""
        self._model.eval()
        adversarial = self._adversarial(batch, labels)
        self._model.train()
        loss = functional.cross_entropy(self._model(adversarial), labels)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()

    def _adversarial(self, batch: Tensor, labels: Tensor) -> Tensor:
        epsilon, steps = self._config.epsilon, self._config.attack_steps
        noise = torch.randn_like(batch)
        current = self._within(batch, batch + 0.5 * epsilon * noise / _norms(noise))
        best, highest = current.clone(), torch.full((len(batch),), -torch.inf).to(batch)

        def keep_better(point: Tensor, values: Tensor) -> None:
            better = values > highest
            best[better], highest[better] = point[better], values[better]

        for _ in range(steps):
            point = current.clone().requires_grad_(True)
            values = functional.cross_entropy(self._model(point), labels, reduction="none")
            (gradient,) = torch.autograd.grad(values.mean(), [point])
            keep_better(point.detach(), values.detach())
            current = self._within(batch, point.detach() + 1.5 * epsilon / steps * gradient / _norms(gradient))
        with torch.no_grad():
            keep_better(current, functional.cross_entropy(self._model(current), labels, reduction="none"))
        return best

    def _within(self, batch: Tensor, points: Tensor) -> Tensor:
        offset = points - batch
        return (batch + offset * (self._config.epsilon / _norms(offset)).clamp_max(1)).clamp(0, 1)


def main(
    architecture: str = "resnet50",
    size: int = 224,
    images: Annotated[int, typer.Option(help="Images in a batch.")] = 8,
    attack_steps: int = 3,
    rounds: int = 3,
) -> None:
    """Measure and print."""
    config = TrainingConfig(
        attack_steps=attack_steps,
        batch_size=images,
        peak_learning_rate=1e-3,
        schedule="step",
        augment="imagenet",
    )
    engine = training_engine(config)
    model = new_guide(GuideDescription(architecture, tuple(map(str, range(_N_CLASSES))), size), IMAGENET, seed=0)
    step = AdversarialStep(
        copy.deepcopy(model), config, engine=engine, group=SINGLE_PROCESS, batches_per_epoch=_N_BATCHES
    )
    plain = PlainLoop(model.to(engine.device), config)
    _print_machine(architecture, size, images, attack_steps, rounds)
    flops = count_flops(step.model, attack_steps=attack_steps, engine=engine)
    with tempfile.TemporaryDirectory() as folder:
        augment = augmentation(config.augment, size=size)
        rows = write_photographs(Path(folder), _N_BATCHES * images, split="train")
        listed = DirmapDataset(Path(folder), rows, size=augment.loaded_size)
        batch, labels = next(iter(_read(listed, augment, images)))

        def plain_step() -> None:
            plain.learn(batch.to(engine.device).float() / 255, labels.to(engine.device))

        def product_step() -> None:
            _run_step(step, batch, labels, config)

        def plain_epoch() -> None:
            for shown, target in _read(listed, augment, images):
                plain.learn(shown.to(engine.device).float() / 255, target.to(engine.device))

        def product_epoch() -> None:
            batches = torch.arange(len(listed)).split(images)
            workers, pinned = loading_processes(config, engine, SINGLE_PROCESS), engine.device.type == "cuda"
            loaded = training_batches(listed, batches, augment, seed=0, epoch=0, workers=workers, pinned=pinned)
            for shown, target, _ in loaded:
                _run_step(step, shown, target, config)

        in_turns(plain_step, product_step, 1)
        slow, fast = in_turns(plain_step, product_step, rounds)
        print_ratio("a step", slow, fast, images, "goal 2x on a GPU")
        tflops, peak = images * (flops.attack + flops.update) / fast.wall / 1e12, peak_tflops(engine)
        print(f"  {tflops:.3f} TFLOP/s by the clock" + ("" if peak is None else f", MFU {tflops / peak:.1%}"))
        slow, whole = in_turns(plain_epoch, product_epoch, rounds)
        print_ratio("an epoch", slow, whole, len(listed), "goal 2x on a GPU")
        print(f"  {whole.wall / (_N_BATCHES * fast.wall):.2f}x its steps' own time by the clock")


def _run_step(step: AdversarialStep, batch: Tensor, labels: Tensor, config: TrainingConfig) -> None:
    n = len(batch)
    step.run(batch, labels, n_in_batch=n, epsilon=config.epsilon, seed=0, seeds=range(n))


def _read(listed: DirmapDataset, augment: Augmentation, n: int) -> list[tuple[Tensor, Tensor]]:
    """Batches, decoded and augmented one image after the other."""
    batches = []
    for numbers in torch.arange(len(listed)).split(n):
        read = [listed[int(number)] for number in numbers]
        shown = torch.stack([augment.apply(image, seed=0) for image, _ in read])
        batches.append((shown, torch.tensor([label for _, label in read])))
    return batches


def _norms(batch: Tensor) -> Tensor:
    return batch.flatten(1).norm(dim=1)[:, None, None, None] + 1e-10


def _print_machine(architecture: str, size: int, images: int, attack_steps: int, rounds: int) -> None:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {device}, {platform.system()}")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"lwise {__version__}; {torch.get_num_threads()} threads"
    )
    print(f"{architecture} at {size} px, n = {images} images, PGD-{attack_steps}, fastest of {rounds} rounds")


if __name__ == "__main__":
    typer.run(main)
