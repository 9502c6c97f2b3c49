"""config.yaml: all errors are reported at once, in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.authoring.config import StudyConfig
from lwise_core.authoring.config_file import effective, read_config
from lwise_core.errors import InputError

_BLOCK = "session_config:\n  - train_1: {n_trials_per_class_train: 2}\n"


def _read(folder: Path, text: str) -> StudyConfig:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path).config


def _warnings(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path).warnings


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


def test_only_keys_that_are_set_override(tmp_path: Path) -> None:
    config = _read(tmp_path, "session_config: [{test: {show_feedback: true, trial_types: {a: {}}}}]")
    (block,) = config.session_config
    assert block.written_settings == {"show_feedback": True}
    assert block.trial_types is not None
    assert block.trial_types["a"].written_settings == {}


def test_a_key_that_is_set_to_false_or_null_overrides(tmp_path: Path) -> None:
    text = """
session_config:
  - test:
      shuffle_choice_order: false
      trial_types: {a: {max_difficulty_selection: null}}
trial_config: {shuffle_choice_order: true, max_difficulty_selection: 0.5}
"""
    config = _read(tmp_path, text)
    (block,) = config.session_config
    assert block.trial_types is not None
    assert effective("shuffle_choice_order", block, config.trial_config) is False
    assert effective("max_difficulty_selection", block.trial_types["a"], block, config.trial_config) is None


def test_a_domain_may_be_longer_than_one_of_its_labels(tmp_path: Path) -> None:
    def domain(name: str) -> str:
        certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1a"
        return f"{_BLOCK}deployment: {{domain: {{name: {name}, certificate: '{certificate}'}}}}"

    name = f"{'a' * 60}.{'b' * 60}.example.edu"
    read = _read(tmp_path, domain(name)).deployment.domain
    assert read is not None
    assert read.name == name
    assert "expected a domain" in _message(tmp_path, domain(f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.example.edu"))


def test_two_tiers_of_the_bonus_cannot_have_the_same_share(tmp_path: Path) -> None:
    tiers = "site: {bonus: [{at_least: 0.8, usd: 1}, {at_least: 0.8, usd: 2}]}"
    assert "at_least is [0.8, 0.8]; expected values that increase" in _message(tmp_path, _BLOCK + tiers)


def test_yaml_types_are_coerced(tmp_path: Path) -> None:
    """A quoted "off" is truthy in Python; without coercion it would give feedback in a test."""
    config = _read(
        tmp_path,
        """session_config: [{test: {show_feedback: "off", trial_types: {a: {stimulus_duration_msec: "200"}}}}]""",
    )
    (block,) = config.session_config
    assert block.written_settings == {"show_feedback": False}
    assert block.trial_types is not None
    assert block.trial_types["a"].written_settings == {"stimulus_duration_msec": 200}


# --- what is no mistake, but worth a word


def test_an_odd_number_of_attention_checks_is_rounded_down_with_a_warning(tmp_path: Path) -> None:
    (warning,) = _warnings(tmp_path, "session_config: [{a: {n_calibration_trials: 35}}]\ndeployment: {}")
    assert warning.startswith("block 'a': n_calibration_trials is 35; ")
    assert warning.endswith("34 are run")


def test_keys_without_effect_are_named(tmp_path: Path) -> None:
    text = "session_config: [{a: {warmup_trial_type: x}}]\ntrial_config: {repeat_trial_type: y}\nsite: {}"
    assert _warnings(tmp_path, text) == (
        "trial_config: repeat_trial_type has no effect and may be omitted",
        "block 'a': warmup_trial_type has no effect and may be omitted",
    )


def test_a_block_key_that_l_wise_would_ignore_gives_a_warning(tmp_path: Path) -> None:
    """In L-WISE a block overrides only keys in trial_config; files with our sections need no warning."""
    text = "session_config: [{a: {show_fixation: true, show_test_instructions: true}}]\n"
    (warning,) = _warnings(tmp_path, text)
    assert warning.startswith("block 'a': show_fixation is not set in trial_config; L-WISE would ignore it")
    assert _warnings(tmp_path, text + "trial_config: {show_fixation: false}") == ()
    assert _warnings(tmp_path, text + "deployment: {}") == ()


# --- what may not: each with the words that the message must have


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the file as a whole
        ("", ["expected a mapping"]),
        ("- a\n- b\n", ["expected a mapping", "['a', 'b']"]),
        ("session_config: [", ["not a YAML file"]),
        ("site:\n  title: one\n  title: two", ["duplicate key 'title', the second one in line 3"]),
        ("site: {title: a}\nsite: {title: b}", ["duplicate key 'site'", "line 2"]),
        ("site: {title: 2026-02-31}", ["not a YAML file"]),
        ("session_config: []", ["session_config: expected a list of one or more blocks", "(found [])"]),
        ("session_config: {train_1: {}}", ["session_config", "list"]),
        # blocks
        ("session_config: [train_1]", ["block 0", "starts with the block's name", "'train_1'"]),
        ("session_config: [{train_1: 5}]", ["block 'train_1'", "train_1': 5", "expected the block's name"]),
        ("session_config: [{train_1: [a]}]", ["block 'train_1'", "expected the block's name"]),
        ("session_config: [{show_feedback: true}]", ["'show_feedback': True", "expected the block's name"]),
        ("session_config: [{train_1: {name: other}}]", ["block 'train_1'", "unknown key 'name'"]),
        ("session_config: [{train_1: {settings: {}}}]", ["block 'train_1', settings: unknown key"]),
        ("session_config: [{1: {}}]", ["block 1, name: expected text (found 1)"]),
        ("session_config: [{train_1: {2: 3}}]", ["block 'train_1', 2", "should be strings"]),
        (
            "session_config: [{a: {n_trials_per_class_train: -1}}]",
            ["n_trials_per_class_train: expected 0 or more", "-1"],
        ),
        (
            "session_config: [{a: {n_trials_per_class_train: 1.5}}]",
            ["n_trials_per_class_train: expected a whole number", "1.5"],
        ),
        (
            "session_config: [{a: {n_trials_per_class_train: four}}]",
            ["n_trials_per_class_train", "a whole number", "'four'"],
        ),
        ("session_config: [{a: {n_trials_per_class_trian: 4}}]", ["did you mean n_trials_per_class_train?"]),
        ("session_config: [{a: {class_balanced: false}}]", ["block 'a'", "class_balanced is false"]),
        (
            "session_config: [{a: {show_feedback: maybe}}]",
            ["block 'a', show_feedback: expected true or false", "'maybe'"],
        ),
        (
            "session_config: [{a: {show_feedback: null}}]",
            ["block 'a', show_feedback: expected true or false (found None)"],
        ),
        # trial types
        ("session_config: [{a: {trial_types: {}}}]", ["block 'a', trial_types: expected 1 or more entries (found {})"]),
        ("session_config: [{a: {trial_types: [b]}}]", ["block 'a', trial_types: expected a mapping", "['b']"]),
        ("session_config: [{a: {trial_types: {b: eps8}}}]", ["trial_types.b: expected a mapping", "'eps8'"]),
        ("session_config: [{a: {trial_types: {b: {varient: eps8}}}}]", ["trial_types.b.varient", "mean variant?"]),
        ("session_config: [{a: {trial_types: {b: {variant: 8}}}}]", ["trial_types.b.variant: expected text (found 8)"]),
        ("session_config: [{a: {trial_types: {b: {variant: ../x}}}}]", ["trial_types.b.variant", "name of one folder"]),
        ("session_config: [{a: {trial_types: {b: {rotate_choice_order: true}}}}]", ["rotate_choice_order: unknown"]),
        ("session_config: [{a: {trial_types: {b: {}}, conditional_trial_types: [{b: {}}]}}]", ["expected one of them"]),
        ("session_config: [{a: {conditional_trial_types: [{}]}}]", ["conditional_trial_types.0: expected 1 or more"]),
        (
            "session_config: [{a: {conditional_trial_types: [{b: {}}]}}]\ndeployment: {num_conditions: 3}",
            ["block 'a'", "has 1 entries", "one per condition, 3"],
        ),
        ("session_config: [{a: {trial_types: {calibration: {}}}}]", ["'calibration' is a trial type", "another name"]),
        ("session_config: [{a: {trial_types: {repeat_stimulus: {}}}}]", ["'repeat_stimulus' is a trial type"]),
        ("session_config: [{a: {trial_types: {b: {variant: v, bucket: c}}}}]", ["both variant (v) and bucket (c)"]),
        ("session_config: [{a: {trial_types: {b: {bucket: a/b}}}}]", ["trial_types.b.bucket", "name of an S3 bucket"]),
        (
            "session_config: [{a: {trial_types: {b: {combine_and_shuffle: true}, c: {}}}}]",
            ["block 'a'", "combine_and_shuffle differs between its trial types (b, c)"],
        ),
        (
            "session_config: [{a: {n_classes_per_bucket: [{b: 2}]}}]\ndeployment: {num_conditions: 2}",
            ["block 'a', n_classes_per_bucket", "has 1 entries", "one per condition, 2"],
        ),
        (
            "session_config: [{a: {n_classes_per_bucket: {b: 2}, n_classes_per_variant: {c: 2}}}]",
            ["both n_classes_per_bucket and n_classes_per_variant"],
        ),
        # keys in the wrong section
        ("session_config: [{a: {variant: eps8}}]", ["block 'a', variant", "it belongs in a trial type"]),
        ("session_config: [{a: {seed: 1}}]", ["block 'a', seed", "it belongs in deployment"]),
        (_BLOCK + "trial_config: {n_calibration_trials: 2}", ["trial_config.n_calibration_trials", "in a block"]),
        (_BLOCK + "deployment: {choice_names_aliases: {}}", ["choice_names_aliases", "belongs in trial_config"]),
        # the other sections
        (_BLOCK + "trial_confg: {}", ["trial_confg: unknown key; did you mean trial_config?"]),
        (_BLOCK + "trial_config: {show_feedbck: true}", ["trial_config.show_feedbck", "did you mean show_feedback?"]),
        (_BLOCK + "site: {xyz: 1}", ["site.xyz: unknown key; expected one of ", "title"]),
        (_BLOCK + "trial_config: {choice_duration_msec: 0}", ["choice_duration_msec: expected more than 0 (found 0)"]),
        (_BLOCK + "trial_config: {choice_duration_msec: .nan}", ["choice_duration_msec", "nan"]),
        (_BLOCK + "trial_config: {stimulus_duration_msec: .inf}", ["stimulus_duration_msec", "600000", "inf"]),
        (
            _BLOCK + "trial_config: {max_difficulty_selection: 1.5}",
            ["max_difficulty_selection: expected 1 at most", "1.5"],
        ),
        (_BLOCK + "trial_config: {calibration_stimuli: [square]}", ["calibration_stimuli", "circle", "square"]),
        (_BLOCK + "trial_config: {choice_names_order: a}", ["choice_names_order", "list", "'a'"]),
        (_BLOCK + "deployment: {num_conditions: 0}", ["deployment.num_conditions: expected 1 or more (found 0)"]),
        (
            _BLOCK + "deployment: {num_conditions: 2, randomization_block_size: 3}",
            ["deployment.randomization_block_size", "a multiple of the number of conditions, 2 (found 3)"],
        ),
        (
            "session_config: [{a: {conditional_trial_types: [{b: {}}, {b: {}}]}}]\n"
            "deployment: {randomization_block_size: 3}",
            ["deployment.randomization_block_size", "a multiple of the number of conditions, 2 (found 3)"],
        ),
        (
            _BLOCK + "deployment: {alternate_within_blocks: true, fully_random_group_assignment: true}",
            ["deployment", "alternate_within_blocks and fully_random_group_assignment are both true"],
        ),
        (
            _BLOCK + "deployment: {num_conditions: 2, num_trialsets: 7}",
            ["deployment.num_trialsets: expected a multiple of 2", "(found 7)"],
        ),
        (
            _BLOCK + "deployment: {num_conditions: 2, randomization_block_size: 4, num_trialsets: 6}",
            ["deployment.num_trialsets: expected a multiple of 4", "(found 6)"],
        ),
        (_BLOCK + "deployment: {when_trialsets_run_out: restart}", ["'refuse' or 'reuse'", "'restart'"]),
        (_BLOCK + "deployment: {data_spec_file_name: ../x.csv}", ["data_spec_file_name", "file in the study's folder"]),
        (_BLOCK + "deployment: {seed: abc}", ["deployment.seed: expected a whole number", "'abc'"]),
        (_BLOCK + "site: {bonus: [{at_least: 0.9, usd: 2}, {at_least: 0.8, usd: 1}]}", ["[0.9, 0.8]", "increase"]),
        (_BLOCK + "deployment:", ["deployment: expected a mapping", "(found None)"]),
        (
            _BLOCK + "deployment: {allow_origins: ['https://lab.example.edu; script-src *']}",
            ["deployment.allow_origins", "without a path"],
        ),
        (_BLOCK + "deployment: {aws_prefix: lab_1}", ["deployment.aws_prefix", "letters, digits and hyphens", "lab_1"]),
        (
            _BLOCK + "deployment: {domain: {name: 'https://a.example.edu', certificate: a}}",
            ["deployment.domain.name", "moths.example.edu"],
        ),
        (
            _BLOCK
            + "deployment: {domain: {name: a.edu, certificate: 'arn:aws:acm:eu-west-1:123456789012:certificate/1'}}",
            ["deployment.domain.certificate", "in us-east-1"],
        ),
    ],
)
def test_an_error_names_place_value_and_expectation(tmp_path: Path, text: str, expected: list[str]) -> None:
    message = _message(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'config.yaml'}: ")
    assert [words for words in expected if words not in message] == [], message


def test_all_errors_of_a_file_are_named_at_once(tmp_path: Path) -> None:
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
    heading, *lines = message.splitlines()
    assert heading == f"{tmp_path / 'config.yaml'}: 5 problems"
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "  - block 'train_1', n_calibration_trials",
        "  - block 'train_1', show_feedback",
        "  - block 'train_2', trial_types.taught.choice_duration_msec",
        "  - deployment.nmu_conditions",
        "  - trial_config.stimulus_width_degrees",
    ]


def test_of_many_errors_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    keys = ", ".join(f"unknown_{number}: 1" for number in range(30))
    lines = _message(tmp_path, f"session_config: [{{a: {{{keys}}}}}]").splitlines()
    assert lines[0].endswith("30 problems")
    assert lines[-1] == "  - … and 10 more"
    assert len(lines) == 22


def test_every_block_missing_a_condition_is_named(tmp_path: Path) -> None:
    blocks = ", ".join(f"{{{name}: {{conditional_trial_types: [{{t: {{}}}}]}}}}" for name in "ab")
    message = _message(tmp_path, f"session_config: [{blocks}]\ndeployment: {{num_conditions: 2}}")
    assert "block 'a'" in message
    assert "block 'b'" in message


@pytest.mark.parametrize("name", ["nowhere/config.yaml", "file/config.yaml", "."])
def test_an_unreadable_config_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be read .*expected a study folder with config\.yaml"):
        read_config(tmp_path / name)


def test_a_config_that_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(InputError, match="not a YAML file"):
        read_config(tmp_path / "config.yaml")
