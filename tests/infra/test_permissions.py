"""Every statement of every policy in the app's stacks: who may do what, on which resources."""

from __future__ import annotations

import pytest

from tests.infra.conftest import ACCOUNT, REGION, Synthesised
from tests.infra.readable import Statement, bucket_statements, resources, role_statements, statements

_STACK, _WITH_NO_CODES = "ExperimentStack-kept-1", "ExperimentStack-deleted-2"
_ASSETS = f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_TLS = "Bool aws:SecureTransport false", "NumericLessThan s3:TlsVersion 1.2"
_EMPTYING_ROLE = "CustomS3AutoDeleteObjectsCustomResourceProviderRole"


def _allow(actions: tuple[str, ...], *on: str, principal: str = "", condition: str = "") -> Statement:
    return ("Allow", principal, actions, on, condition)


def _logs_to(group: str) -> Statement:
    return _allow(("logs:CreateLogStream", "logs:PutLogEvents"), f"<{group}.Arn>")


def _tls_only(bucket: str) -> list[Statement]:
    everything = (f"<{bucket}.Arn>", f"<{bucket}.Arn>/*")
    return [("Deny", "AWS *", ("s3:*",), everything, condition) for condition in _TLS]


def _emptied_by_the_cdk(bucket: str) -> Statement:
    actions = ("s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy")
    return _allow(actions, f"<{bucket}.Arn>", f"<{bucket}.Arn>/*", principal=f"AWS <{_EMPTYING_ROLE}.Arn>")


_FUNCTION = [
    _logs_to("SessionsFunctionLogs"),
    _allow(
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        "<StorageCounter.Arn>",
        "<StorageCounter.Arn>/index/*",
        "<StorageSessions.Arn>",
    ),
    _allow(("s3:PutObject",), "<StorageData.Arn>/emails/*"),
]
_CODES = _allow(
    ("ssm:GetParameter",),
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/lwise/done",
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/out",
)
_DEPLOYMENTS = [
    _logs_to("SiteDeploymentsLogs"),
    _allow(("s3:GetBucketLocation", "s3:ListBucket"), "<SiteBucket.Arn>"),
    _allow(("s3:PutObject",), "<SiteBucket.Arn>/*"),
    _allow(("s3:GetObject",), f"{_ASSETS}/<asset>"),
    _allow(("s3:ListBucket",), _ASSETS),
]


@pytest.mark.parametrize(("stack", "codes"), [(_STACK, [_CODES]), (_WITH_NO_CODES, [])])
def test_roles_of_a_study_may_do_exactly_this(synthesised: Synthesised, stack: str, codes: list[Statement]) -> None:
    assert role_statements(synthesised.templates[stack]) == {
        "SessionsFunctionRole": [*_FUNCTION, *codes],
        "SiteDeploymentsRole": _DEPLOYMENTS,
        _EMPTYING_ROLE: [],
    }


@pytest.mark.parametrize("stack", [_STACK, "AccountStack"])
def test_roles_have_these_managed_policies_and_no_others(synthesised: Synthesised, stack: str) -> None:
    managed = {
        id_: role["ManagedPolicyArns"]
        for id_, role in resources(synthesised.templates[stack], "AWS::IAM::Role").items()
        if "ManagedPolicyArns" in role
    }
    service_role = "arn:{}:iam::aws:policy/service-role/{}"
    emptying = service_role.format("${AWS::Partition}", "AWSLambdaBasicExecutionRole")
    logs = service_role.format("<AWS::Partition>", "AmazonAPIGatewayPushToCloudWatchLogs")
    assert managed == {_EMPTYING_ROLE: [emptying]} | ({"ApiGatewayLogs": [logs]} if stack == "AccountStack" else {})


@pytest.mark.parametrize(
    ("stack", "services"),
    [
        (_STACK, dict.fromkeys(("SessionsFunctionRole", "SiteDeploymentsRole", _EMPTYING_ROLE), "lambda")),
        ("AccountStack", {"ApiGatewayLogs": "apigateway", _EMPTYING_ROLE: "lambda"}),
        ("ComputeStack", {"Jobs": "sagemaker"}),
    ],
)
def test_each_role_is_assumed_by_one_service(synthesised: Synthesised, stack: str, services: dict[str, str]) -> None:
    roles = resources(synthesised.templates[stack], "AWS::IAM::Role")
    condition = f"StringEquals aws:SourceAccount {ACCOUNT}" if stack == "ComputeStack" else ""
    assert {id_: statements(role["AssumeRolePolicyDocument"]) for id_, role in roles.items()} == {
        id_: [("Allow", f"Service {service}.amazonaws.com", ("sts:AssumeRole",), (), condition)]
        for id_, service in services.items()
    }


def test_jobs_may_do_exactly_this(synthesised: Synthesised) -> None:
    multipart = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
    with_deletion = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
    images = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
    namespace = "StringLike cloudwatch:namespace /aws/sagemaker/*"
    assert sorted(role_statements(synthesised.templates["ComputeStack"])["Jobs"]) == sorted(
        [
            _allow(("s3:GetBucketLocation", "s3:ListBucket"), "<Artefacts.Arn>"),
            _allow(("s3:GetObject",), "<Artefacts.Arn>/datasets/*"),
            _allow(multipart, "<Artefacts.Arn>/jobs/*"),
            _allow(with_deletion, "<Artefacts.Arn>/checkpoints/*"),
            _allow(("ecr:GetAuthorizationToken",), "*"),
            _allow(images, f"arn:aws:ecr:{REGION}:763104351884:repository/pytorch"),
            _allow(logs, f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/*"),
            _allow(("cloudwatch:PutMetricData",), "*", condition=namespace),
        ]
    )


def test_buckets_of_a_study_admit_exactly_these(synthesised: Synthesised) -> None:
    own_distribution = (
        "StringEquals AWS:SourceArn arn:<AWS::Partition>:cloudfront::<AWS::AccountId>:distribution/<SiteDistribution>"
    )
    cloudfront = "Service cloudfront.amazonaws.com"
    page = _allow(("s3:GetObject",), "<SiteBucket.Arn>/*", principal=cloudfront, condition=own_distribution)
    assert bucket_statements(synthesised.templates[_STACK]) == {
        "StorageData": _tls_only("StorageData"),
        "SiteBucket": [*_tls_only("SiteBucket"), _emptied_by_the_cdk("SiteBucket"), page],
    }


def test_artefacts_and_logs_admit_exactly_these(synthesised: Synthesised) -> None:
    assert bucket_statements(synthesised.templates["ComputeStack"]) == {"Artefacts": _tls_only("Artefacts")}
    logging, account = "Service logging.s3.amazonaws.com", f"StringEquals aws:SourceAccount {ACCOUNT}"
    access_logs = _allow(("s3:PutObject",), "<Logs.Arn>/*", principal=logging, condition=account)
    assert bucket_statements(synthesised.templates["AccountStack"]) == {
        "Logs": [*_tls_only("Logs"), _emptied_by_the_cdk("Logs"), access_logs]
    }


def test_only_the_gateway_invokes_the_session_function(synthesised: Synthesised) -> None:
    permissions = resources(synthesised.templates[_STACK], "AWS::Lambda::Permission").values()
    assert {one["Principal"] for one in permissions} == {"apigateway.amazonaws.com"}
    assert {one["Action"] for one in permissions} == {"lambda:InvokeFunction"}
    assert all(":<SessionsApi>/" in one["SourceArn"] for one in permissions)
