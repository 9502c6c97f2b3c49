"""Small synthetic studies: participants and their answers, as the records that a server stores.

Answers are written as text, one letter per trial: `1` right, `0` wrong, `-` no answer before the deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from lwise_core.records.tables import sessions_table, trials_table

Record = dict[str, Any]
CLASSES = ("ajax", "eris")
TRIAL_TYPES = ("control", "taper", "enhanced", "selected", "both", "shuffled", "cartoon")
ASSIGNMENT_ID, WORKER_ID = "5f3c-assignment", "A1WORKER9"


@dataclass(frozen=True)
class Person:
    """A participant: training first, then attention checks, then the test."""

    name: str
    condition: int = 0
    training: str = ""
    checks: str = ""
    test: str = ""
    state: str = "completed"
    platform: str = "inperson"


def study(people: Iterable[Person]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of trials and sessions."""
    everyone = list(people)
    trials = [trial for person in everyone for trial in trial_records(person)]
    return trials_table(trials), sessions_table([session_record(person) for person in everyone])


def trial_records(person: Person) -> list[Record]:
    phases = [("training", letter) for letter in person.training]
    phases += [("check", letter) for letter in person.checks]
    phases += [("test", letter) for letter in person.test]
    return [trial_record(person, obs, phase, letter) for obs, (phase, letter) in enumerate(phases)]


def reaction_msec(obs: int) -> float:
    """600, 700, 800, 900, 1000 and again."""
    return 600.0 + 100 * (obs % 5)


def trial_record(person: Person, obs: int, phase: str = "training", letter: str = "1") -> Record:
    """Every known column; a trial starts every two seconds."""
    is_check, answered = phase == "check", letter != "-"
    i_correct = obs % len(CLASSES)
    i_choice = None if not answered else i_correct if letter == "1" else 1 - i_correct
    return {
        "participant": person.name,
        "obs": obs,
        "block": ("training", "check", "test").index(phase),
        "block_name": phase,
        "source_block": ("training", "check", "test").index(phase),
        "condition_idx": person.condition,
        "trial_type": "calibration" if is_check else "natural" if phase == "test" else TRIAL_TYPES[person.condition],
        "split": None if is_check else "train",
        "class": "circle" if is_check else CLASSES[i_correct],
        "im_path": None if is_check else f"train/{CLASSES[i_correct]}/{obs:03d}.png",
        "variant": None if is_check else "natural",
        "variant_epsilon": None,
        "variant_method": None,
        "variant_model_sha256": None,
        "variant_lwise_version": None,
        "calibration": int(is_check),
        "show_feedback": phase != "test",
        "stimulus_name": CLASSES[i_correct],
        "choice_name": None if i_choice is None else CLASSES[i_choice],
        "choice_names": list(CLASSES),
        "i_choice": i_choice,
        "i_correct_choice": i_correct,
        "perf": int(letter == "1"),
        "reaction_time_msec": reaction_msec(obs) if answered else None,
        "rel_timestamp_response": 2000 * obs + reaction_msec(obs) if answered else None,
        "timestamp_start": "2026-03-01T10:00:00.000+00:00",
        "response_device": "key" if answered else None,
        "stimulus_image_url": None if is_check else f"stimuli/{obs:03d}.png",
        "difficulty": None if is_check else 0.25,
        "robust_gt_logit": None if is_check else 3.5,
        "stimulus_duration_msec": 500,
        "keep_stimulus_on": False,
        "post_stimulus_delay_duration_msec": 0,
        "pre_choice_lockout_delay_duration_msec": 16.7,
        "choice_duration_msec": 10_000,
        "stimulus_width_px": 300,
        "choice_width_px": 120,
        "monitor_width_px": 1440,
        "monitor_height_px": 900,
        "window_width_px": 1440,
        "window_height_px": 820,
        "full_screen": obs % 2 == 0,
        "focus_losses": 0,
        "px_per_degree": None if is_check else 37.5,
        "viewing_distance_mm": None if is_check else 570.5,
        "refresh_rate_hz": 59.94,
        "stimulus_requested_frames": 30,
        "stimulus_achieved_frames": None if is_check else 30,
        "stimulus_requested_msec": None if is_check else 500.5,
        "stimulus_achieved_msec": None if is_check else 500.25,
        "blank_requested_frames": 0,
        "blank_achieved_frames": 0,
        "dropped_frames": 0,
        "timing_ok": True,
        "bonus_usd_if_correct": 0.05,
        "query_string": "Which moth is it?",
        "trial_number": obs + 1,
        "trialset_id": 7,
        "platform": person.platform,
    }


def session_record(person: Person) -> Record:
    answers = person.training + person.test
    is_completed = person.state == "completed"
    return {
        "participant": person.name,
        "platform": person.platform,
        "assignment_id": f"{ASSIGNMENT_ID}-{person.name}",
        "worker_id": f"{WORKER_ID}-{person.name}",
        "study_id": None,
        "trialset_id": 7,
        "condition_idx": person.condition,
        "state": person.state,
        "holds_slot": True,
        "released": None,
        "started_at": "2026-03-01T09:58:00.000+00:00",
        "finished_at": "2026-03-01T10:20:00.000+00:00" if is_completed else None,
        "n_trials": len(answers + person.checks) if is_completed else 40,
        "n_stored": len(answers + person.checks),
        "n_correct": person.test.count("1"),
        "accuracy": person.test.count("1") / len(person.test) if person.test else None,
        "bonus_usd": 0.35,
    }


def learners(condition: int, probability: float, *, n: int, n_training: int = 24, n_test: int = 16) -> list[Person]:
    """`n` people whose answers are right with a probability of their own around `probability`; seeded."""
    random = np.random.default_rng((condition, n))

    def answers(chance_of_right: float, length: int) -> str:
        return "".join("1" if right else "0" for right in random.random(length) < chance_of_right)

    own = np.clip(random.normal(probability, 0.08, n), 0.02, 0.98)
    return [
        Person(
            f"c{condition}p{number}",
            condition=condition,
            training=answers(right, n_training),
            checks="11",
            test=answers(right, n_test),
        )
        for number, right in enumerate(own)
    ]


def write_variants(
    root: Path,
    *,
    classes: tuple[str, ...] = CLASSES,
    epsilons: tuple[float, ...] = (1.0, 4.0),
    scored: bool = True,
    n_per_class: int = 4,
) -> Path:
    """A folder of variants as `lwise enhance` writes it: real images, provenance, measured logits and the dirmap."""
    paths = [f"train/{name}/{number:03d}.png" for name in classes for number in range(n_per_class)]
    random = np.random.default_rng(0)
    natural = {path: random.integers(40, 200, (16, 16, 3), dtype=np.uint8) for path in paths}
    _write_images(root / "natural", natural)
    for epsilon in epsilons:
        folder = root / f"eps{epsilon:g}"
        _write_images(folder, {path: pixels + np.uint8(4 * epsilon) for path, pixels in natural.items()})
        _write_measurements(folder, paths, epsilon)
    scores = np.linspace(0, 1, len(paths))
    numbers = np.repeat(range(len(classes)), n_per_class)
    table = pd.DataFrame({"split": "train", "class": np.repeat(classes, n_per_class), "class_num": numbers})
    table = table.assign(im_path=paths)
    if scored:
        table = table.assign(robust_gt_logit=4 - 3 * scores, difficulty=scores)
    table.to_csv(root / "dirmap.csv", index=False)
    return root


def _write_images(folder: Path, images: dict[str, np.ndarray]) -> None:
    for path, pixels in images.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / path)


def _write_measurements(folder: Path, paths: list[str], epsilon: float) -> None:
    gain = epsilon * np.linspace(0.5, 1.5, len(paths))
    measured = {"im_path": paths, "logit_natural": 1.0, "logit_enhanced": 1.0 + gain, "l2": 0.99 * epsilon}
    pd.DataFrame(measured).to_csv(folder / "enhanced.csv", index=False)
    provenance = (
        f'{{"epsilon": {epsilon}, "step": 0.5, "steps": 8, "objective": "logit", "model_sha256": "{"0a" * 32}", '
        '"package_version": "0.1.0", "seed": 3}'
    )
    (folder / "provenance.json").write_text(provenance, encoding="utf-8")
