"""Prediction depth: after how many layers it is settled what the network will say (Baldock et al. 2021).

A linear probe after each layer, fitted on training images, says which class an image is from the layer's features. The
depth of an image is the number of layers before the first from which on all probes agree with the network itself
(https://arxiv.org/abs/2106.09647, section 2). The paper's probes are nearest neighbours, which need all features of all
training images at once; linear ones (Alain & Bengio 2016, https://arxiv.org/abs/1610.01644) are fitted exactly in one
pass that keeps a few matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.per_image import Measure
from lwise_core.vision.reading import read_batches
from lwise_core.vision.targets import Targets

COLUMN = "prediction_depth"

_RIDGE = 1e-3
"""Of the features' mean variance: enough for the solution to exist where features are constant or repeat each other."""
_TINY = 1e-12


@dataclass(frozen=True)
class Probes:
    """Linear classifiers after the layers of a network.

    Attributes
    ----------
    weights : layer, in the order of the forward pass -> (1 + features, classes), the first row for the constant.
    """

    weights: Mapping[str, Tensor]


def layers_of(network: nn.Module) -> list[str]:
    """The names of the layers that probes are put after by default.

    The blocks of the network, which are the parts of its sequences that have parameters; of a network without sequences
    all such parts. Not the last part, which says what the network says, and no batch normalisations, whose features
    tell a linear probe nothing new.
    """
    parts = [(name, part) for name, part in _parts(network, "") if any(True for _ in part.parameters())]
    candidates = [name for name, part in parts[:-1] if not isinstance(part, nn.BatchNorm2d)]
    return [name for name in candidates if "." in name] or candidates


def fit_probes(
    model: GuideModel,
    rows: Sequence[DirmapRow],
    *,
    images_root: Path,
    targets: Targets,
    engine: Engine,
    layers: Sequence[str],
    on_progress: OnProgress | None = None,
) -> Probes:
    """Ridge regression of the classes (1 and 0) on each layer's features, its mean over all positions.

    Parameters
    ----------
    rows : the images to fit on.
    targets : of present classes only.

    Raises
    ------
    InputError
        If an image cannot be read, or a layer is none that has features.
    """
    ready = _unfolded(engine).prepared(model)
    _check(layers, model.network)
    paths = {index: images_root / row.im_path for index, row in enumerate(rows)}
    at_once = engine.batch_size(model.description.size)
    batches = [list(paths)[first : first + at_once] for first in range(0, len(rows), at_once)]
    sums = {layer: _Sums() for layer in layers}
    done = 0
    for batch in read_batches(paths, batches, size=model.description.size):
        for index, why in batch.unreadable.items():
            raise InputError(f"{why} (image {index + 1} of those that probes are fitted on); mend it")
        labels = targets.labels([rows[index] for index in batch.indices]).to(engine.device)
        is_class = functional.one_hot(labels, len(targets.column_of)).double()
        for layer, features in _features(ready, layers, engine.placed(batch.images))[1].items():
            sums[layer].add(features, is_class)
        done += len(batch.indices)
        if on_progress:
            on_progress(done, len(rows))
    return Probes({layer: of_layer.solution() for layer, of_layer in sums.items()})


def prediction_depth(model: GuideModel, probes: Probes, targets: Targets, engine: Engine) -> Measure:
    """What `measure_images` computes: the depth of each image, 0 to the number of probes."""
    ready = _unfolded(engine).prepared(model)
    layers = list(probes.weights)

    def compute(pictures: Tensor, labels: Tensor) -> list[Tensor]:
        logits, features = _features(ready, layers, pictures)
        final = targets.columns(logits).argmax(dim=1)
        said = [(with_constant(features[layer]) @ probes.weights[layer]).argmax(dim=1) for layer in layers]
        return [depths(torch.stack(said), final).to(engine.dtype)]

    return Measure((COLUMN,), compute, model.description.size, targets)


def depths(said: Tensor, final: Tensor) -> Tensor:
    """From what each probe says (layers, N) and the network (N,) to the depths: int64 (N,), 0 to the number of layers.

    The number of layers up to the last whose probe disagrees with the network.
    """
    disagrees = said != final
    numbers = torch.arange(1, len(said) + 1, device=said.device)[:, None]
    return (disagrees * numbers).amax(dim=0)


def with_constant(features: Tensor) -> Tensor:
    """(N, F) -> (N, 1 + F), the first 1."""
    return functional.pad(features, (1, 0), value=1.0)


class _Sums:
    """X'X and X'Y over the images so far, in float64: all that the least squares need."""

    def __init__(self) -> None:
        self._joint: Tensor | None = None

    def add(self, features: Tensor, is_class: Tensor) -> None:
        x = with_constant(features)
        joint = x.T @ torch.cat([x, is_class], dim=1)
        self._joint = joint if self._joint is None else self._joint + joint

    def solution(self) -> Tensor:
        assert self._joint is not None  # noqa: S101 - there were images
        n_weights = len(self._joint)
        of_features, of_classes = self._joint[:, :n_weights], self._joint[:, n_weights:]
        n_images = of_features[0, 0]
        variances = of_features.diagonal()[1:] / n_images - (of_features[0, 1:] / n_images).square()
        penalty = (_RIDGE * n_images * variances.mean()).clamp_min(_TINY).repeat(n_weights)
        penalty[0] = 0.0  # the constant is not shrunk
        weights: Tensor = torch.linalg.solve(of_features + penalty.diag(), of_classes)
        return weights


def _unfolded(engine: Engine) -> Engine:
    """Folding and compiling do away with the layers that probes are put after."""
    return replace(engine, folds=False, compiles=False)


def _parts(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, part in module.named_children():
        if isinstance(part, nn.Sequential | nn.ModuleList):
            yield from _parts(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


def _check(layers: Sequence[str], network: nn.Module) -> None:
    known = [name for name, _ in network.named_modules() if name]
    if strange := [layer for layer in layers if layer not in known]:
        raise InputError(f"--layer is {strange[0]!r}; the layers of the model are {', '.join(known)}")


def _features(model: nn.Module, layers: Sequence[str], pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The logits, and each layer's features as float64 (N, F)."""
    features: dict[str, Tensor] = {}
    with torch.inference_mode(), _listening(model.get_submodule("network"), layers, features):
        logits = model(pictures)
    if silent := [layer for layer in layers if layer not in features]:
        raise InputError(f"layer {silent[0]} of the model gives no features; name others by --layer")
    return logits, features


@contextmanager
def _listening(network: nn.Module, layers: Sequence[str], features: dict[str, Tensor]) -> Iterator[None]:
    def listener(layer: str) -> Callable[[nn.Module, object, object], None]:
        def listen(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim > 1:
                features[layer] = _pooled(output).double()

        return listen

    hooks = [network.get_submodule(layer).register_forward_hook(listener(layer)) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _pooled(output: Tensor) -> Tensor:
    """(N, F, height, width) of a convolution, (N, tokens, F) of a transformer, or (N, F) -> (N, F)."""
    if output.ndim == 4:
        return output.mean(dim=(2, 3))
    return output.mean(dim=1) if output.ndim == 3 else output
