"""A starter study for any scored data set: control and enhancement taper with difficulty curriculum.

In one condition training starts with easy, strongly enhanced images and ends with natural ones; in the other all images
are natural. A test without feedback follows (the learning studies of Talbot et al. 2025, shortened).
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lwise_core import atomic_files
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.file_names import DIRMAP_FILE, NATURAL, PROVENANCE_FILE

_INSTRUCTIONS = Path(__file__).parent / "instructions"
_NATURAL_BLOCKS = 2
_EASIEST_FIRST, _EASIEST_LAST = 0.25, 0.85
_TRIALS_PER_TRAINING_BLOCK = 8
_TEST_TRIALS = 20
_CALIBRATION_TRIALS = 2


@dataclass(frozen=True)
class TaperStudy:
    """Design: variants from strongest to weakest, and trials per class in a training block and in the test."""

    variants: Sequence[str]
    per_class_train: int
    per_class_test: int

    @classmethod
    def for_classes(cls, n_classes: int, variants: Sequence[str]) -> TaperStudy:
        """About eight trials per training block and twenty in the test, for any number of classes."""
        return cls(
            variants=variants,
            per_class_train=max(1, round(_TRIALS_PER_TRAINING_BLOCK / n_classes)),
            per_class_test=max(2, round(_TEST_TRIALS / n_classes)),
        )

    @property
    def n_training_blocks(self) -> int:
        return len(self.variants) + _NATURAL_BLOCKS

    def check_enough_images(self, rows: Sequence[DirmapRow]) -> None:
        """Raise `InputError` if the data set is too small, naming the class and the numbers."""
        needed = {"train": self.per_class_train * self.n_training_blocks, "val": self.per_class_test}
        counts = Counter((row.split, row.class_name) for row in rows)
        for name in class_names(rows):
            for split, least in needed.items():
                if counts[split, name] < least:
                    raise InputError(
                        f"class {name!r} has {counts[split, name]} images in {split}; "
                        f"this study needs at least {least}, so add some"
                    )


def new_taper_study(folder: Path, variants: Path, *, title: str, seed: int, dry_run: bool = False) -> TaperStudy:
    """Write a study with the variants that `lwise enhance` wrote, largest epsilon first.

    Raises
    ------
    InputError
        If there are no such variants, the study's folder exists, or the data set is too small.
    """
    rows = read_dirmap(variants / DIRMAP_FILE)
    epsilons = {
        path.parent.name: epsilon
        for path in sorted(variants.glob(f"*/{PROVENANCE_FILE}"))
        if (epsilon := _epsilon(path)) is not None
    }
    if not epsilons:
        raise InputError(f"{variants}: has no enhanced variants; make some with `lwise enhance`")
    strongest_first = sorted(epsilons, key=lambda variant: -epsilons[variant])
    study = TaperStudy.for_classes(len(class_names(rows)), strongest_first)
    # A relative path lets study and variants move together.
    root = Path(os.path.relpath(variants.resolve(), folder.resolve())).as_posix()
    write_taper_study(folder, study, rows, title=title, stimuli_root=root, seed=seed, dry_run=dry_run)
    return study


def _epsilon(provenance: Path) -> float | None:
    """Epsilon of an enhanced variant; None for an off-the-shelf control, which has none."""
    try:
        content = json.loads(provenance.read_text(encoding="utf-8"))
        return None if "method" in content else float(content["epsilon"])
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{provenance}: does not give the variant's epsilon; run `lwise enhance` again") from None


def write_taper_study(
    folder: Path,
    study: TaperStudy,
    rows: Sequence[DirmapRow],
    *,
    title: str,
    stimuli_root: str,
    seed: int,
    dry_run: bool = False,
) -> None:
    """Write a new study folder: config.yaml, dirmap.csv and instructions/.

    Raises
    ------
    InputError
        If the folder exists or the data set is too small.
    """
    study.check_enough_images(rows)
    smallest_class = min(Counter(row.class_num for row in rows if row.split == "train").values())
    config = {
        "session_config": [*_training_blocks(study, smallest_class), _test_block(study)],
        "trial_config": {
            "curriculum_num_blocks": len(study.variants),
            "stimulus_duration_msec": 0,
            "choice_duration_msec": 10_000,
            "pre_choice_lockout_delay_duration_msec": 200,
            "intertrial_delay_duration_msec": 200,
            "reward_duration_msec": None,
            "incorrect_duration_msec": None,
            "correct_feedback_lockout_duration_msec": 500,
            "incorrect_feedback_lockout_duration_msec": 1_500,
            "stimulus_width_degrees": 12,
            "choice_width_degrees_default": 4,
            "query_string": "Which category is it?",
        },
        "deployment": {"seed": seed, "num_conditions": 2, "randomization_block_size": 4},
        "site": {"title": title},
        "stimuli": {"root": stimuli_root},
    }
    with atomic_files.new_folder(folder, keep=not dry_run) as new:
        atomic_files.write_text(new / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        write_dirmap(new / DIRMAP_FILE, rows)
        write_instructions(new)


def write_instructions(folder: Path) -> None:
    """Write template instruction pages."""
    shutil.copytree(_INSTRUCTIONS, folder / "instructions")


def _training_blocks(study: TaperStudy, smallest_class: int) -> list[dict[str, Any]]:
    # The images of the natural blocks are drawn before those of the curriculum.
    available = smallest_class - _NATURAL_BLOCKS * study.per_class_train
    last = max(len(study.variants) - 1, 1)
    blocks = []
    for number in range(study.n_training_blocks):
        taught: dict[str, Any] = {"variant": NATURAL}
        if number < len(study.variants):
            fraction = _EASIEST_FIRST + (_EASIEST_LAST - _EASIEST_FIRST) * number / last
            enough = min(1.0, (study.per_class_train + 0.5) / available)
            taught = {
                "variant": study.variants[number],
                "difficulty_curriculum": True,
                "max_difficulty_selection": round(max(fraction, enough), 3),
            }
        block = {
            "n_trials_per_class_train": study.per_class_train,
            "n_calibration_trials": _CALIBRATION_TRIALS if number == 1 else 0,
            "show_feedback": True,
            "conditional_trial_types": [{"control": {"variant": NATURAL}}, {"taper_curriculum": taught}],
        }
        blocks.append({f"train_{number + 1}": block})
    return blocks


def _test_block(study: TaperStudy) -> dict[str, Any]:
    return {
        "test": {
            "n_trials_per_class_val": study.per_class_test,
            "n_calibration_trials": _CALIBRATION_TRIALS,
            "show_feedback": False,
            "show_test_instructions": True,
            "trial_types": {NATURAL: {"variant": NATURAL}},
        }
    }
