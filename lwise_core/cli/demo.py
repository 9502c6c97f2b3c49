"""`lwise demo`: the complete pipeline on one machine, from images to participants' data and figures.

Every step is also a command of its own. Steps whose result exists are skipped, so an interrupted demo resumes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core import __version__, atomic_files
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.records import export_tables, write_study_report
from lwise_core.cli.serve import DEFAULT_PORT, serve_study
from lwise_core.cli.study_arguments import compile_with_warnings
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.enhancement_config import EnhancementConfig

MOTHS_PER_SPECIES = {"train": 200, "val": 60}
_LARGEST_SIDE, _SMALLEST_SIDE = 96, 32
_N_BUDGETS = 4
_PRESENTATIONS = 22_000
"""Training images over all epochs, for any data set: about a minute on two cores."""
_MIN_EPOCHS, _MAX_EPOCHS = 4, 40
_SETTINGS_FILE = "demo.json"


def demo(
    images: Path | None = typer.Option(
        None, help="Your own images, IMAGES/<class>/* or IMAGES/<split>/<class>/*. Default: generated moths."
    ),
    out: Path = typer.Option(Path("demo"), help="Output folder."),
    no_serve: bool = typer.Option(False, "--no-serve", help="Stop after the report instead of serving the study."),
    learners: int = typer.Option(40, min=1, max=10_000, help="Number of simulated learners."),
    seed: int = typer.Option(0, min=0, help="The same seed gives the same images, scores and trial sets."),
    port: int = typer.Option(
        DEFAULT_PORT, min=0, max=65535, help="Port of the participant's page; 0 for any free one."
    ),
) -> None:
    """Score, enhance, teach and analyse, from images to figures, on this machine.

    Simulated learners take part over HTTP and provide data for the report; then the study is served for you.

    Example: `lwise demo --images photos --no-serve`
    """
    from lwise_core.authoring.template import TaperStudy, write_taper_study
    from lwise_core.cli.enhance import enhance_images
    from lwise_core.local.server import listen

    if not no_serve:
        listen("127.0.0.1", port).close()
    _claim_folder(out, images=images, learners=learners, seed=seed)
    image_folder = images or _moths(out / "images", seed)
    rows, side = _index_images(image_folder, seed)
    epsilons = _budgets(side)
    study = TaperStudy.for_classes(len(class_names(rows)), [f"eps{epsilon:g}" for epsilon in epsilons])
    study.check_enough_images(rows)
    model, dirmap, variants = out / "guide.safetensors", out / "dirmap.csv", out / "variants"
    if not model.exists():
        _train(rows, image_folder, model, side=side, epsilon=epsilons[0] / 4, seed=seed)
    if not dirmap.exists():
        _score(rows, image_folder, model, dirmap)
    if not variants.exists():
        enhance_images(
            read_dirmap(dirmap),
            image_folder,
            model,
            variants,
            config=_enhancement(epsilons),
        )
    if not (out / "study").exists():
        write_taper_study(
            out / "study",
            study,
            read_dirmap(variants / "dirmap.csv"),
            title="Learn to tell them apart",
            stimuli_root="../variants",
            seed=seed,
        )
    _teach_learners(out / "study", out / "data", learners, seed)
    _analyse(out, seed)
    if not no_serve:
        say("Now it is your turn. Your responses are added to those of the simulated learners.")
        serve_study(out / "study", out / "data", host="127.0.0.1", port=port)
        _analyse(out, seed)


def _claim_folder(out: Path, *, images: Path | None, learners: int, seed: int) -> None:
    """Claim the output folder for a demo, or resume one with the same settings."""
    settings = {
        "images": str(images.resolve()) if images else None,
        "learners": learners,
        "seed": seed,
        "version": __version__,
    }
    text = json.dumps(settings, indent=2) + "\n"
    recorded = out / _SETTINGS_FILE
    if recorded.is_file():
        if recorded.read_text(encoding="utf-8") != text:
            raise InputError(f"{out}: holds a demo with other settings; choose another folder with --out or remove it")
        warn(f"Resuming the demo in {out}")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not a demo; choose another folder with --out")
    else:
        atomic_files.write_text(recorded, text)


def _moths(folder: Path, seed: int) -> Path:
    from lwise_core.simulation.moths import write_moths

    if not folder.exists():
        with step("Drawing four species of moths") as on_progress:
            write_moths(folder, n_per_species=MOTHS_PER_SPECIES, seed=seed, on_progress=on_progress)
    return folder


def _index_images(images: Path, seed: int) -> tuple[list[DirmapRow], int]:
    """The dirmap rows and the side of the square images: their own, limited to what two cores can train on."""
    from lwise_core.vision.image_folder import index_image_folder

    with step(f"Checking the images in {images}") as on_progress:
        index = index_image_folder(images, seed=seed, on_progress=on_progress)
    return index.rows, min(max(index.shorter_side, _SMALLEST_SIDE), _LARGEST_SIDE)


def _budgets(side: int) -> list[float]:
    """ε in descending order, each half of the previous; the first is 4 for 96 pixels, proportional to the side."""
    strongest = 2.0 ** round(math.log2(side / 24))
    return [strongest / 2**halvings for halvings in range(_N_BUDGETS)]


def _train(rows: list[DirmapRow], images: Path, model: Path, *, side: int, epsilon: float, seed: int) -> None:
    from lwise_core.cli.train import train_model
    from lwise_core.vision.training.config import TrainingConfig

    n_train = sum(row.split == "train" for row in rows)
    epochs = min(max(_PRESENTATIONS // n_train, _MIN_EPOCHS), _MAX_EPOCHS)
    # One attack step from a random start (Wong et al. 2020, https://arxiv.org/abs/2001.03994) takes two thirds of the
    # time of two: on the moths, accuracy 0.91 and 0.78 under attack in 71 s, against 0.91 and 0.81 in 100 s.
    config = TrainingConfig(size=side, epsilon=epsilon, attack_steps=1, epochs=epochs, evaluate_every=epochs, seed=seed)
    accuracy = train_model(rows, images, model, config=config, resume=True)
    say(
        f"Guide model: accuracy {accuracy.clean_accuracy:.1%}, under attack {accuracy.robust_accuracy:.1%} "
        f"(chance {accuracy.chance:.1%})"
    )


def _score(rows: list[DirmapRow], images: Path, model: Path, dirmap: Path) -> None:
    from lwise_core.vision.score_dirmap import score_dirmap

    with step("Scoring images") as on_progress:
        score_dirmap(rows, images, model, dirmap, on_progress=on_progress)


def _enhancement(epsilons: list[float]) -> EnhancementConfig:
    from lwise_core.vision.enhancement_config import EnhancementConfig

    return EnhancementConfig(epsilon=tuple(epsilons), step=epsilons[-1], objective="logit_diverge", name="eps{eps}")


def _teach_learners(study: Path, data: Path, n_learners: int, seed: int) -> None:
    """Let simulated learners take part in the served study, except those who already did."""
    from lwise_core.local.server import open_study, serving
    from lwise_core.simulation.learners import LearnerModel, take_part

    compiled = compile_with_warnings(study)
    with open_study(compiled, data) as local, serving(local.app) as server:
        say(f"The study is served at {server}")
        with step(f"Teaching {n_learners} simulated learners over HTTP") as on_progress:
            for number in range(n_learners):
                take_part(server, assignment_id=f"learner-{number}", model=LearnerModel(), seed=seed + number)
                on_progress(number + 1, n_learners)


def _analyse(out: Path, seed: int) -> None:
    export_tables(out / "data", out / "data")
    write_study_report(
        out / "data",
        out / "variants",
        out / "guide.safetensors",
        out / "report.html",
        title="Demo: teaching look-alike categories",
        seed=seed,
    )
