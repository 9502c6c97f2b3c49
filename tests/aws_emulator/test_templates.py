"""What is read out of a template: the order of resources, which behaviour and which method answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws_emulator.distribution import ALL_VIEWER_EXCEPT_HOST_HEADER, Distribution
from tests.aws_emulator.messages import Answer, Request
from tests.aws_emulator.resources import NotPlayedError, Recorded
from tests.aws_emulator.rest_api import RestApi
from tests.aws_emulator.stacks import dependency_order

ACCOUNT, REGION = "111122223333", "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:answers"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def recorded(kind: str, id_: str, properties: dict[str, Any]) -> Recorded:
    return Recorded(kind, id_, properties, {"DomainName": "d1.cloudfront.net"})


@pytest.mark.parametrize(
    "need",
    [
        {"DependsOn": "Needed"},
        {"DependsOn": ["Needed"]},
        {"Properties": {"A": [{"B": {"Ref": "Needed"}}]}},
        {"Properties": {"A": {"Fn::GetAtt": ["Needed", "Arn"]}}},
        {"Properties": {"A": {"Fn::Sub": "x-${Needed.Arn}-${AWS::Region}"}}},
        {"Properties": {"A": {"Fn::Sub": ["x-${Y}", {"Y": {"Ref": "Needed"}}]}}},
        {"Properties": {"A": {"Fn::Sub": ["${Needed}-${Y}", {"Y": "y"}]}}},
    ],
)
def test_resources_come_after_those_they_need(need: dict[str, Any]) -> None:
    assert dependency_order({"First": need, "Needed": {"Properties": {}}}) == ["Needed", "First"]


class Api:
    """A REST API with a few methods, whose function says which one was called."""

    def __init__(self, *routes: tuple[str, str], may_call: bool = True, **method: Any) -> None:
        self.lines: list[str] = []
        self._parts = [recorded("AWS::ApiGateway::Stage", "prod", {"RestApiId": "api"})]
        for http_method, path in routes:
            self._add(http_method, path, method)
        if may_call:
            allowed = {
                "FunctionName": FUNCTION,
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:api/prod/*/*",
            }
            self._parts.append(recorded("AWS::Lambda::Permission", "permission", allowed))

    def _add(self, http_method: str, path: str, method: dict[str, Any]) -> None:
        parent, id_ = "root", "root"
        for part in path.strip("/").split("/"):
            id_ = f"{parent}/{part}"
            known = {"RestApiId": "api", "ParentId": parent, "PathPart": part}
            self._parts.append(recorded("AWS::ApiGateway::Resource", id_, known))
            parent = id_
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
        properties = {
            "RestApiId": "api",
            "ResourceId": id_,
            "HttpMethod": http_method,
            "Integration": {"Type": "AWS_PROXY", "Uri": uri},
            **method,
        }
        self._parts.append(recorded("AWS::ApiGateway::Method", f"{http_method} {path}", properties))

    def get(self, path: str, query: str = "") -> Answer:
        def invoke(arn: str, event: Any) -> tuple[str, bool]:
            assert arn == FUNCTION
            return json.dumps(
                {"statusCode": 200, "body": json.dumps([event["resource"], event["pathParameters"]])}
            ), False

        api = RestApi(
            "api",
            self._parts,
            account=ACCOUNT,
            region=REGION,
            invoke=invoke,
            log=lambda _, line: self.lines.append(line),
        )
        return api.answer(Request("GET", path, query))


@pytest.mark.parametrize(
    ("path", "answered_by"),
    [
        ("/prod/a/b", ["/a/b", None]),
        ("/prod/a/c", ["/a/{name}", {"name": "c"}]),
        ("/prod/a/b/", ["/a/b", None]),
        ("/prod/a/c/d", ["/{rest+}", {"rest": "a/c/d"}]),
        ("/prod/a", ["/{word}", {"word": "a"}]),
    ],
)
def test_the_most_special_path_answers(path: str, answered_by: list[Any]) -> None:
    api = Api(("ANY", "/{rest+}"), ("GET", "/{word}"), ("GET", "/a/{name}"), ("GET", "/a/b"), ("POST", "/a/c"))
    assert json.loads(api.get(path).body) == answered_by


def test_another_stage_is_forbidden() -> None:
    assert Api(("GET", "/a")).get("/test/a").status == 403


def test_a_function_must_allow_the_api_to_call_it() -> None:
    answer = Api(("GET", "/a"), may_call=False).get("/prod/a")
    assert (answer.status, answer.error) == (500, "no permission to call the function")


def test_parameters_may_be_demanded() -> None:
    validator = recorded(
        "AWS::ApiGateway::RequestValidator", "validator", {"RestApiId": "api", "ValidateRequestParameters": True}
    )
    api = Api(
        ("GET", "/a"), RequestValidatorId="validator", RequestParameters={"method.request.querystring.page": True}
    )
    api._parts.append(validator)
    assert api.get("/prod/a").status == 400
    assert api.get("/prod/a", "page=2").status == 200


def distribution(
    *behaviours: dict[str, Any],
    policy: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    **config: Any,
) -> tuple[Distribution, list[Request]]:
    """A distribution of an API and of a bucket that has no objects, and the requests that the API will have got."""
    requests: list[Request] = []

    def call_api(_: str, request: Request) -> Answer:
        requests.append(request)
        return Answer(404, (("Server-Header", "kept"),), b"from the API")

    whole = {
        "Origins": [
            {"Id": "bucket", "DomainName": "pages.s3.us-east-1.amazonaws.com", "OriginAccessControlId": "control"},
            {"Id": "api", "DomainName": "abc.execute-api.us-east-1.amazonaws.com", "OriginPath": "/prod"},
        ],
        "DefaultCacheBehavior": {"TargetOriginId": "api", "CachePolicyId": CACHING_DISABLED},
        "CacheBehaviors": [{"TargetOriginId": "api", "CachePolicyId": CACHING_DISABLED, **rule} for rule in behaviours],
        **config,
    }
    found = recorded("AWS::CloudFront::Distribution", "E1", {"DistributionConfig": whole})
    policies = [] if policy is None else [recorded("AWS::S3::BucketPolicy", "policy", {"PolicyDocument": policy})]
    if headers is not None:
        properties = {"ResponseHeadersPolicyConfig": headers}
        policies.append(recorded("AWS::CloudFront::ResponseHeadersPolicy", "headers", properties))
    return Distribution(found, policies, account=ACCOUNT, s3=ClosedS3(), call_api=call_api), requests


class ClosedS3:
    """Fails where an object is asked for."""

    def get_object(self, **_: str) -> dict[str, Any]:
        raise AssertionError("S3 was asked without need")


def test_without_a_policy_the_origin_sees_neither_query_nor_authorization() -> None:
    request = Request("GET", "/a", "x=1", (("Authorization", "Bearer x"), ("Host", "h"), ("Accept", "text/html")))
    served, seen = distribution()
    served.answer(request)
    served, seen_with_policy = distribution(
        {"PathPattern": "/a", "OriginRequestPolicyId": ALL_VIEWER_EXCEPT_HOST_HEADER}
    )
    served.answer(request)
    assert (seen[0].path, seen[0].query, seen[0].headers) == ("/prod/a", "", (("Accept", "text/html"),))
    assert seen_with_policy[0].query == "x=1"
    assert seen_with_policy[0].headers == (("Authorization", "Bearer x"), ("Accept", "text/html"))


def test_methods_must_be_allowed() -> None:
    served, seen = distribution({"PathPattern": "/api", "AllowedMethods": ["GET", "POST"]})
    assert served.answer(Request("POST", "/page")).status == 403
    assert served.answer(Request("DELETE", "/api")).status == 403
    assert seen == []
    served.answer(Request("POST", "/api", body=b"{}"))
    assert [request.body for request in seen] == [b"{}"]


@pytest.mark.parametrize(
    ("path", "status"), [("/pictures/a.png", 403), ("/pictures/more/a.png", 403), ("/picturesque", 404), ("/a", 404)]
)
def test_the_first_pattern_that_fits_decides(path: str, status: int) -> None:
    served, _ = distribution({"PathPattern": "pictures/*", "TargetOriginId": "bucket"}, {"PathPattern": "*"})
    assert served.answer(Request("GET", path)).status == status


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Action": "s3:PutObject"},
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Resource": "arn:aws:s3:::other/*"},
        {"Condition": {"StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E2"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E2*"}}},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": "444455556666"}}},
    ],
)
def test_a_bucket_whose_policy_does_not_name_the_distribution_stays_closed(changed: dict[str, Any]) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Resource": "arn:aws:s3:::pages/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"}},
    }
    behaviour = {"PathPattern": "*", "TargetOriginId": "bucket"}
    served, _ = distribution(behaviour, policy={"Statement": [statement]})
    with pytest.raises(AssertionError, match="S3 was asked"):
        served.answer(Request("GET", "/a"))
    served, _ = distribution(behaviour, policy={"Statement": [statement | changed]})
    assert served.answer(Request("GET", "/a")).status == 403


@pytest.mark.parametrize(("override", "value"), [(False, "kept"), (True, "of the policy")])
def test_headers_of_the_origin_stay_unless_the_policy_overrides_them(override: bool, value: str) -> None:
    added = {"Header": "Server-Header", "Value": "of the policy", "Override": override}
    headers = {
        "CustomHeadersConfig": {"Items": [added]},
        "SecurityHeadersConfig": {
            "ContentTypeOptions": {"Override": True},
            "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Override": True},
        },
    }
    served, _ = distribution({"PathPattern": "*", "ResponseHeadersPolicyId": "headers"}, headers=headers)
    answer = served.answer(Request("GET", "/a"))
    assert answer.header("Server-Header") == value
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Strict-Transport-Security") == "max-age=60; includeSubDomains"


def test_an_error_page_takes_the_place_of_every_such_error() -> None:
    rule = {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/page.html"}
    served, seen = distribution(CustomErrorResponses=[rule])
    assert served.answer(Request("GET", "/api/nothing")).status == 200
    assert [request.path for request in seen] == ["/prod/api/nothing", "/prod/page.html"]


@pytest.mark.parametrize(
    "behaviour",
    [
        {"CachePolicyId": "of-ones-own"},
        {"OriginRequestPolicyId": "of-ones-own"},
        {"ResponseHeadersPolicyId": "of-aws"},
        {"FunctionAssociations": [{"EventType": "viewer-request"}]},
    ],
)
def test_what_is_not_played_is_refused(behaviour: dict[str, Any]) -> None:
    served, _ = distribution({"PathPattern": "*", **behaviour})
    with pytest.raises(NotPlayedError):
        served.answer(Request("GET", "/a"))
