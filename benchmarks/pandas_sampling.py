"""The baseline: a trial set drawn with pandas, as a scientist might in a notebook.

`DataFrame.sample` per block, class and split, one dict per trial. It reads the study's own files, follows the rules of
L-WISE as far as the two studies of the benchmark need them (no checks of the files), and shares no code with lwise.
What a scientist would prepare once (read the files, split the table by class) is done once, in `read_study`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

Trial = dict[str, Any]
Settings = dict[str, Any]
Pools = dict[tuple[str, str], pd.DataFrame]

SPLITS = ("test", "train", "val")
SHAPES = ("circle", "triangle")
_NOT_OF_A_TRIAL = {
    *("choice_names_order", "choice_names_aliases", "choice_aliases_random_shuffle", "calibration_stimuli"),
    *("shuffle_choice_order", "rotate_choice_order", "curriculum_num_blocks", "repeat_trial_type"),
    "repeat_stimulus_split",
}


@dataclass(frozen=True)
class PandasStudy:
    """The files of a study: blocks as (name, keys), the images of each (split, class) as a table."""

    trial_config: Settings
    settings: Settings
    blocks: Sequence[tuple[str, Settings]]
    pools: Pools
    classes: Sequence[str]


@dataclass(frozen=True)
class Places:
    """The classes of a session in the order of their positions, and their names."""

    classes: Sequence[str]
    names: Sequence[str]


def read_study(folder: Path) -> PandasStudy:
    """Read `config.yaml` and `dataset_dirmap.csv`."""
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    dirmap = pd.read_csv(folder / "dataset_dirmap.csv")
    trial_config = config["trial_config"]
    named = {name.replace("_", " "): name for name in dirmap["class"].unique()}
    return PandasStudy(
        trial_config=trial_config,
        settings={key: value for key, value in trial_config.items() if key not in _NOT_OF_A_TRIAL},
        blocks=[(next(iter(block)), block) for block in config["session_config"]],
        pools={(str(split), str(name)): pool for (split, name), pool in dirmap.groupby(["split", "class"])},
        classes=[named[name.replace("_", " ")] for name in trial_config["choice_names_order"]],
    )


def trial_list(study: PandasStudy, condition: int, rng: np.random.Generator) -> list[Trial]:
    """All trials of one participant in the order shown, each with all of its settings."""
    places = _places(study, rng)
    images, repeat = _draw_images(study, condition, rng)
    blocks = []
    for number, (_, block) in enumerate(study.blocks):
        trials = [_image_trial(study, number, condition, image, places, rng) for image in images[number]]
        for _ in range(block.get("n_repeats_of_one_stim", 0)):
            trials.append(_image_trial(study, number, condition, repeat, places, rng))
        trials += _calibration_trials(study, number, condition, places, rng)
        rng.shuffle(trials)
        blocks.append(trials)
    trials = _exchanged([trial for block in blocks for trial in block], _marked(study, condition), rng)
    return [{"index": index, **trial} for index, trial in enumerate(trials)]


def _places(study: PandasStudy, rng: np.random.Generator) -> Places:
    """With shuffled aliases every name keeps its position, and the classes behind the names are shuffled."""
    aliases = study.trial_config.get("choice_names_aliases") or {}
    names = [aliases.get(name, name.replace("_", " ")) for name in study.classes]
    if study.trial_config.get("choice_aliases_random_shuffle"):
        return Places(list(rng.permutation(study.classes)), names)
    return Places(study.classes, names)


def _turned(study: PandasStudy, places: Places, rng: np.random.Generator) -> Places:
    if not study.trial_config.get("rotate_choice_order"):
        return places
    turn = int(rng.integers(len(places.names)))
    return Places(
        [*places.classes[turn:], *places.classes[:turn]],
        [*places.names[turn:], *places.names[:turn]],
    )


def _draw_images(
    study: PandasStudy, condition: int, rng: np.random.Generator
) -> tuple[Mapping[int, list[Trial]], Trial]:
    """The images of every block with their trial types, and the repeat image.

    First come the blocks that draw without replacement, then the curriculum blocks, from the easiest of what is left.
    """
    left = dict(study.pools)
    repeat = _draw_repeat_image(study, left, rng)
    n_easy = study.trial_config.get("curriculum_num_blocks", 0) if _follows_curriculum(study, condition) else 0
    images = {}
    for number in [*range(n_easy, len(study.blocks)), *range(n_easy)]:
        block = study.blocks[number][1]
        types = _types(block, condition)
        drawn = []
        for split in SPLITS:
            count = block.get(f"n_trials_per_class_{split}", 0)
            for name in study.classes if count else ():
                pool = left[split, name]
                if number < n_easy:
                    fraction = next(iter(types.values()))["max_difficulty_selection"]
                    chosen = pool.nsmallest(round(len(pool) * fraction), "difficulty").sample(count, random_state=rng)
                else:
                    chosen = pool.sample(count, random_state=rng)
                    left[split, name] = pool.drop(chosen.index)
                drawn.append(chosen.assign(trial_type=np.resize(rng.permutation(list(types)), count)))
        images[number] = pd.concat(drawn).to_dict("records")
    return images, repeat


def _draw_repeat_image(study: PandasStudy, left: Pools, rng: np.random.Generator) -> Trial:
    if not any(block.get("n_repeats_of_one_stim") for _, block in study.blocks):
        return {}
    split = study.trial_config.get("repeat_stimulus_split", "val")
    repeat = pd.concat([left[split, name] for name in study.classes]).sample(1, random_state=rng)
    cell = (split, str(repeat["class"].iloc[0]))
    left[cell] = left[cell].drop(repeat.index)
    return dict(repeat.iloc[0].to_dict(), trial_type="repeat_stimulus")


def _types(block: Settings, condition: int) -> Mapping[str, Settings]:
    conditional = block.get("conditional_trial_types")
    return conditional[condition] if conditional else block.get("trial_types") or {"new_stimulus": {}}


def _follows_curriculum(study: PandasStudy, condition: int) -> bool:
    return any(
        next(iter(_types(block, condition).values())).get("difficulty_curriculum", False) for _, block in study.blocks
    )


def _marked(study: PandasStudy, condition: int) -> list[int]:
    return [
        number
        for number, (_, block) in enumerate(study.blocks)
        if next(iter(_types(block, condition).values())).get("combine_and_shuffle", False)
    ]


def _image_trial(
    study: PandasStudy, number: int, condition: int, image: Trial, places: Places, rng: np.random.Generator
) -> Trial:
    overrides = _types(study.blocks[number][1], condition).get(image["trial_type"], {})
    here = _turned(study, places, rng)
    url = image["url"]
    if "bucket" in overrides:
        url = f"https://{overrides['bucket']}.s3.amazonaws.com{url.partition('.s3.amazonaws.com')[2]}"
    return {
        **_settings(study, number, condition, overrides),
        "trial_type": image["trial_type"],
        "calibration": 0,
        "class": image["class"],
        "split": image["split"],
        "im_path": image["im_path"],
        "stimulus_image_url": url,
        "difficulty": image.get("difficulty"),
        "robust_gt_logit": image["robust_gt_logit"],
        **_offer(study, here.names, here.classes.index(image["class"])),
    }


def _calibration_trials(
    study: PandasStudy, number: int, condition: int, places: Places, rng: np.random.Generator
) -> list[Trial]:
    """Circle and triangle, one of which is shown, replace two random names."""
    settings = _settings(study, number, condition, {})
    settings["stimulus_duration_msec"] = settings["calibration_stimulus_duration_msec"]
    trials = []
    for trial in range(study.blocks[number][1].get("n_calibration_trials", 0)):
        names = list(_turned(study, places, rng).names)
        for place, shape in zip(rng.choice(len(names), size=len(SHAPES), replace=False), SHAPES, strict=True):
            names[place] = shape
        shown = SHAPES[trial % len(SHAPES)]
        nothing = dict.fromkeys(("split", "im_path", "stimulus_image_url", "difficulty", "robust_gt_logit"))
        trials.append(
            {
                **settings,
                **nothing,
                "trial_type": "calibration",
                "calibration": 1,
                "class": shown,
                **_offer(study, names, names.index(shown)),
            }
        )
    return trials


def _settings(study: PandasStudy, number: int, condition: int, overrides: Settings) -> Settings:
    name, block = study.blocks[number]
    known = {*study.settings, "show_test_instructions"}
    return {
        **study.settings,
        **{key: value for key, value in block.items() if key in known},
        **{key: value for key, value in overrides.items() if key != "bucket"},
        "block": number,
        "block_name": name,
        "source_block": number,
        "condition_idx": condition,
    }


def _offer(study: PandasStudy, names: Sequence[str], right: int) -> Trial:
    bucket = study.settings["choice_image_bucket_name"]
    suffix = study.settings.get("choice_url_suffix", "_icon.png")
    return {
        "stimulus_name": names[right],
        "choice_names": list(names),
        "choice_image_urls": [f"https://{bucket}.s3.amazonaws.com/{name.replace(' ', '_')}{suffix}" for name in names],
        "i_correct_choice": right,
    }


def _exchanged(trials: list[Trial], marked: Sequence[int], rng: np.random.Generator) -> list[Trial]:
    """The trials of the marked blocks permuted among positions of equal class, trial type and split."""
    if not marked:
        return trials
    keys = pd.DataFrame(trials, columns=["block", "class", "trial_type", "split"])
    groups = keys[keys["block"].isin(marked)].groupby(["class", "trial_type", "split"], dropna=False).groups
    exchanged = list(trials)
    for places in groups.values():
        for place, from_place in zip(places, rng.permutation(places), strict=True):
            where = {name: trials[place][name] for name in ("block", "block_name")}
            exchanged[place] = {**trials[from_place], **where}
    return exchanged
