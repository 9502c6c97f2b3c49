"""What a study's stack is made of."""

from __future__ import annotations

import json
import re

import cfnlint.api
import pytest

from tests.infra.conftest import REGION, Synthesised

_KEPT = "ExperimentStack-kept-1"
_DEPLOYED = ["AccountStack", _KEPT, "ExperimentStack-deleted-2", "ExperimentStack-own-5"]
_SUPERFLUOUS_DEPENDENCY = "W3005"
"""Written by the CDK itself."""


@pytest.mark.parametrize("name", _DEPLOYED)
def test_cfn_lint_reports_nothing(synthesised: Synthesised, name: str) -> None:
    found = cfnlint.api.lint(json.dumps(synthesised.templates[name]), regions=[REGION])
    assert [str(one) for one in found if one.rule.id != _SUPERFLUOUS_DEPENDENCY] == []


def test_outputs_have_fixed_names(synthesised: Synthesised) -> None:
    outputs = synthesised.templates[_KEPT]["Outputs"]
    links = {name for name in outputs if name.startswith("Link")}
    assert links == {"LinkProlific", "LinkMturk", "LinkInperson", "LinkTest"}
    assert {"Address", "DataBucket", "SessionTable", "CounterTable"} <= outputs.keys()
    _, (address, domain, query) = outputs["LinkProlific"]["Value"]["Fn::Join"]
    assert address == "https://"
    assert "SiteDistribution" in str(domain)
    assert query.startswith("/?PLATFORM=prolific&PID={{%PROLIFIC_PID%}}")


@pytest.mark.parametrize(("name", "reason"), [("broken-3", "titel"), ("codeless-4", "env:DONE; .* needs ssm:NAME")])
def test_an_invalid_study_is_a_placeholder_stack_with_an_error(
    synthesised: Synthesised, name: str, reason: str
) -> None:
    stack = f"ExperimentStack-{name}"
    assert [resource["Type"] for resource in synthesised.templates[stack]["Resources"].values()] == [
        "AWS::CloudFormation::WaitConditionHandle"
    ]
    (said,) = [entry.data for entry in synthesised.stack(stack).node.metadata if entry.type == "aws:cdk:error"]
    assert re.search(reason, str(said))


def test_a_synth_reads_each_config_once(synthesised: Synthesised) -> None:
    valid = {"kept_1", "deleted_2", "own_5", "codeless_4"}
    assert {study: n for study, n in synthesised.config_reads.items() if study in valid} == dict.fromkeys(valid, 1)
