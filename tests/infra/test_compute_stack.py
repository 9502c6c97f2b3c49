"""What jobs on SageMaker may do, and what is left of them."""

from __future__ import annotations

import json
from typing import Any

import cfnlint.api
import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks

from infra.compute_stack import ComputeStack
from tests.infra.conftest import ACCOUNT, REGION

_SHARED = "lab-data-sets"


@pytest.fixture(scope="module")
def stack() -> Stack:
    return ComputeStack(
        App(), "ComputeStack", readable_buckets=[_SHARED], env=Environment(account=ACCOUNT, region=REGION)
    )


@pytest.fixture(scope="module")
def template(stack: Stack) -> dict[str, Any]:
    return dict(Template.from_stack(stack).to_json())


def _allowed(template: dict[str, Any]) -> dict[str, set[str]]:
    """Action -> the resources that it is allowed on."""
    allowed: dict[str, set[str]] = {}
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in _list(statement["Action"]):
                allowed.setdefault(action, set()).update(map(_text, _list(statement["Resource"])))
    return allowed


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(resource: Any) -> str:
    return resource if isinstance(resource, str) else json.dumps(resource)


def test_cdk_nag_finds_nothing_that_is_not_accepted_with_a_reason(stack: Stack) -> None:
    report = AwsSolutionsChecks(stack.node.root).validate_scope(stack)
    assert [(found.rule_name, found.severity) for found in report.violations] == []


def test_nor_where_account_and_region_are_not_known_yet() -> None:
    app = App()
    unknown = ComputeStack(app, "ComputeStack", readable_buckets=[_SHARED])
    assert [found.rule_name for found in AwsSolutionsChecks(app).validate_scope(unknown).violations] == []


def test_cfn_lint_has_nothing_to_say(template: dict[str, Any]) -> None:
    assert [str(found) for found in cfnlint.api.lint(json.dumps(template), regions=[REGION])] == []


def test_jobs_can_do_exactly_what_they_need(template: dict[str, Any]) -> None:
    assert set(_allowed(template)) == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
    }


def test_other_buckets_are_read_and_never_written(template: dict[str, Any]) -> None:
    allowed = _allowed(template)
    shared = {action for action, resources in allowed.items() if any(_SHARED in one for one in resources)}
    assert shared == {"s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"}
    for action in ("s3:PutObject", "s3:DeleteObject"):
        (resource,) = allowed[action]
        assert "Artefacts" in resource


def test_only_what_knows_no_resource_is_allowed_on_all_of_them(template: dict[str, Any]) -> None:
    anywhere = {action for action, resources in _allowed(template).items() if "*" in resources}
    assert anywhere == {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}
    (metrics,) = (
        statement
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "cloudwatch:PutMetricData"
    )
    assert metrics["Condition"] == {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}


def test_only_sagemaker_of_this_account_may_be_the_role(template: dict[str, Any]) -> None:
    (role,) = (found for found in template["Resources"].values() if found["Type"] == "AWS::IAM::Role")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert "ManagedPolicyArns" not in role["Properties"]


def test_what_jobs_have_made_outlives_the_stack(template: dict[str, Any]) -> None:
    (bucket,) = (found for found in template["Resources"].values() if found["Type"] == "AWS::S3::Bucket")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_outputs_have_fixed_names(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {"ArtefactBucket", "JobRole"}
