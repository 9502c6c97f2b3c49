"""`lwise checkpoints`: download, inspect and convert third-party models."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.progress import say, step
from lwise_core.cli.study_arguments import AS_JSON, print_json
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.checkpoints.third_party import ThirdPartyCheckpoint
    from lwise_core.vision.data.description import DatasetDescription
    from lwise_core.vision.guide import Normalisation

app = typer.Typer(help="Third-party models: download, inspect, convert.", no_args_is_help=True)

_FILE = typer.Argument(help="Model file: .pt, .pth, .ckpt, .pth.tar, .safetensors.")
_ARCH = typer.Option(None, "--arch", help="Architecture, e.g. resnet50, timm/xcit_small_12_p16_224.")
_SHOWN = 6
_USUAL_SIZE = 224


class KnownNormalisation(StrEnum):
    """Known normalisations of a network's input."""

    NONE = "none"
    IMAGENET = "imagenet"


@app.command()
def inspect(file: Path = _FILE, arch: str | None = _ARCH, as_json: bool = AS_JSON) -> None:
    """Show what a model file holds: architecture, classes, normalisation, and what conversion would drop.

    Nothing in the file is run. Example: `lwise checkpoints inspect ImageNet_eps3.pt`
    """
    from lwise_core.vision.checkpoints.native import is_native, model_provenance

    report = (
        {**_native_report(file), "origin": model_provenance(file)}
        if is_native(file)
        else _open(file, arch=arch).report()
    )
    if as_json:
        print_json(report)
    else:
        _print_report(report)


@app.command()
def convert(
    file: Path = _FILE,
    out: Path = typer.Option(..., "--out", "-o", help="Where to write the guide model (.safetensors)."),
    arch: str | None = _ARCH,
    classes: Path | None = typer.Option(
        None, help="Text file with the class names in the order of the logits, one per line (default: numbers)."
    ),
    dataset: str | None = typer.Option(
        None, help="Data set that it was trained on, a name or a .yaml file; gives classes, normalisation and size."
    ),
    size: int | None = typer.Option(
        None, min=16, max=1024, help="Side of the square input images in pixels (default: the data set's, else 224)."
    ),
    normalisation: KnownNormalisation | None = typer.Option(
        None, help="Normalisation of the input, if the file does not give it."
    ),
    trust_pickle: bool = typer.Option(
        False, "--trust-pickle", help="Load the tensors of a file that holds more; nothing else in it is loaded or run."
    ),
) -> None:
    """Convert a third-party model file to a guide model that includes its normalisation.

    Example: `lwise checkpoints convert HAM10000_eps1.pt --dataset ham10000 --out ham.safetensors`
    """
    if out.suffix != ".safetensors":
        raise InputError(f"--out is {out}; expected a name that ends in .safetensors")
    if classes is not None and dataset is not None:
        raise InputError(f"--classes is {classes} and --dataset is {dataset}; give only one of them")
    names = None if classes is None else _class_names(classes)
    description = None if dataset is None else _description(dataset)

    from lwise_core.vision.checkpoints.native import is_native, save_model
    from lwise_core.vision.checkpoints.third_party import to_guide_model

    if is_native(file):
        raise InputError(f"{file}: already is a guide model; pass it to --model as it is")
    checkpoint = _open(
        file,
        arch=arch,
        trust_pickle=trust_pickle,
        normalisation=normalisation,
        of_dataset=None if description is None else description.normalisation,
    )
    report, num_classes = checkpoint.report(), checkpoint.match.num_classes
    if description is not None:
        if description.number_of_classes != num_classes:
            raise InputError(
                f"{file}: has {num_classes} logits; the data set {description.name} has "
                f"{description.number_of_classes} classes. Give the data set that it was trained on"
            )
        names, size = description.class_names, size or description.size
    guide = to_guide_model(checkpoint, classes=names, size=size or _USUAL_SIZE)
    save_model(out, guide, training={}, metrics={}, provenance=report)
    _print_report(report)
    say(
        f"{out}: {report['architecture']}, {num_classes} classes, {guide.description.size} pixels",
    )


@app.command()
def pull(
    source: str = typer.Argument(help="lwise (the models of the paper), or a URL with https."),
    out: Path | None = typer.Option(
        None, "--out", "-o", help="New folder for the files (default: named as the archive)."
    ),
    sha256: str | None = typer.Option(None, help="SHA-256 of the file, if none is recorded."),
) -> None:
    """Download published models, check and unpack them; resumes an interrupted download.

    Example: `lwise checkpoints pull lwise --sha256 SUM --out model_ckpts`
    """
    from lwise_core.download import parse_sha256
    from lwise_core.vision.checkpoints.model_zoo import file_name_of, source_of
    from lwise_core.vision.checkpoints.model_zoo import pull as pull_into

    url, expected = source_of(source, None if sha256 is None else parse_sha256(sha256))
    folder = out or Path(file_name_of(url).partition(".")[0])
    with step(f"Downloading {url}") as on_bytes:
        names = pull_into(url, folder, sha256=expected, on_bytes=on_bytes, on_files=on_bytes)
    for name in names:
        say(str(folder / name))


def _open(
    file: Path,
    *,
    arch: str | None,
    trust_pickle: bool = False,
    normalisation: KnownNormalisation | None = None,
    of_dataset: Normalisation | None = None,
) -> ThirdPartyCheckpoint:
    from lwise_core.vision.checkpoints.third_party import open_third_party

    with step(f"Reading {file}") as on_progress:
        return open_third_party(
            file,
            architecture=arch,
            trust_pickle=trust_pickle,
            normalisation=_normalisation(normalisation),
            of_dataset=of_dataset,
            on_progress=on_progress,
        )


def _normalisation(known: KnownNormalisation | None) -> Normalisation | None:
    from lwise_core.vision.guide import IMAGENET, NONE

    return None if known is None else {KnownNormalisation.NONE: NONE, KnownNormalisation.IMAGENET: IMAGENET}[known]


def _description(name_or_path: str) -> DatasetDescription:
    from lwise_core.vision.data.description import load_dataset_description

    return load_dataset_description(name_or_path)


def _class_names(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected one class name per line") from None
    names = tuple(line.strip() for line in lines)
    for number, name in enumerate(names, 1):
        if not name or name in names[: number - 1]:
            raise InputError(f"{path}: line {number} is {name!r}; expected a class name that is on no other line")
    return names


def _native_report(file: Path) -> dict[str, Any]:
    from lwise_core.vision.checkpoints.native import file_sha256, load_model, model_metrics

    model = load_model(file)
    description = model.description
    return {
        "file": file.name,
        "sha256": file_sha256(file),
        "format": "guide model of lwise",
        "architecture": description.architecture,
        "num_classes": len(description.classes),
        "classes": list(description.classes),
        "size": description.size,
        "mean": model.mean.flatten().tolist(),
        "std": model.std.flatten().tolist(),
        "metrics": model_metrics(file),
    }


def _print_report(report: dict[str, Any]) -> None:
    for name, value in report.items():
        for line in _lines(name.replace("_", " "), value):
            say(line)


def _lines(name: str, value: Any) -> Iterator[str]:
    """A line for each value, also of nested dictionaries; long lists are truncated, empty values skipped."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _lines(f"{name} {key}", item)
    elif isinstance(value, list) and len(value) > _SHOWN:
        yield f"{name}: {', '.join(map(str, value[:_SHOWN]))}, … ({len(value)} in all)"
    elif isinstance(value, list) and value:
        yield f"{name}: {', '.join(map(str, value))}"
    elif value not in (None, "", []):
        yield f"{name}: {value}"
