"""Who may do what in a deployed study, and that nobody else may."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cdk_nag import AwsSolutionsChecks

from tests.infra.conftest import Synthesised

_KEPT = "ExperimentStack-kept-1"
_OWN = "ExperimentStack-own-5"
_DEPLOYED = ["AccountStack", _KEPT, "ExperimentStack-deleted-2", _OWN]
_N_ACKNOWLEDGED = {"AccountStack": 2, _KEPT: 13, "ExperimentStack-deleted-2": 13, _OWN: 12}


def _statements_of(synthesised: Synthesised, stack: str, role_part: str) -> list[dict[str, Any]]:
    """The statements of the policies of the one role whose id holds `role_part`."""
    found = []
    for policy in synthesised.resources(stack, "AWS::IAM::Policy").values():
        (role,) = policy["Properties"]["Roles"]
        if role_part in role["Ref"]:
            found += policy["Properties"]["PolicyDocument"]["Statement"]
    assert found
    return found


def _arn(id_: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id_, "Arn"]}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", _DEPLOYED)
def test_cdk_nag_reports_only_acknowledged_findings(synthesised: Synthesised, name: str) -> None:
    report = AwsSolutionsChecks(synthesised.app).validate_scope(synthesised.stack(name))
    assert [(found.rule_name, found.severity) for found in report.violations] == []


@pytest.mark.parametrize("name", _DEPLOYED)
def test_the_number_of_acknowledged_findings_is_fixed(synthesised: Synthesised, name: str) -> None:
    accepted = {
        (construct.node.path, finding): reason
        for construct in synthesised.stack(name).node.find_all()
        for entry in construct.node.metadata
        if "acknowledge" in entry.type
        for finding, reason in entry.data.items()
    }
    assert len(accepted) == _N_ACKNOWLEDGED[name], sorted(accepted)
    assert all(len(reason) > 20 for reason in accepted.values())


def test_the_session_function_has_minimal_permissions(synthesised: Synthesised) -> None:
    allowed = {
        (action, json.dumps(resource, sort_keys=True))
        for statement in _statements_of(synthesised, _KEPT, "SessionsFunctionRole")
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    }
    services = {action.partition(":")[0] for action, _ in allowed}
    assert services == {"dynamodb", "s3", "ssm", "logs"}
    assert {action for action, _ in allowed if action.startswith("s3:")} == {"s3:PutObject"}
    assert {action for action, _ in allowed if action.startswith("ssm:")} == {"ssm:GetParameter"}
    assert {action for action, _ in allowed if action.startswith("dynamodb:")} == {
        f"dynamodb:{action}" for action in ("GetItem", "Query", "PutItem", "UpdateItem")
    }
    (sessions,) = (id_ for id_ in synthesised.resources(_KEPT, "AWS::DynamoDB::Table") if "Sessions" in id_)
    (counter,) = (id_ for id_ in synthesised.resources(_KEPT, "AWS::DynamoDB::Table") if "Counter" in id_)
    (bucket,) = (id_ for id_ in synthesised.resources(_KEPT, "AWS::S3::Bucket") if "StorageData" in id_)
    arns = [_arn(sessions), _arn(counter)]
    below = [{"Fn::Join": ["", [arn, rest]]} for arn, rest in ((arns[1], "/index/*"), (_arn(bucket), "/emails/*"))]
    assert {resource for action, resource in allowed if action.startswith(("dynamodb:", "s3:"))} == {
        json.dumps(arn, sort_keys=True) for arn in (*arns, *below)
    }
    parameters = {resource for action, resource in allowed if action == "ssm:GetParameter"}
    assert sorted(parameter.rpartition(":")[2].rstrip('"]}') for parameter in parameters) == [
        "parameter/lwise/done",
        "parameter/out",
    ]


def test_no_policy_allows_all_actions_or_resources(synthesised: Synthesised) -> None:
    for stack in _DEPLOYED:
        for policy in synthesised.resources(stack, "AWS::IAM::Policy").values():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                assert "*" not in _as_list(statement["Resource"]), (stack, statement)
                assert not any(action == "*" or action.endswith(":*") for action in _as_list(statement["Action"]))


@pytest.mark.parametrize("name", _DEPLOYED)
def test_every_bucket_is_private_and_tls_only(synthesised: Synthesised, name: str) -> None:
    buckets = synthesised.resources(name, "AWS::S3::Bucket")
    assert buckets
    for id_, bucket in buckets.items():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, id_
    policies = synthesised.resources(name, "AWS::S3::BucketPolicy").values()
    with_tls = {
        policy["Properties"]["Bucket"]["Ref"]
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert with_tls == set(buckets)


def test_only_cloudfront_reads_the_page(synthesised: Synthesised) -> None:
    allowed = [
        statement["Principal"]
        for policy in synthesised.resources(_KEPT, "AWS::S3::BucketPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    services = [principal.get("Service") for principal in allowed if "Service" in principal]
    assert services == ["cloudfront.amazonaws.com"]


def test_logs_do_not_identify_participants(synthesised: Synthesised) -> None:
    (stage,) = synthesised.resources(_KEPT, "AWS::ApiGateway::Stage").values()
    line = stage["Properties"]["AccessLogSetting"]["Format"]
    assert json.loads(line).keys() == {"at", "request", "call", "method", "status", "ms", "bytes", "error"}
    for secret in ("identity", "sourceIp", "userAgent", "authorizer", "requestOverride", "path}"):
        assert secret not in line.replace("resourcePath", "")
    assert all(setting["DataTraceEnabled"] is False for setting in stage["Properties"]["MethodSettings"])
    (distribution,) = synthesised.resources(_KEPT, "AWS::CloudFront::Distribution").values()
    assert "Logging" not in distribution["Properties"]["DistributionConfig"]
