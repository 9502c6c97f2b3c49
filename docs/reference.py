"""Generate the reference pages from the code: `python docs/reference.py`.

docs/formats/records.md from the columns of the tables, docs/formats/config.md from the models of config.yaml,
docs/formats/dataset.md from the description of a data set, docs/formats/job.md from jobs and their settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from lwise_core import atomic_files
from lwise_core.authoring.config import (
    BlockConfig,
    BonusTierConfig,
    CurriculumSettings,
    Deployment,
    Domain,
    HitConfig,
    OrderSettings,
    Overridable,
    ScreeningConfig,
    Site,
    Stimuli,
    Throttle,
    TrialConfig,
    TrialSettings,
    TrialTypeConfig,
)
from lwise_core.records.columns import SESSION_COLUMNS, TRIAL_COLUMNS, Column
from lwise_core.vision.data.description import (
    DatasetDescription,
    Table,
    description_text,
    known_descriptions,
    load_dataset_description,
)
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.settings import fields_of
from lwise_core.vision.training.config import TrainingConfig
from sagemaker_jobs.container.job import Compute, Job

_FORMATS = Path(__file__).parent / "formats"


def records_page() -> str:
    """trials.csv and sessions.csv."""
    return (
        "# trials.csv and sessions.csv\n\n"
        "Written by `lwise data export`. UTF-8, comma-separated, with a header; an empty cell is a missing value;\n"
        "flags are `True` or `False`; lists are JSON. Rows are sorted by participant and trial. Further columns hold\n"
        "the trial's other [settings](config.md).\n\n"
        "## trials.csv\n\nOne row per answered trial.\n\n"
        f"{_columns_table(TRIAL_COLUMNS)}\n"
        "## sessions.csv\n\nOne row per session.\n\n"
        f"{_columns_table(SESSION_COLUMNS)}"
    )


def config_page() -> str:
    """config.yaml, section by section."""
    trial_config_only = _own_fields(TrialConfig, Overridable, OrderSettings)
    block_only = [name for name in _own_fields(BlockConfig, Overridable, OrderSettings) if name != "name"]
    return (
        "# config.yaml\n\n"
        "A YAML file in UTF-8. `session_config`, `trial_config` and `hit_config` have the keys and meaning of L-WISE,\n"
        "whose files load unchanged; `deployment`, `site` and `stimuli` are specific to this project. Every section\n"
        "except `session_config` is optional. An unknown key is an error.\n\n"
        "## Precedence\n\n"
        "The most specific setting wins: trial type, then block, then `trial_config`. In class names, spaces are the\n"
        "same as underscores. `repeat_trial_type` and `warmup_trial_type` in published files have no effect; a\n"
        "warning says so. L-WISE lets a block override only keys that are also in `trial_config`; here a block's key\n"
        "always applies, and in a file without this project's sections a warning names the keys that this changes.\n\n"
        "## session_config\n\n"
        "A list of blocks in the order shown. A block is a mapping whose first key is its name; its settings are\n"
        "beside the name, as in L-WISE's files, or below it:\n\n"
        "```yaml\n"
        "session_config:\n"
        "  - train_1:\n"
        "    n_trials_per_class_train: 4\n"
        "  - test:\n"
        "      n_trials_per_class_val: 5\n"
        "      show_feedback: false\n"
        "```\n\n"
        f"{_fields_table(BlockConfig, block_only)}\n"
        "### Trial types\n\n"
        "A trial type may override every trial setting and every key of the difficulty curriculum, and may choose\n"
        "which copy of an image is shown. Default: the copy that the block assigns to the class, else the variant\n"
        "`natural` or the image's own `url`.\n\n"
        f"{_fields_table(TrialTypeConfig, ['variant', 'bucket'])}\n"
        "## Trial settings: trial_config, a block, a trial type\n\n"
        f"{_fields_table(TrialSettings)}\n"
        "## Difficulty curriculum: trial_config, a block, a trial type\n\n"
        "Images for the blocks after the first `curriculum_num_blocks` are drawn first; curriculum blocks draw from\n"
        "the remaining ones, and may share images with each other but not with later blocks.\n\n"
        f"{_fields_table(CurriculumSettings)}\n"
        "## Order of choices: trial_config, a block\n\n"
        f"{_fields_table(OrderSettings)}\n"
        "## trial_config only\n\n"
        f"{_fields_table(TrialConfig, trial_config_only)}\n"
        "## hit_config\n\n"
        "The task on Mechanical Turk. Nothing reads these keys yet, and `lwise experiments validate` says so.\n\n"
        f"{_fields_table(HitConfig)}\n"
        "## deployment\n\n"
        f"{_fields_table(Deployment)}\n"
        "`throttle`:\n\n"
        f"{_fields_table(Throttle)}\n"
        "`domain`:\n\n"
        f"{_fields_table(Domain)}\n"
        "## site\n\n"
        f"{_fields_table(Site)}\n"
        "A tier of `bonus`:\n\n"
        f"{_fields_table(BonusTierConfig)}\n"
        "`screening`:\n\n"
        f"{_fields_table(ScreeningConfig)}\n"
        "## stimuli\n\n"
        f"{_fields_table(Stimuli)}"
    )


def dataset_page() -> str:
    """The description of a data set."""
    return (
        "# The description of a data set\n\n"
        "A YAML file in UTF-8 that says what the raw files of a data set are, and the numbers that a model of it\n"
        "needs. `--description` takes its path, or the name of one that is known; an unknown key is an error. What it\n"
        "is for: [Data sets](../datasets.md).\n\n"
        f"{_fields_table(DatasetDescription, DatasetDescription.file_keys())}\n"
        "`table`:\n\n"
        f"{_fields_table(Table)}\n"
        "## Known data sets\n\n"
        f"{_known_datasets_table()}\n"
        "`lwise dataset describe` prints one, to begin with:\n\n"
        f"```yaml\n{description_text('ham10000')}```\n"
    )


def job_page() -> str:
    """job.yaml, and the settings of work on images."""
    return (
        "# job.yaml, and the settings of work on images\n\n"
        "A YAML file in UTF-8; an unknown key is an error. What it is for: [Jobs](../jobs.md).\n\n"
        f"{_fields_table(Job)}\n"
        "`compute`:\n\n"
        f"{_fields_table(Compute)}\n"
        "## Settings\n\n"
        "For the `settings` of a job, YAML files for `--config`, and options of the same names, with hyphens\n"
        "(`epsilon` is `--eps`). ε and step lengths are L2 over the whole image, pixels in [0, 1].\n\n"
        "`train`:\n\n"
        f"{_fields_table(TrainingConfig)}\n"
        "`enhance`; the default `name` of a job is `eps{eps}`:\n\n"
        f"{_fields_table(EnhancementConfig)}\n"
        "`score`:\n\n"
        f"{_fields_table(ScoringConfig)}"
    )


PAGES = {
    _FORMATS / "records.md": records_page,
    _FORMATS / "config.md": config_page,
    _FORMATS / "dataset.md": dataset_page,
    _FORMATS / "job.md": job_page,
}


def _known_datasets_table() -> str:
    described = [load_dataset_description(name) for name in known_descriptions()]
    return _table(
        ("name", "classes", "size", "what it is"),
        ((f"`{one.name}`", f"{one.number_of_classes:,}", str(one.size), one.about) for one in described),
    )


def _columns_table(columns: Sequence[Column]) -> str:
    return _table(
        ("column", "holds", "may be empty", "meaning"),
        (
            (
                f"`{column.name}`",
                f"{column.kind}{', ' + column.unit if column.unit else ''}",
                "yes" if column.nullable else "in older data" if column.later else "",
                column.description,
            )
            for column in columns
        ),
    )


def _own_fields(model: type[BaseModel], *bases: type[BaseModel]) -> list[str]:
    inherited = {name for base in bases for name in base.model_fields}
    return [name for name in model.model_fields if name not in inherited]


def _fields_table(model: type[Any], names: Iterable[str] | None = None) -> str:
    schema, fields = TypeAdapter(model).json_schema(), _fields_of(model)
    properties, definitions = schema["properties"], schema.get("$defs", {})
    return _table(
        ("key", "holds", "default", "meaning"),
        (
            (
                f"`{name}`",
                _holds(properties[name], definitions),
                _default(fields[name]),
                " ".join((fields[name].description or "").split()),
            )
            for name in names or fields
        ),
    )


def _fields_of(model: type[Any]) -> Mapping[str, FieldInfo]:
    """Of a model, or of a dataclass with settings."""
    return model.model_fields if issubclass(model, BaseModel) else fields_of(model)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Compute):
        return "all defaults"
    return f"`{json.dumps(default.model_dump() if isinstance(default, BaseModel) else default)}`"


_PARTS = {
    "TrialTypeConfig": "trial type",
    "BonusTierConfig": "tier",
    "ScreeningConfig": "see below",
    "Throttle": "see below",
    "Domain": "see below",
    "Table": "see below",
    "Compute": "see below",
}
_HOLDS = {"boolean": "true or false", "string": "text", "integer": "whole number", "number": "number", "null": "null"}


def _holds(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a key may hold, in words, from its JSON schema."""
    if "anyOf" in schema:
        return "; or ".join(_holds(one, definitions) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return _PARTS[schema["$ref"].rpartition("/")[2]]
    kind = schema["type"]
    if kind == "array":
        return f"list of {_holds(schema['items'], definitions)}"
    if kind == "object":
        if schema["additionalProperties"] is True:
            return "mapping"
        return f"mapping of text to {_holds(schema['additionalProperties'], definitions)}"
    return _HOLDS[kind] + _range(schema)


def _range(schema: Mapping[str, Any]) -> str:
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    start = _number(low) if low is not None else f"above {_number(above)}" if above is not None else None
    if start is None:
        return ""
    if high is not None:
        return f", {start} to {_number(high)}"
    return f", {start} or more" if above is None else f", {start}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for path, page in PAGES.items():
        atomic_files.write_text(path, page())
