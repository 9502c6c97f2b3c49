"""`lwise status` and `lwise links STUDY`: a deployed study seen from a researcher's machine."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws import StandIn, create_stack
from tests.cloud.conftest import ADDRESS, Deployed
from tests.run_cli import COMMAND, lwise, succeed


def _alarm(account: StandIn, stack: str, name: str, meaning: str, state: str) -> None:
    cloudwatch = account.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=f"{stack}-{name}",
        AlarmDescription=f"{stack}: {meaning}",
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=f"{stack}-{name}", StateValue=state, StateReason="tested")


@pytest.fixture
def under_way(deploy: Callable[..., Deployed], account: StandIn) -> Deployed:
    """One has finished, two have begun, and one has tried it out; one alarm has gone off, one of another study too."""
    study = deploy("moths_1")
    study.finishes("a")
    study.starts("b", n_answers=2)
    token = study.starts("c")
    study.starts("me", platform="test")
    study.service.report_problem(token, {"kind": "page_error", "message": "no such image", "trial_index": 0})
    _alarm(account, study.stack, "Errors", "the session function fails", "ALARM")
    _alarm(account, study.stack, "Slow", "calls take long", "OK")
    _alarm(account, f"{study.stack}0", "Errors", "another study fails", "ALARM")
    return study


def test_the_counts_are_those_of_the_tables_and_alarms_are_told(under_way: Deployed) -> None:
    told: dict[str, Any] = json.loads(succeed("status", under_way.folder, "--json", folder=under_way.folder))
    assert (told["total"]["finished"], told["total"]["under_way"], told["n_tried_out"]) == (1, 2, 1)
    assert sum(counts["finished"] + counts["under_way"] for counts in told["conditions"]) == 3
    assert told["median_minutes"] >= 0
    assert told["alarms"] == ["the session function fails"]
    assert [problem["message"] for problem in told["problems"]] == ["no such image"]
    assert (told["stack"], told["address"]) == (under_way.stack, ADDRESS)


def test_no_session_is_told_one_by_one(under_way: Deployed) -> None:
    told = succeed("status", under_way.folder, "--json", folder=under_way.folder)
    assert not [session for session in under_way.store.sessions() if session.participant in told]


def test_people_read_a_table_and_what_is_wrong(under_way: Deployed) -> None:
    lines = succeed("status", under_way.folder, folder=under_way.folder).splitlines()
    headings = next(line.split() for line in lines if line.startswith("condition"))
    assert headings[:4] == ["condition", "finished", "under", "way"]
    (total,) = (line.split() for line in lines if line.startswith("all "))
    assert total[:3] == ["all", "1", "2"]
    assert "ALARM: the session function fails" in lines
    assert any("page_error: no such image" in line for line in lines)


def test_who_watches_sees_what_changes_until_ctrl_c(under_way: Deployed) -> None:
    watching = [*COMMAND, "status", str(under_way.folder), "--watch", "--every", "1"]
    with subprocess.Popen(watching, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
        assert watch.stdout is not None
        totals = (line.split()[1] for line in watch.stdout if line.startswith("all "))
        assert next(totals) == "1"
        under_way.finishes("z")
        assert "2" in totals
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
    assert watch.returncode == 0


def test_looking_again_and_json_do_not_go_together(under_way: Deployed) -> None:
    refused = lwise("status", under_way.folder, "--watch", "--json", folder=under_way.folder)
    assert (refused.returncode, "expected one of them" in refused.stderr) == (2, True)


def test_a_deployed_study_has_links_for_the_platforms_that_it_was_deployed_for(under_way: Deployed) -> None:
    links = json.loads(succeed("links", under_way.folder, "--json", folder=under_way.folder))
    assert [link["platform"] for link in links] == ["inperson", "test"]
    assert links[0]["url"] == f"{ADDRESS}/?PLATFORM=inperson"


def test_links_need_the_id_only(under_way: Deployed) -> None:
    by_id = succeed("links", under_way.folder.name, "--json", folder=under_way.folder)
    assert by_id == succeed("links", under_way.folder, "--json", folder=under_way.folder)


def test_a_study_that_is_not_there_is_called_by_its_stack_beside_those_that_are(under_way: Deployed) -> None:
    refused = lwise("links", "moths_2", folder=under_way.folder)
    assert refused.returncode == 2
    assert "ExperimentStack-moths-2: does not exist in us-east-1" in refused.stderr
    assert under_way.stack in refused.stderr
    assert "npx cdk deploy ExperimentStack-moths-2" in refused.stderr


@pytest.mark.usefixtures("under_way")
def test_a_deployment_that_was_cut_short_is_named_with_what_mends_it(account: StandIn, under_way: Deployed) -> None:
    create_stack(account, "ExperimentStack-moths-3", {})
    refused = lwise("links", "moths_3", folder=under_way.folder)
    assert refused.returncode == 2
    assert "npx cdk destroy ExperimentStack-moths-3" in refused.stderr


def test_without_credentials_a_sentence_says_so(under_way: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    refused = lwise("status", under_way.folder, folder=under_way.folder)
    assert refused.returncode == 2
    assert "aws configure" in refused.stderr
    assert "Traceback" not in refused.stderr
