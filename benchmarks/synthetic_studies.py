"""Studies of the size and shape of two published ones, made of nothing, for machines without the published files.

Equal to the originals: numbers of classes, images per split, blocks, conditions, trial types and settings; lengths of
the names of classes, files and buckets; digits of the scores. Knows nothing of how trial sets are built or timed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import yaml

Config = dict[str, Any]
Types = Sequence[Mapping[str, Any]]

MOTHS = tuple(
    f"{number:05d}_Made_up_class_whose_name_is_as_long_as_that_of_a_species_in_{number:06d}" for number in range(4)
)
ANIMALS = (
    *("cow", "red_mouse", "toad", "lizard", "swan", "donkey", "carp", "clam"),
    *("beetle", "gecko", "worm", "louse", "wild_dog", "seal", "rabbit", "reindeer"),
)
TAPER = (
    ("8-0dot5-16-logit-diverge", 0.1),
    ("4-0dot5-8-logit-diverge", 0.25),
    ("2-0dot5-4-logit-diverge", 0.4),
    ("1-0dot5-2-logit-diverge", 0.55),
    ("0dot5-0dot5-1-logit-diverge", 0.7),
    ("0dot25-0dot5-1-logit-diverge", 0.85),
)
"""Per training block: the bucket of the enhanced images, and the share of the images, easiest first, to draw from."""


def write_moths(folder: Path) -> None:
    """4 classes of 100 + 10 images, 10 blocks, 7 conditions, difficulty curriculum, repeat image; 201 trials."""
    rng = np.random.default_rng(0)
    places = [
        (split, number, name, f"{UUID(bytes=rng.bytes(16))}.jpg")
        for split, count in {"train": 100, "val": 10}.items()
        for number, name in enumerate(MOTHS)
        for _ in range(count)
    ]
    _write(folder, _moth_config(), places, "syntha-moths4-natural", rng, scored=True)


def write_animals(folder: Path) -> None:
    """16 classes of 150 + 150 images, 3 blocks, 1 condition, 8 trial types in the last block; 350 trials."""
    rng = np.random.default_rng(0)
    numbers = iter(rng.choice(10**8, size=2 * 150 * len(ANIMALS), replace=False))
    places = [
        (split, number, name, f"SYNTH_2026_val_{next(numbers):08d}.JPEG")
        for split in ("val", "train")
        for number, name in enumerate(ANIMALS)
        for _ in range(150)
    ]
    _write(folder, _animal_config(), places, "synthetic-animals", rng, scored=False)


def _write(
    folder: Path,
    config: Config,
    places: Sequence[tuple[str, int, str, str]],
    bucket: str,
    rng: np.random.Generator,
    *,
    scored: bool,
) -> None:
    dirmap = pd.DataFrame(places, columns=["split", "class_num", "class", "file"])
    dirmap["im_path"] = dirmap["split"] + "/" + dirmap["class"] + "/" + dirmap.pop("file")
    dirmap["url"] = f"https://{bucket}.s3.amazonaws.com/" + dirmap["im_path"]
    dirmap["robust_gt_logit"] = rng.normal(8, 4, len(dirmap))
    if scored:
        dirmap["difficulty"] = rng.random(len(dirmap))
    folder.mkdir(parents=True)
    dirmap.to_csv(folder / "dataset_dirmap.csv", index=False)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _moth_config() -> Config:
    names = ("natural", "natural", "easy", "easy_shuffled", "taper", "taper_shuffled", "both")
    natural: Types = [{name: {"bucket": "syntha-moths4-natural"}} for name in names]
    tapered = [_taper_types(enhanced, easiest) for enhanced, easiest in TAPER]
    training = [
        _block(f"train_{number}", train=4, calibration=2, repeats=int(number > 1), types=types)
        for number, types in enumerate([*tapered, natural, natural], start=1)
    ]
    testing = [
        {
            **_block(f"test_{number}", val=5, calibration=2, repeats=3, types=natural),
            "show_feedback": False,
            "show_test_instructions": True,
            "bonus_usd_if_correct": 0.01,
        }
        for number in (1, 2)
    ]
    return {
        "session_config": training + testing,
        "trial_config": {
            **_common_settings("syntha-fine-grained-media"),
            "curriculum_num_blocks": len(TAPER),
            "repeat_stimulus_split": "train",
            "choice_names_order": list(MOTHS),
            "choice_names_aliases": dict(zip(MOTHS, ("Alfa", "Brio", "Cleo", "Dora"), strict=True)),
            "choice_aliases_random_shuffle": True,
            "choice_url_suffix": "_text_icon.png",
            "reward_duration_msec": None,
            "incorrect_duration_msec": None,
        },
    }


def _taper_types(enhanced: str, easiest: float) -> Types:
    """The trial type of each of the seven conditions in a training block of the taper."""
    natural = {"bucket": "syntha-moths4-natural"}
    enhanced_images = {"bucket": f"syntha-moths4-{enhanced}"}
    easy = {"difficulty_curriculum": True, "max_difficulty_selection": easiest}
    shuffled = {"combine_and_shuffle": True}
    return [
        {"natural": natural},
        {"natural": natural},
        {"easy": natural | easy},
        {"easy_shuffled": natural | easy | shuffled},
        {"taper": enhanced_images},
        {"taper_shuffled": enhanced_images | shuffled},
        {"both": enhanced_images | easy},
    ]


def _animal_config() -> Config:
    variants = ("", "-5-0dot5-10-logit", "-10-0dot5-20-logit", "-15-0dot5-30-logit", "-20-0dot5-40-logit")
    controls = ("-auto-lr", "-clahe-2", "-msrcr")
    types = {
        f"shown{variant or '-natural'}": {
            "bucket": f"synthetic-animals{variant}",
            "incorrect_duration_msec": 1000,
            "bonus_usd_if_correct": 0.02,
        }
        for variant in variants + controls
    }
    return {
        "session_config": [
            {**_block("screening", val=2), "stimulus_duration_msec": 200, "bonus_usd_if_correct": 0.0},
            {**_block("warmup", val=2), "show_test_instructions": True},
            {**_block("main", val=16, calibration=30), "trial_types": types},
        ],
        "trial_config": {
            **_common_settings("syntha-animal-media"),
            "choice_names_order": [ANIMALS[(5 * place) % len(ANIMALS)].replace("_", " ") for place in range(16)],
            "rotate_choice_order": True,
            "stimulus_duration_msec": 17,
            "bonus_usd_if_correct": 0.02,
            "reward_duration_msec": 0,
            "incorrect_duration_msec": 1000,
        },
    }


def _block(
    name: str,
    *,
    train: int = 0,
    val: int = 0,
    calibration: int = 0,
    repeats: int = 0,
    types: Types = (),
) -> Config:
    return {
        name: None,
        "n_trials_per_class_train": train,
        "n_trials_per_class_val": val,
        "n_trials_per_class_test": 0,
        "n_calibration_trials": calibration,
        "n_repeats_of_one_stim": repeats,
        **({"conditional_trial_types": list(types)} if types else {}),
    }


def _common_settings(media_bucket: str) -> Config:
    feedback = "https://syntha.s3.amazonaws.com/resources/assets/images/feedback_is"
    return {
        "show_feedback": True,
        "keypress_fj_response": False,
        "keep_stimulus_on": False,
        "shuffle_choice_order": False,
        "rotate_choice_order": False,
        "stimulus_duration_msec": 0,
        "calibration_stimulus_duration_msec": 200,
        "post_stimulus_delay_duration_msec": 0,
        "pre_choice_lockout_delay_duration_msec": 200,
        "choice_duration_msec": 10000,
        "intertrial_delay_duration_msec": 200,
        "correct_feedback_lockout_duration_msec": 500,
        "incorrect_feedback_lockout_duration_msec": 1500,
        "stimulus_width_degrees": 12,
        "choice_width_degrees_default": 4,
        "bonus_usd_if_correct": 0,
        "query_string": "Which category is most similar to the image?",
        "feedback_correct_url": f"{feedback}_correct_image.png",
        "feedback_incorrect_url": f"{feedback}_incorrect_image.png",
        "choice_image_bucket_name": media_bucket,
        "calibration_stimuli": ["circle", "triangle"],
    }
