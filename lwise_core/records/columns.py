"""The columns of `trials.csv` and `sessions.csv`: names, types and meanings. Measured ones come from the wire schema.

`tables` takes the types from here and the report prints the descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lwise_core.wire_schema import ANSWER, CHOICE, FRAME_LOG, SIZES, SURROUNDINGS, Field

Kind = Literal["text", "whole", "number", "flag", "list"]
"""What a cell holds: text, a whole number, any number, true or false, or a list (JSON text in CSV)."""

DTYPES: dict[Kind, str] = {
    "text": "string",
    "whole": "Int64",
    "number": "Float64",
    "flag": "boolean",
    "list": "object",
}
"""The pandas type of each kind; all of them can hold a missing value."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    unit : of a number, e.g. ``ms``; empty for counts, indices and text.
    nullable : whether a cell may be empty.
    later : whether records of the first version lack it; their cells are empty.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    nullable: bool = False
    later: bool = False

    @property
    def may_be_empty(self) -> bool:
        """Whether a table with an empty cell is accepted."""
        return self.nullable or self.later


def _whole(name: str, description: str, unit: str = "", *, nullable: bool = False) -> Column:
    return Column(name, "whole", description, unit, nullable)


def _number(name: str, description: str, unit: str = "", *, nullable: bool = False) -> Column:
    return Column(name, "number", description, unit, nullable)


def _text(name: str, description: str, unit: str = "", *, nullable: bool = False) -> Column:
    return Column(name, "text", description, unit, nullable)


def _flag(name: str, description: str, *, nullable: bool = False) -> Column:
    return Column(name, "flag", description, "", nullable)


def _measured(fields: Iterable[Field]) -> Iterator[Column]:
    """The columns of fields that the page measures."""
    for field in fields:
        kind: Kind = "text" if field.kind == "time" else field.kind
        yield Column(field.name, kind, field.description, field.unit, field.nullable, field.later)


_TRIAL_COLUMNS: Sequence[Column] = (
    _text("participant", "Pseudonym of the participant"),
    _whole("obs", "Index of the trial in the session, from 0"),
    _whole("block", "Index of the block in which the trial was shown, from 0"),
    _text("block_name", "Name of that block in config.yaml; its number where trials were given one by one"),
    _whole("source_block", "Index of the block whose settings the trial has; another one after combine_and_shuffle"),
    _whole("condition_idx", "Condition of the participant, from 0"),
    _text(
        "trial_type",
        "Name of the trial type in config.yaml; `calibration` for an attention check, `repeat_stimulus` for the image "
        "that comes back",
    ),
    _text("split", "Machine-learning split of the image", nullable=True),
    _text("class", "True class of the image, or the shape of an attention check"),
    _text("im_path", "Path of the image inside any variant", nullable=True),
    _text("variant", "Variant or S3 bucket that was shown, e.g. natural or eps4", nullable=True),
    _number("variant_epsilon", "L2 budget of that variant; empty if it has none", "pixels in [0, 1]", nullable=True),
    _text(
        "variant_method",
        "Objective that was raised in it (or `lowered`), or the method of an off-the-shelf control; empty if not known",
        nullable=True,
    ),
    _text("variant_model_sha256", "SHA-256 of the guide model's file; empty if none or not known", nullable=True),
    _text("variant_lwise_version", "Version of lwise that made the variant; empty if not known", nullable=True),
    _whole("calibration", "1 for an attention check (a plain shape), else 0"),
    _flag(
        "show_feedback",
        "Whether the participant saw the correct answer: true in training, false in a test",
    ),
    _text("stimulus_name", "Name that stood for the class on the participant's screen"),
    _text("choice_name", "Name that was chosen; empty if the deadline passed", nullable=True),
    Column("choice_names", "list", "Names offered, in the order of their places on the screen"),
    *_measured((CHOICE,)),
    _whole("i_correct_choice", "Index of the correct choice in choice_names"),
    _whole("perf", "1 if the choice was correct, else 0 (also after a missed deadline)"),
    *_measured(ANSWER),
    _text("stimulus_image_url", "Address of the image; empty for an attention check", nullable=True),
    _number("difficulty", "0 (easiest image) to 1 (hardest); empty if not scored", nullable=True),
    _number("robust_gt_logit", "Guide model's logit of the true class; empty if not scored", nullable=True),
    _number("stimulus_duration_msec", "Requested duration of the image; 0: until the response", "ms"),
    _flag("keep_stimulus_on", "Whether the image stays while the choices are shown"),
    _number("post_stimulus_delay_duration_msec", "Blank between image and choices", "ms"),
    _number("pre_choice_lockout_delay_duration_msec", "Time in which the choices do not respond yet", "ms"),
    _number("choice_duration_msec", "Deadline for the response", "ms"),
    *_measured((*SIZES, *SURROUNDINGS, *FRAME_LOG)),
    _number("bonus_usd_if_correct", "Bonus for a correct answer", "USD"),
    _text("query_string", "Question on the screen", nullable=True),
    _whole("trial_number", "obs + 1"),
    _whole("trialset_id", "Trial set of the participant"),
    _text("platform", "Where the participant came from, e.g. prolific or inperson"),
)

_LATER = ("variant_epsilon", "variant_method", "variant_model_sha256", "variant_lwise_version")
TRIAL_COLUMNS: Sequence[Column] = tuple(
    replace(column, later=column.later or column.name in _LATER) for column in _TRIAL_COLUMNS
)

PLATFORM_IDS = frozenset({"assignment_id", "worker_id"})
"""What a platform knows a person by: stays in sessions.csv, so that trials.csv can be shared."""

SESSION_COLUMNS: Sequence[Column] = (
    _text("participant", "Pseudonym of the participant"),
    _text("platform", "Where the participant came from, e.g. prolific or inperson"),
    _text("assignment_id", "The platform's id of this session: do not publish"),
    _text("worker_id", "The platform's id of the person: do not publish", nullable=True),
    _text("study_id", "The platform's id of the study", nullable=True),
    _whole("trialset_id", "Trial set of the participant"),
    _whole("condition_idx", "Condition of the participant, from 0"),
    _text(
        "state",
        "started; completed; screened_out; abandoned: left, and not allowed to resume; restarted: left, and started "
        "over as another session",
    ),
    _flag(
        "holds_slot",
        "Whether the session has its place in the plan of conditions; false after its lease ran out and someone else "
        "got the place, and on the platform test",
    ),
    _text("released", "What the platform said when it gave the place back: returned or timed_out", nullable=True),
    _text("started_at", "When the session was opened", "ISO 8601 UTC"),
    _text("finished_at", "When the session ended; empty if it did not", "ISO 8601 UTC", nullable=True),
    _whole("n_trials", "Trials in the trial set"),
    _whole("n_stored", "Trials that were answered and stored"),
    _whole("n_correct", "Right answers in the test (in all main trials if there is no test)"),
    _number("accuracy", "n_correct as a share of the same trials; empty before the first", nullable=True),
    _number("bonus_usd", "Bonus earned; 0 unless completed", "USD"),
)
