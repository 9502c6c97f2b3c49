"""Speed of enhancement relative to a plain loop, measured in the same run on the same images.

    .venv/bin/python benchmarks/enhance.py [--architecture resnet50] [--size 224] [--images 8] [--rounds 3]

The plain loop is what published code does: fp32, channels first, one gradient after another, one more forward pass at
the end for the best iterate, one run per ε. Images are decoded before and encoded after it, one by one, as by
`torchvision.utils.save_image`. It raises the same objective by the same steps.

Three comparisons, each in turns with the loop, by the fastest of several rounds: CPU time (`process_time`) over cores,
which other load affects least, and wall time.

    one ε        the ascent alone, ε 8 in 16 steps
    a sweep      ε 0.25, 0.5, 1, 2, 4, 8 in steps of 0.5: shared gradients, against a loop per ε
    end to end   ε 8, from JPEG files of 512 pixels to PNG files, four batches, with everything that `lwise enhance`
                 records

Weights are random, which does not change times. A GPU is used if there is one, with `Engine.automatic`. Goals are
printed beside the measurements; the exit code is 0 whether or not they are met.

Two cores of an AMD EPYC (x86_64), Python 3.11.7, torch 2.11.0, no GPU, ResNet-50 at 224 px, n = 8, fastest of 3 rounds:
one ε 1.50x by CPU time and 1.53x by wall time, 100.0 % of the loop's gain; a sweep 2.98x and 2.99x; end to end
1.10x the model's own time.
"""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torchvision
import typer
from in_turns import in_turns, print_ratio, write_photographs
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lwise_core import __version__
from lwise_core.dirmap import DirmapRow
from lwise_core.vision.budget import Budget
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.engine import Engine, preferred_device
from lwise_core.vision.enhance import write_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.images import load_rgb
from lwise_core.vision.objectives import logit
from lwise_core.vision.shared_gradients import ascend_many, n_gradients
from lwise_core.vision.training.flops import peak_tflops

_STEP = 0.5
_ONE = Budget.along_radius(8, step=_STEP)
_SWEEP = [Budget.along_radius(epsilon, step=_STEP) for epsilon in (0.25, 0.5, 1, 2, 4, 8)]
_N_CLASSES = 1000
_N_BATCHES = 4


def plain_loop(model: GuideModel, images: Tensor, labels: Tensor, budget: Budget) -> Tensor:
    """The reference: images (N, 3, H, W) in [0, 1]."""
    current, best, highest = images.clone(), images.clone(), torch.full((len(images),), -torch.inf)
    highest = highest.to(images)

    def keep_better(point: Tensor, values: Tensor) -> None:
        better = values > highest
        best[better], highest[better] = point[better], values[better]

    for _ in range(budget.steps):
        point = current.clone().requires_grad_(True)
        values = model(point).gather(1, labels[:, None]).squeeze(1)
        (gradient,) = torch.autograd.grad(values.mean(), [point])
        keep_better(point.detach(), values.detach())
        norms = gradient.flatten(1).norm(dim=1)[:, None, None, None]
        offset = point.detach() + budget.step * gradient / (norms + 1e-10) - images
        lengths = offset.flatten(1).norm(dim=1)[:, None, None, None]
        current = (images + offset * (budget.epsilon / lengths).clamp_max(1)).clamp(0, 1)
    with torch.no_grad():
        keep_better(current, model(current).gather(1, labels[:, None]).squeeze(1))
    return best


def main(
    architecture: str = "resnet50",
    size: int = 224,
    images: Annotated[int, typer.Option(help="Images, and images in a batch.")] = 8,
    rounds: int = 3,
) -> None:
    """Measure and print."""
    engine = Engine.automatic()
    description = GuideDescription(architecture, tuple(map(str, range(_N_CLASSES))), size)
    model = new_guide(description, IMAGENET, seed=0).eval()
    engine = replace(engine, at_once=images)
    _print_machine(engine, architecture, size, images, rounds)
    with tempfile.TemporaryDirectory() as folder:
        photographs = Path(folder) / "photographs"
        photographs.mkdir()
        rows = write_photographs(photographs, _N_BATCHES * images, split="val")
        save_model(Path(folder) / "guide.safetensors", model, training={}, metrics={})
        _compare(model, engine, rows, Path(folder), rounds)


def _compare(model: GuideModel, engine: Engine, rows: list[DirmapRow], folder: Path, rounds: int) -> None:
    size, n = model.description.size, len(rows) // _N_BATCHES
    batch = [load_rgb(folder / "photographs" / row.im_path, size=size) for row in rows[:n]]
    images = torch.from_numpy(np.stack(batch))
    natural, labels = images.to(engine.device).float() / 255, torch.arange(n).to(engine.device)
    on_device = model.requires_grad_(False).to(engine.device)
    ready = engine.prepared(on_device)

    def shared(budgets: list[Budget]) -> list[Tensor]:
        with engine.computing():
            placed = engine.placed(images)
            return ascend_many(ready, placed, labels, objective=logit, budgets=budgets, best=True)

    def model_alone() -> None:
        """All that the model computes end to end: the ascents, and the recorded logits before and after."""
        for _ in range(_N_BATCHES):
            (enhanced,) = shared([_ONE])
            with torch.inference_mode(), engine.computing():
                for shown in (engine.placed(images), enhanced):
                    ready(shown)

    def plain_end_to_end() -> None:
        for first in range(0, len(rows), n):
            part = rows[first : first + n]
            read = [load_rgb(folder / "photographs" / row.im_path, size=size) for row in part]
            shown = torch.from_numpy(np.stack(read)).to(engine.device).float() / 255
            for row, image in zip(part, plain_loop(on_device, shown, labels, _ONE).cpu(), strict=True):
                torchvision.utils.save_image(image, folder / f"{Path(row.im_path).stem}.png")

    def end_to_end() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            write_variants(
                Path(out) / "variants",
                images_root=folder / "photographs",
                rows=rows,
                model_file=folder / "guide.safetensors",
                config=EnhancementConfig(epsilon=(_ONE.epsilon,), step=_STEP, objective="logit"),
                engine=engine,
            )

    gains = [
        (logit(on_device(enhanced), labels) - logit(on_device(natural), labels)).mean().item()
        for enhanced in (plain_loop(on_device, natural, labels, _ONE), *shared([_ONE]))
    ]
    print(f"mean logit gain: the loop {gains[0]:.4f}, lwise {gains[1]:.4f} ({gains[1] / gains[0]:.1%})")
    plain, one = in_turns(lambda: plain_loop(on_device, natural, labels, _ONE), lambda: shared([_ONE]), rounds)
    print_ratio("one ε", plain, one, n, "goal 1.3x (GPU 4x)")
    flops = _flops(ready, engine.placed(images))
    rate = flops * (_ONE.steps + 0.5) / one.wall / 1e12
    peak = peak_tflops(engine)
    print(f"  {rate:.3f} TFLOP/s by wall time" + ("" if peak is None else f", MFU {rate / peak:.1%}"))
    plain, swept = in_turns(
        lambda: [plain_loop(on_device, natural, labels, budget) for budget in _SWEEP], lambda: shared(_SWEEP), rounds
    )
    print_ratio("a sweep", plain, swept, n, "goal 2.5x")
    print(f"  {n_gradients(_SWEEP)} gradients per image, of {sum(budget.steps for budget in _SWEEP)} one by one")
    plain, whole = in_turns(plain_end_to_end, end_to_end, rounds)
    print_ratio("end to end", plain, whole, len(rows), "goal 15x on a GPU")
    own, whole = in_turns(model_alone, end_to_end, rounds)
    print(f"  {whole.wall / own.wall:.2f}x the model's own time by wall time (goal 1.1x)")


def _flops(model: torch.nn.Module, images: Tensor) -> float:
    """Of one gradient of the batch: twice the forward pass, since the weights need none."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images[:1])
    return 2.0 * counter.get_total_flops() * len(images)


def _device_name() -> str:
    return torch.cuda.get_device_name() if preferred_device().type == "cuda" else "no GPU"


def _print_machine(engine: Engine, architecture: str, size: int, images: int, rounds: int) -> None:
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {_device_name()}, {platform.system()}"
    )
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"lwise {__version__}; {torch.get_num_threads()} threads, {engine.precision}"
    )
    print(f"{architecture} at {size} px, n = {images} images, fastest of {rounds} rounds")


if __name__ == "__main__":
    typer.run(main)
