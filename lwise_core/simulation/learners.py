"""Simulated learners that take part in a study over HTTP, as a participant's page does.

The learner is the generalised context model (Nosofsky 1986, https://doi.org/10.1037/0096-3445.115.1.39): it remembers
every image with feedback and answers by similarity,

    P(choice c | image x)  ∝  Σ_{i remembered as c} exp(-k * d(x, x_i)),

where d is the Hellinger distance between the colour histograms of the images' centres (Swain & Ballard 1991,
https://doi.org/10.1007/BF00130487), with perceptual noise. With probability `lapse` it guesses. It knows nothing of
conditions, ε or difficulty, so a difference between conditions is a result.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Percept = NDArray[np.float64]

_TIMEOUT_SECONDS = 30
_BATCH = 10
_FRAME_RATE_HZ = 60.0
_BINS = (8, 4, 4)
_MARGIN = 0.2
_SCREEN = {
    "stimulus_width_px": 300,
    "choice_width_px": 120,
    "monitor_width_px": 1440,
    "monitor_height_px": 900,
}
_SURROUNDINGS = {
    "window_width_px": 1440,
    "window_height_px": 820,
    "full_screen": False,
    "focus_losses": 0,
    "px_per_degree": None,
    "viewing_distance_mm": None,
}


@dataclass(frozen=True)
class LearnerModel:
    """Parameters of the learner.

    Attributes
    ----------
    specificity : k above, per unit of Hellinger distance, which runs from 0 (same colours) to 1 (none in common).
    noise : standard deviation of the perceptual noise on the square root of each histogram value.
    lapse : probability of a guess.
    median_reaction_time_msec, reaction_time_spread : of the log-normal reaction time of an undecided learner; a certain
        one is up to twice as fast.
    """

    specificity: float = 25.0
    noise: float = 0.01
    lapse: float = 0.05
    median_reaction_time_msec: float = 1_800.0
    reaction_time_spread: float = 0.35


class Learner:
    """One learner with its memory and random numbers."""

    def __init__(self, model: LearnerModel, *, seed: int) -> None:
        self._model = model
        self._random = np.random.default_rng(seed)
        self._memory: dict[str, list[Percept]] = {}

    def answer(self, image: bytes, choice_names: list[str]) -> tuple[int, float]:
        """Index of the choice and the reaction time in ms."""
        seen = self._perceive(image)
        evidence = np.array([self._similarity(seen, name) for name in choice_names])
        guess = np.full(len(choice_names), 1 / len(choice_names))
        belief = evidence / evidence.sum() if evidence.sum() > 0 else guess
        probabilities = (1 - self._model.lapse) * belief + self._model.lapse * guess
        choice = int(self._random.choice(len(choice_names), p=probabilities))
        certainty = (belief.max() - guess[0]) / (1 - guess[0])
        typical = self._model.median_reaction_time_msec * (1 - certainty / 2)
        return choice, float(typical * self._random.lognormal(0, self._model.reaction_time_spread))

    def learn(self, image: bytes, name: str) -> None:
        """Remember an image with the name from the feedback."""
        self._memory.setdefault(name, []).append(self._perceive(image))

    def _perceive(self, image: bytes) -> Percept:
        """Square roots of the relative frequencies of hue, saturation and value in the centre of the image."""
        with Image.open(io.BytesIO(image)) as opened:
            margin_x, margin_y = round(opened.width * _MARGIN), round(opened.height * _MARGIN)
            box = (margin_x, margin_y, opened.width - margin_x, opened.height - margin_y)
            centre = opened.convert("HSV").crop(box)
        pixels = np.asarray(centre).reshape(-1, 3)
        counts, _ = np.histogramdd(pixels, bins=_BINS, range=[(0, 256)] * 3)
        shares = counts.ravel() / len(pixels)
        return np.sqrt(shares) + self._random.normal(0, self._model.noise, shares.shape)

    def _similarity(self, seen: Percept, name: str) -> float:
        remembered = self._memory.get(name)
        if remembered is None:
            return 0.0
        distances = np.linalg.norm(np.array(remembered) - seen, axis=1) / np.sqrt(2)
        return float(np.exp(-self._model.specificity * distances).sum())


def take_part(
    server: str,
    *,
    assignment_id: str,
    model: LearnerModel,
    seed: int,
    on_trial: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Take part once, from the first missing trial to the end; returns the server's final response.

    Raises
    ------
    httpx.HTTPStatusError
        If the server rejects a request.
    """
    learner = Learner(model, seed=seed)
    with httpx.Client(base_url=server, timeout=_TIMEOUT_SECONDS) as client:
        ids = {"platform": "simulated", "assignment_id": assignment_id}
        session = _post(client, "/api/sessions", ids)
        client.headers["Authorization"] = f"Bearer {session['token']}"
        trials = _trials(session["trialset"])
        clock_msec = 0.0
        for first in range(session["next_trial"], len(trials), _BATCH):
            responses = []
            for trial in trials[first : first + _BATCH]:
                response = _respond(client, learner, trial, clock_msec)
                clock_msec = response["rel_timestamp_response"] + trial["intertrial_delay_duration_msec"]
                responses.append(response)
                if on_trial:
                    on_trial(trial["index"] + 1, len(trials))
            _post(client, "/api/trials", {"trials": responses})
        return _post(client, "/api/finish", {})


def _trials(trialset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Expand a compact trial set to trials with all their settings, as the page does."""
    trials = []
    for index, values in enumerate(trialset["rows"]):
        row = dict(zip(trialset["columns"], values, strict=True))
        file = row["file"]
        trials.append(
            {
                **trialset["settings"],
                **trialset["kinds"][row["kind"]],
                **trialset["offers"][row["offer"]],
                **row,
                "index": index,
                "stimulus_url": None if file is None else trialset["folders"][row["folder"]] + file,
            }
        )
    return trials


def _respond(client: httpx.Client, learner: Learner, trial: Mapping[str, Any], clock_msec: float) -> dict[str, Any]:
    names = trial["choice_names"]
    if trial["shape"] is not None:
        choice, reaction_time = names.index(trial["shape"]), 900.0
    else:
        image = client.get(f"/{trial['stimulus_url']}").raise_for_status().content
        choice, reaction_time = learner.answer(image, names)
        if trial["show_feedback"]:
            learner.learn(image, names[trial["i_correct_choice"]])
    in_time = reaction_time <= trial["choice_duration_msec"]
    return {
        "index": trial["index"],
        "i_choice": choice if in_time else None,
        "reaction_time_msec": round(reaction_time, 1) if in_time else None,
        "response_device": "mouse" if in_time else None,
        "timestamp_start": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "rel_timestamp_response": round(clock_msec + min(reaction_time, trial["choice_duration_msec"]), 1),
        **_SCREEN,
        "frame_log": _frame_log(trial),
        "surroundings": _SURROUNDINGS,
    }


def _frame_log(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The frame log of a screen that shows everything as requested."""
    is_timed = trial["stimulus_duration_msec"] > 0 and not trial["keep_stimulus_on"]
    frames = _frames(trial["stimulus_duration_msec"]) if is_timed else None
    msec = None if frames is None else frames * 1000 / _FRAME_RATE_HZ
    blank = _frames(trial["post_stimulus_delay_duration_msec"])
    return {
        "refresh_rate_hz": _FRAME_RATE_HZ,
        "stimulus_requested_frames": frames,
        "stimulus_achieved_frames": frames,
        "stimulus_requested_msec": msec,
        "stimulus_achieved_msec": msec,
        "blank_requested_frames": blank,
        "blank_achieved_frames": blank,
        "dropped_frames": 0,
        "timing_ok": True,
    }


def _frames(msec: float) -> int:
    return max(1, round(msec * _FRAME_RATE_HZ / 1000)) if msec > 0 else 0


def _post(client: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
    return response
