"""What jobs on SageMaker may do, and what is left of them."""

from __future__ import annotations

import json
from typing import Any, get_args

import cfnlint.api
import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks
from sagemaker.core import image_uris

from infra import compute_stack
from infra.budget import Budget
from infra.compute_stack import ComputeStack
from lwise_core.aws_names import JOB_TAG, JobKind
from lwise_core.errors import InputError
from tests.infra.conftest import ACCOUNT, REGION
from tests.infra.readable import role_statements

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


def test_cdk_nag_reports_only_acknowledged_findings(stack: Stack) -> None:
    report = AwsSolutionsChecks(stack.node.root).validate_scope(stack)
    assert [(found.rule_name, found.severity) for found in report.violations] == []


def test_cdk_nag_passes_without_account_and_region() -> None:
    app = App()
    unknown = ComputeStack(app, "ComputeStack", readable_buckets=[_SHARED])
    assert [found.rule_name for found in AwsSolutionsChecks(app).validate_scope(unknown).violations] == []


def test_cfn_lint_reports_nothing(template: dict[str, Any]) -> None:
    assert [str(found) for found in cfnlint.api.lint(json.dumps(template), regions=[REGION])] == []


def test_permissions_of_jobs_depend_on_the_folder(template: dict[str, Any]) -> None:
    allowed = _allowed(template)
    of_bucket = {
        action: {one.rpartition('"/')[2].partition("/")[0] for one in allowed[action] if "Artefacts" in one}
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    }
    assert of_bucket == {
        "s3:GetObject": {"datasets", "jobs", "checkpoints"},
        "s3:PutObject": {"jobs", "checkpoints"},
        "s3:DeleteObject": {"checkpoints"},
        "s3:AbortMultipartUpload": {"jobs", "checkpoints"},
    }


def test_only_checkpoints_expire(template: dict[str, Any]) -> None:
    (bucket,) = (found for found in template["Resources"].values() if found["Type"] == "AWS::S3::Bucket")
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [(rule["Prefix"], rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule] == [
        ("checkpoints/", 30)
    ]


@pytest.mark.parametrize("region", [REGION, "eu-south-1", "cn-north-1", "ap-southeast-4"])
def test_jobs_may_pull_their_container_image(region: str) -> None:
    uri = image_uris.retrieve(
        framework="pytorch-amzn2023",
        region=region,
        version="2.11",
        instance_type="ml.g5.xlarge",
        image_scope="training",
    )
    stack = ComputeStack(App(), "ComputeStack", readable_buckets=[], env=Environment(account=ACCOUNT, region=region))
    (repository,) = _allowed(Template.from_stack(stack).to_json())["ecr:BatchGetImage"]
    account, name = uri.partition(".")[0], uri.partition("/")[2].partition(":")[0]
    assert f":ecr:{region}:{account}:repository/{name}" in repository


@pytest.mark.parametrize("region", sorted(compute_stack.IMAGE_ACCOUNTS))
def test_image_accounts_are_those_of_the_sdk(region: str) -> None:
    uri = image_uris.retrieve(
        framework="pytorch-amzn2023",
        region=region,
        version="2.11",
        instance_type="ml.g5.xlarge",
        image_scope="training",
    )
    assert uri.startswith(f"{compute_stack.IMAGE_ACCOUNTS[region]}.")


def _with_everything() -> ComputeStack:
    return ComputeStack(
        App(),
        "ComputeStack",
        readable_buckets=[],
        budget=Budget(200, "lab@example.edu"),
        in_vpc=True,
        env=Environment(account=ACCOUNT, region=REGION),
    )


def test_optional_resources_pass_nag_and_lint() -> None:
    stack = _with_everything()
    assert [found.rule_name for found in AwsSolutionsChecks(stack.node.root).validate_scope(stack).violations] == []
    template = Template.from_stack(stack).to_json()
    assert [str(found) for found in cfnlint.api.lint(json.dumps(template), regions=[REGION])] == []


def test_only_jobs_in_subnets_may_touch_the_network(template: dict[str, Any]) -> None:
    assert not [action for action in _allowed(template) if action.startswith("ec2:")]
    allowed: dict[str, set[str]] = {}
    for _, _, actions, on, _ in role_statements(Template.from_stack(_with_everything()).to_json())["Jobs"]:
        for action in actions:
            allowed.setdefault(action, set()).update(on)
    described = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    interfaces, *others = (
        f"arn:<AWS::Partition>:ec2:{REGION}:{ACCOUNT}:{kind}/*"
        for kind in ("network-interface", "subnet", "security-group")
    )
    assert {action: resources for action, resources in allowed.items() if action.startswith("ec2:")} == {
        **{f"ec2:Describe{what}": {"*"} for what in described},
        "ec2:CreateNetworkInterface": {interfaces, *others},
        "ec2:CreateNetworkInterfacePermission": {interfaces},
        "ec2:DeleteNetworkInterface": {interfaces},
        "ec2:DeleteNetworkInterfacePermission": {interfaces},
    }


def test_a_budget_counts_jobs_and_nothing_else(template: dict[str, Any]) -> None:
    assert "AWS::Budgets::Budget" not in {found["Type"] for found in template["Resources"].values()}
    made = Template.from_stack(_with_everything()).to_json()
    (budget,) = (one["Properties"] for one in made["Resources"].values() if one["Type"] == "AWS::Budgets::Budget")
    assert budget["Budget"] == {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": 200, "Unit": "USD"},
        "CostFilters": {"TagKeyValue": [f"user:{JOB_TAG}${kind}" for kind in get_args(JobKind)]},
    }
    to_the_lab = [{"SubscriptionType": "EMAIL", "Address": "lab@example.edu"}]
    assert budget["NotificationsWithSubscribers"] == [
        {
            "Notification": {
                "NotificationType": type_,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": to_the_lab,
        }
        for type_, percent in (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
    ]


@pytest.mark.parametrize(
    ("usd", "email", "wrong"),
    [
        ("200", "", "budget_email is ''"),
        ("", "lab@example.edu", "budget_usd is ''"),
        ("much", "lab@example.edu", "budget_usd is 'much'"),
        ("0", "lab@example.edu", "budget_usd is '0'"),
        ("-5", "lab@example.edu", "budget_usd is '-5'"),
        ("200", "lab", "budget_email is 'lab'"),
    ],
)
def test_incomplete_or_invalid_budgets_are_rejected(usd: str, email: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        Budget.of(usd, email)


def test_empty_options_mean_no_budget() -> None:
    assert Budget.of("", "") is None


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
        assert all("Artefacts" in resource for resource in allowed[action])


def test_only_actions_without_resources_are_allowed_on_all(template: dict[str, Any]) -> None:
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


def test_only_sagemaker_in_this_account_assumes_the_role(template: dict[str, Any]) -> None:
    (role,) = (found for found in template["Resources"].values() if found["Type"] == "AWS::IAM::Role")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert "ManagedPolicyArns" not in role["Properties"]


def test_the_artefact_bucket_outlives_the_stack(template: dict[str, Any]) -> None:
    (bucket,) = (found for found in template["Resources"].values() if found["Type"] == "AWS::S3::Bucket")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_outputs_have_fixed_names(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {"ArtefactBucket", "JobRole"}
