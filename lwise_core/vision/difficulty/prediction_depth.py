"""Prediction depth: the number of layers after which a network's prediction no longer changes (Baldock et al. 2021).

A linear probe after each layer, fitted on training images, predicts the class from the layer's features. The depth of
an image is the number of layers up to the last whose probe disagrees with the network
(https://arxiv.org/abs/2106.09647, section 2). The paper's probes are nearest neighbours, which
need all features of all training images at once; linear ones (Alain & Bengio 2016, https://arxiv.org/abs/1610.01644)
are fitted exactly in one pass with a few matrices.
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
"""Relative to the features' mean variance: enough for a solution if features are constant or collinear."""
_TINY = 1e-12


@dataclass(frozen=True)
class Probes:
    """Linear classifiers after the layers of a network.

    Attributes
    ----------
    weights : layer, in the order of the forward pass -> (1 + features, classes); the first row is the intercept.
    """

    weights: Mapping[str, Tensor]


def default_layers(network: nn.Module) -> list[str]:
    """Names of the layers that get a probe by default.

    These are the blocks of the network: the parts of its sequences that have parameters, or all such parts if it has no
    sequences. The last part is excluded since it is the prediction, and so are batch normalisations, whose features
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
    """Ridge regression of the one-hot classes on each layer's features, averaged over positions.

    Parameters
    ----------
    rows : the images to fit on.
    targets : with present classes only.

    Raises
    ------
    InputError
        If an image is unreadable, or a layer does not exist or has no features.
    """
    ready = _unfolded(engine).prepared(model)
    _check(layers, model.network)
    paths = {index: images_root / row.im_path for index, row in enumerate(rows)}
    batch_size = engine.batch_size(model.description.size)
    batches = [list(paths)[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    sums = {layer: _Sums() for layer in layers}
    done = 0
    for batch in read_batches(paths, batches, size=model.description.size):
        for index, problem in batch.unreadable.items():
            raise InputError(f"{problem} (image {index + 1} of those to fit probes on); repair it")
        labels = targets.labels([rows[index] for index in batch.indices]).to(engine.device)
        one_hot = functional.one_hot(labels, len(targets.column_of)).double()
        for layer, features in _features(ready, layers, engine.placed(batch.images))[1].items():
            sums[layer].add(features, one_hot)
        done += len(batch.indices)
        if on_progress:
            on_progress(done, len(rows))
    return Probes({layer: layer_sums.solution() for layer, layer_sums in sums.items()})


def prediction_depth(model: GuideModel, probes: Probes, targets: Targets, engine: Engine) -> Measure:
    """The measure for `measure_images`: the depth of each image, 0 to the number of probes."""
    ready = _unfolded(engine).prepared(model)
    layers = list(probes.weights)

    def compute(images: Tensor, labels: Tensor) -> list[Tensor]:
        logits, features = _features(ready, layers, images)
        final = targets.columns(logits).argmax(dim=1)
        predictions = [(with_constant(features[layer]) @ probes.weights[layer]).argmax(dim=1) for layer in layers]
        return [depths(torch.stack(predictions), final).to(engine.dtype)]

    return Measure((COLUMN,), compute, model.description.size, targets)


def depths(probe_predictions: Tensor, final: Tensor) -> Tensor:
    """Depths int64 (N,) from the predictions of the probes (layers, N) and of the network (N,).

    The depth is the number of layers up to the last whose probe disagrees with the network.
    """
    disagrees = probe_predictions != final
    numbers = torch.arange(1, len(probe_predictions) + 1, device=final.device)[:, None]
    return (disagrees * numbers).amax(dim=0)


def with_constant(features: Tensor) -> Tensor:
    """(N, F) -> (N, 1 + F), with 1 in front."""
    return functional.pad(features, (1, 0), value=1.0)


class _Sums:
    """X'X and X'Y over the images so far, in float64: all that least squares needs."""

    def __init__(self) -> None:
        self._joint: Tensor | None = None

    def add(self, features: Tensor, one_hot: Tensor) -> None:
        x = with_constant(features)
        joint = x.T @ torch.cat([x, one_hot], dim=1)
        self._joint = joint if self._joint is None else self._joint + joint

    def solution(self) -> Tensor:
        assert self._joint is not None  # noqa: S101 - rows are not empty
        n_weights = len(self._joint)
        xx, xy = self._joint[:, :n_weights], self._joint[:, n_weights:]
        n_images = xx[0, 0]
        variances = xx.diagonal()[1:] / n_images - (xx[0, 1:] / n_images).square()
        penalty = (_RIDGE * n_images * variances.mean()).clamp_min(_TINY).repeat(n_weights)
        penalty[0] = 0.0  # the intercept is not penalised
        weights: Tensor = torch.linalg.solve(xx + penalty.diag(), xy)
        return weights


def _unfolded(engine: Engine) -> Engine:
    """An engine that neither folds nor compiles, which would remove the layers that get probes."""
    return replace(engine, folds=False, compiles=False)


def _parts(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, part in module.named_children():
        if isinstance(part, nn.Sequential | nn.ModuleList):
            yield from _parts(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


def _check(layers: Sequence[str], network: nn.Module) -> None:
    known = [name for name, _ in network.named_modules() if name]
    if unknown := [layer for layer in layers if layer not in known]:
        raise InputError(f"--layer is {unknown[0]!r}; the layers of the model are {', '.join(known)}")


def _features(model: nn.Module, layers: Sequence[str], images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The logits, and each layer's features as float64 (N, F)."""
    features: dict[str, Tensor] = {}
    with torch.inference_mode(), _recording(model.get_submodule("network"), layers, features):
        logits = model(images)
    if missing := [layer for layer in layers if layer not in features]:
        raise InputError(f"layer {missing[0]} of the model has no features; choose others with --layer")
    return logits, features


@contextmanager
def _recording(network: nn.Module, layers: Sequence[str], features: dict[str, Tensor]) -> Iterator[None]:
    def hook_for(layer: str) -> Callable[[nn.Module, object, object], None]:
        def record(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim > 1:
                features[layer] = _pooled(output).double()

        return record

    hooks = [network.get_submodule(layer).register_forward_hook(hook_for(layer)) for layer in layers]
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
