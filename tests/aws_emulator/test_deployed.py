"""What is said of a deployed study that cannot be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.cloud.deployed import Tables, find_deployed, open_sessions
from lwise_core.errors import InputError
from tests.aws_emulator.stand_in import StandIn

_STUDY = Path(__file__).parents[2] / "experiment_site" / "experiments" / "moths_0"


@pytest.fixture
def aws_settings(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of someone who works in the stand-in's account."""
    for name, value in stand_in.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("aws_settings")
def test_a_study_that_is_not_deployed_is_called_by_its_stack() -> None:
    with pytest.raises(InputError, match=r"ExperimentStack-moths-0: .*does not exist.*AWS_REGION"):
        find_deployed(Path("moths_0"))


@pytest.mark.usefixtures("aws_settings")
def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"table nowhere: .*ResourceNotFoundException"):
        open_sessions(compile_study(_STUDY).study, Tables("nowhere", "either", "here"))


def test_without_credentials_or_region_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InputError, match=r"region.*AWS_REGION"):
        find_deployed(Path("moths_0"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(InputError, match=r"credentials.*AWS_PROFILE"):
        find_deployed(Path("moths_0"))
