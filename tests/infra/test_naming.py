"""A study's folder and its stack have one name, said in two ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.authoring.folder import StudyFolder
from lwise_core.cloud.naming import experiment_stack_name, name_in_account, name_in_app, reject_duplicate_stacks
from lwise_core.errors import InputError


def test_underscores_become_hyphens() -> None:
    assert experiment_stack_name("idaea4_10") == "ExperimentStack-idaea4-10"


@pytest.mark.parametrize("name", ["möths_1", "a b_1", "x" * 130, "a.b_1"])
def test_invalid_stack_names_are_rejected(name: str) -> None:
    with pytest.raises(InputError, match="letters, digits, hyphens and underscores"):
        experiment_stack_name(name)


def test_aws_prefix_precedes_the_stack_name(tmp_path: Path) -> None:
    folder = tmp_path / "moths_3"
    folder.mkdir()
    config = folder / "config.yaml"
    config.write_text("session_config: [{test: {n_trials_per_class_val: 1}}]\n", encoding="utf-8")
    study = StudyFolder(folder, config)
    assert name_in_account(study) == "ExperimentStack-moths-3"
    with config.open("a", encoding="utf-8") as file:
        file.write("deployment: {aws_prefix: lab}\n")
    study = StudyFolder(folder, config)
    assert name_in_account(study) == "lab-ExperimentStack-moths-3"
    assert name_in_app("lab-ExperimentStack-moths-3") == "ExperimentStack-moths-3"


def test_studies_with_the_same_stack_name_are_rejected() -> None:
    reject_duplicate_stacks(["moths_1", "moths_2"])
    with pytest.raises(
        InputError, match="big_moths_1 and big-moths_1 would both have the stack ExperimentStack-big-moths-1"
    ):
        reject_duplicate_stacks(["big_moths_1", "moths_2", "big-moths_1"])
