"""What stands in the way of a deployment is said in a sentence, with what mends it, by the real `cdk` and by ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_emulator.cdk_command import PROJECT, CdkError, require_cdk, run_cdk
from tests.aws_emulator.stand_in import StandIn

_STUDY = "ExperimentStack-turtles-10"
"""A study that is kept without its data file."""


@pytest.fixture(scope="module")
def account() -> Iterator[StandIn]:
    """One that nobody has bootstrapped."""
    require_cdk()
    with StandIn() as opened:
        yield opened


def _refused(account: StandIn, tmp_path: Path, *arguments: str, without: tuple[str, ...] = ()) -> str:
    environment = {
        name: value for name, value in account.environment.items() if not name.startswith(without or ("\0",))
    }
    with pytest.raises(CdkError) as refusal:
        run_cdk(*arguments, app=None, output=tmp_path / "cdk.out", environment=environment, project=PROJECT)
    return str(refusal.value)


def test_an_account_that_was_not_bootstrapped_is_told_how_to(account: StandIn, tmp_path: Path) -> None:
    said = _refused(account, tmp_path, "deploy", "AccountStack", "--exclusively")
    assert f"aws://{account.account}/{account.region}" in said
    assert "Please run 'cdk bootstrap'" in said


def test_without_credentials_nothing_is_deployed(account: StandIn, tmp_path: Path) -> None:
    said = _refused(account, tmp_path, "deploy", "AccountStack", "--exclusively", without=("AWS_ACCESS", "AWS_SECRET"))
    assert "Unable to resolve AWS account to use" in said


def test_a_study_without_its_data_file_is_named_with_the_command_that_gets_it(account: StandIn, tmp_path: Path) -> None:
    said = _refused(account, tmp_path, "deploy", "--exclusively", _STUDY)
    assert "turtles_10: this study does not include its data file" in said
    assert "`lwise experiments fetch-dirmap experiment_site/experiments/turtles_10`" in said


def test_a_study_that_is_not_there_is_said_not_to_be(account: StandIn, tmp_path: Path) -> None:
    assert "No stacks match the name(s) ExperimentStack-moths-99" in _refused(
        account, tmp_path, "deploy", "ExperimentStack-moths-99"
    )


def test_every_study_is_listed_whatever_it_lacks(account: StandIn, tmp_path: Path) -> None:
    listed = account.cdk("ls", output=tmp_path / "cdk.out")
    names = {line.split()[0] for line in listed.splitlines() if "Stack" in line}
    assert {"AccountStack", "ComputeStack", "ExperimentStack-idaea4-10", "ExperimentStack-moths-0", _STUDY} <= names
