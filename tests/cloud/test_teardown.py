"""`lwise teardown`: what is said before anything goes, and what keeps it from going. tests/aws_emulator sees it go."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.aws import StandIn
from tests.cloud.conftest import Deployed
from tests.run_cli import COMMAND, lwise, succeed

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def study(deploy: Callable[..., Deployed]) -> Deployed:
    made = deploy("moths_5")
    made.finishes("a")
    made.starts("b", n_answers=2)
    made.starts("me", platform="test")
    return made


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: that of the person, that of the program."""
    person, program = pty.openpty()
    try:
        yield person, program
    finally:
        os.close(person)
        os.close(program)


def _is_there(account: StandIn, stack: str) -> bool:
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    return stack in {one["StackName"] for one in stacks}


def test_a_rehearsal_says_who_is_there_and_what_stays(study: Deployed, account: StandIn) -> None:
    said = succeed("teardown", study.folder, "--dry-run", folder=study.folder)
    assert "ExperimentStack-moths-5: 1 finished, 1 under way so far." in said
    assert "1 TAKE PART JUST NOW" in said
    for name in vars(study.tables).values():
        assert name in said
    assert "USD a month" in said
    assert _is_there(account, study.stack)


def test_a_study_whose_data_go_says_so_loudly(deploy: Callable[..., Deployed]) -> None:
    study = deploy("moths_6", keep=False)
    said = succeed("teardown", study.folder, "--dry-run", folder=study.folder)
    assert "PARTICIPANTS' DATA GO WITH IT" in said
    assert "stay" not in said


def test_where_nobody_can_be_asked_nothing_goes(study: Deployed, account: StandIn) -> None:
    refused = subprocess.run(
        [*COMMAND, "teardown", study.folder],
        cwd=_REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, "use --yes" in refused.stderr) == (2, True)
    assert _is_there(account, study.stack)


def test_who_types_something_else_takes_nothing_down(study: Deployed, account: StandIn) -> None:
    with _terminal() as (person, program):
        os.write(person, b"moths_50\n")
        refused = subprocess.run(
            [*COMMAND, "teardown", study.folder],
            cwd=_REPOSITORY,
            stdin=program,
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 2
    assert "'moths_50' is not ExperimentStack-moths-5; nothing was changed" in refused.stderr
    assert _is_there(account, study.stack)


def test_outside_of_the_repository_a_sentence_says_where_to_go(study: Deployed, tmp_path: Path) -> None:
    refused = lwise("teardown", study.folder, "--yes", folder=tmp_path)
    assert (refused.returncode, "in the root of the repository" in refused.stderr) == (2, True)
