"""config.yaml: what a researcher wrote wrongly is said plainly, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.experiments.config import StudyConfig, read_config

_BLOCK = "session_config:\n  - train_1: {n_trials_per_class_train: 2}\n"


def _read(folder: Path, text: str) -> StudyConfig:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def _message(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as refusal:
        _read(folder, text)
    return str(refusal.value)


# --- what may be written


def test_a_block_may_be_written_as_in_the_published_studies_or_nested(tmp_path: Path) -> None:
    published = """
session_config:
  - train_1:
    n_trials_per_class_train: 4
    show_feedback: false
    trial_types: {taught: {variant: eps8, choice_duration_msec: 500}}
"""
    nested = """
session_config:
  - train_1:
      n_trials_per_class_train: 4
      show_feedback: false
      trial_types: {taught: {variant: eps8, choice_duration_msec: 500}}
"""
    assert _read(tmp_path, published) == _read(tmp_path, nested)
    (block,) = _read(tmp_path, published).session_config
    assert (block.name, block.n_trials_per_class_train) == ("train_1", 4)


def test_only_what_is_written_overrides(tmp_path: Path) -> None:
    config = _read(tmp_path, "session_config: [{test: {show_feedback: true, trial_types: {a: {}}}}]")
    (block,) = config.session_config
    assert block.written_settings == {"show_feedback": True}
    assert block.trial_types is not None
    assert block.trial_types["a"].written_settings == {}


def test_what_is_written_in_another_yaml_type_counts_as_what_it_means(tmp_path: Path) -> None:
    """A quoted "off" is a true value to Python; taken as it stands, it would give feedback in a test."""
    config = _read(
        tmp_path,
        """session_config: [{test: {show_feedback: "off", trial_types: {a: {stimulus_duration_msec: "200"}}}}]""",
    )
    (block,) = config.session_config
    assert block.written_settings == {"show_feedback": False}
    assert block.trial_types is not None
    assert block.trial_types["a"].written_settings == {"stimulus_duration_msec": 200}


# --- what may not: each with the words that the message must have


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the file as a whole
        ("", ["expected a mapping"]),
        ("- a\n- b\n", ["expected a mapping", "['a', 'b']"]),
        ("session_config: [", ["not a YAML file"]),
        ("site:\n  title: one\n  title: two", ["key 'title' stands twice in one place, the second time in line 3"]),
        ("site: {title: a}\nsite: {title: b}", ["key 'site' stands twice", "line 2"]),
        ("site: {title: 2026-02-31}", ["not a YAML file"]),
        ("trial_config: {}", ["session_config: is missing"]),
        ("session_config: []", ["session_config", "at least 1"]),
        ("session_config: {train_1: {}}", ["session_config", "list"]),
        # blocks
        ("session_config: [train_1]", ["block 0", "begins with the block's name", "'train_1'"]),
        ("session_config: [{train_1: 5}]", ["block 'train_1'", "train_1': 5", "expected the block's name"]),
        ("session_config: [{train_1: [a]}]", ["block 'train_1'", "expected the block's name"]),
        ("session_config: [{show_feedback: true}]", ["'show_feedback': True", "expected the block's name"]),
        ("session_config: [{train_1: {name: other}}]", ["block 'train_1'", "unknown key 'name'"]),
        ("session_config: [{train_1: {settings: {}}}]", ["block 'train_1', settings: unknown key"]),
        ("session_config: [{1: {}}]", ["block 1, name", "string", "(found 1)"]),
        ("session_config: [{train_1: {2: 3}}]", ["block 'train_1', 2", "should be strings"]),
        ("session_config: [{a: {n_trials_per_class_train: -1}}]", ["n_trials_per_class_train", "or equal to 0", "-1"]),
        ("session_config: [{a: {n_trials_per_class_train: 1.5}}]", ["n_trials_per_class_train", "integer", "1.5"]),
        ("session_config: [{a: {n_trials_per_class_train: four}}]", ["n_trials_per_class_train", "integer", "'four'"]),
        ("session_config: [{a: {n_trials_per_class_trian: 4}}]", ["did you mean n_trials_per_class_train?"]),
        ("session_config: [{a: {class_balanced: false}}]", ["block 'a'", "class_balanced is false"]),
        ("session_config: [{a: {show_feedback: maybe}}]", ["block 'a', show_feedback", "boolean", "'maybe'"]),
        ("session_config: [{a: {show_feedback: null}}]", ["block 'a', show_feedback", "boolean", "(found None)"]),
        # trial types
        ("session_config: [{a: {trial_types: {}}}]", ["block 'a', trial_types", "at least 1 item"]),
        ("session_config: [{a: {trial_types: [b]}}]", ["block 'a', trial_types", "dictionary", "['b']"]),
        ("session_config: [{a: {trial_types: {b: eps8}}}]", ["trial_types.b: expected a mapping", "'eps8'"]),
        ("session_config: [{a: {trial_types: {b: {varient: eps8}}}}]", ["trial_types.b.varient", "mean variant?"]),
        ("session_config: [{a: {trial_types: {b: {variant: 8}}}}]", ["trial_types.b.variant", "string", "(found 8)"]),
        ("session_config: [{a: {trial_types: {b: {variant: ../x}}}}]", ["trial_types.b.variant", "name of one folder"]),
        ("session_config: [{a: {trial_types: {b: {rotate_choice_order: true}}}}]", ["rotate_choice_order: unknown"]),
        ("session_config: [{a: {trial_types: {b: {}}, conditional_trial_types: [{b: {}}]}}]", ["expected one of them"]),
        ("session_config: [{a: {conditional_trial_types: [{}]}}]", ["conditional_trial_types.0", "at least 1 item"]),
        (
            "session_config: [{a: {conditional_trial_types: [{b: {}}]}}]\ndeployment: {num_conditions: 3}",
            ["block 'a'", "has 1 entries", "one per condition, 3"],
        ),
        # the other sections
        (_BLOCK + "trial_confg: {}", ["trial_confg: unknown key; did you mean trial_config?"]),
        (_BLOCK + "trial_config: {show_feedbck: true}", ["trial_config.show_feedbck", "did you mean show_feedback?"]),
        (_BLOCK + "site: {xyz: 1}", ["site.xyz: unknown key; known are title"]),
        (_BLOCK + "trial_config: {choice_duration_msec: 0}", ["choice_duration_msec", "greater than 0", "(found 0)"]),
        (_BLOCK + "trial_config: {choice_duration_msec: .nan}", ["choice_duration_msec", "nan"]),
        (_BLOCK + "trial_config: {stimulus_duration_msec: .inf}", ["stimulus_duration_msec", "600000", "inf"]),
        (_BLOCK + "trial_config: {max_difficulty_selection: 1.5}", ["max_difficulty_selection", "equal to 1", "1.5"]),
        (_BLOCK + "trial_config: {calibration_stimuli: [square]}", ["calibration_stimuli", "circle", "square"]),
        (_BLOCK + "trial_config: {choice_names_order: a}", ["choice_names_order", "list", "'a'"]),
        (_BLOCK + "deployment: {num_conditions: 0}", ["deployment.num_conditions", "or equal to 1", "(found 0)"]),
        (
            _BLOCK + "deployment: {num_conditions: 2, randomization_block_size: 3}",
            ["deployment", "randomization_block_size is 3", "multiple of num_conditions = 2"],
        ),
        (_BLOCK + "deployment: {seed: abc}", ["deployment.seed", "integer", "'abc'"]),
        (_BLOCK + "deployment:", ["deployment: expected a mapping", "(found None)"]),
    ],
)
def test_a_mistake_is_named_with_its_place_the_value_and_what_is_expected(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    message = _message(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'config.yaml'}: ")
    assert [words for words in expected if words not in message] == [], message


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    message = _message(
        tmp_path,
        """
session_config:
  - train_1: {show_feedback: maybe, n_calibration_trials: -2}
  - train_2: {trial_types: {taught: {choice_duration_msec: soon}}}
trial_config: {stimulus_width_degrees: 0}
deployment: {nmu_conditions: 2}
""",
    )
    for place in (
        "block 'train_1', show_feedback",
        "block 'train_1', n_calibration_trials",
        "block 'train_2', trial_types.taught.choice_duration_msec",
        "trial_config.stimulus_width_degrees",
        "deployment.nmu_conditions",
    ):
        assert f"{place}: " in message
    assert "\n" not in message


def test_every_block_that_forgets_a_condition_is_named(tmp_path: Path) -> None:
    blocks = ", ".join(f"{{{name}: {{conditional_trial_types: [{{t: {{}}}}]}}}}" for name in "ab")
    message = _message(tmp_path, f"session_config: [{blocks}]\ndeployment: {{num_conditions: 2}}")
    assert "block 'a'" in message
    assert "block 'b'" in message


@pytest.mark.parametrize("name", ["nowhere/config.yaml", "file/config.yaml", "."])
def test_a_config_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be read .*a study folder holds config\.yaml"):
        read_config(tmp_path / name)


def test_a_config_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(InputError, match="not a YAML file"):
        read_config(tmp_path / "config.yaml")
