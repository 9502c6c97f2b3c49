"""How tables, buckets, the API and the distribution of a study are configured: exactly."""

from __future__ import annotations

from typing import Any

import pytest

from lwise_core.sessions.api import CALLS
from tests.infra.conftest import ACCOUNT, REGION, Synthesised
from tests.infra.readable import readable, resources

_STACK = "ExperimentStack-kept-1"
_PRIVATE = {
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    ),
}
_CACHED, _NOT_CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""AWS's cache policies CachingOptimized and CachingDisabled."""
_ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AWS's origin request policy AllViewerExceptHostHeader."""


def _without_tags(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "Tags"}


def _key(name: str, type_: str, role: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"AttributeName": name, "AttributeType": type_}, {"AttributeName": name, "KeyType": role}


def test_tables_have_the_keys_that_the_store_uses(synthesised: Synthesised) -> None:
    tables = resources(synthesised.templates[_STACK], "AWS::DynamoDB::Table")
    pk, pk_key = _key("pk", "S", "HASH")
    sk, sk_key = _key("sk", "S", "RANGE")
    slot, slot_key = _key("slot", "N", "RANGE")
    free_from, free_from_key = _key("free_from", "S", "RANGE")
    common = {
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    index = {
        "IndexName": "free_slots",
        "KeySchema": [pk_key, free_from_key],
        "Projection": {"ProjectionType": "ALL"},
    }
    assert {id_: _without_tags(table) for id_, table in tables.items()} == {
        "StorageSessions": {**common, "AttributeDefinitions": [pk, sk], "KeySchema": [pk_key, sk_key]},
        "StorageCounter": {
            **common,
            "AttributeDefinitions": [pk, slot, free_from],
            "KeySchema": [pk_key, slot_key],
            "LocalSecondaryIndexes": [index],
        },
    }


def test_buckets_are_encrypted_private_and_logged(synthesised: Synthesised) -> None:
    buckets = resources(synthesised.templates[_STACK], "AWS::S3::Bucket")
    assert _without_tags(buckets["SiteBucket"]) == _PRIVATE
    assert _without_tags(buckets["StorageData"]) == {
        **_PRIVATE,
        "VersioningConfiguration": {"Status": "Enabled"},
        "LoggingConfiguration": {
            "DestinationBucketName": f"lwise-logs-{ACCOUNT}-{REGION}",
            "LogFilePrefix": f"{_STACK}/",
        },
    }


def test_access_logs_are_deleted_after_three_months(synthesised: Synthesised) -> None:
    assert _without_tags(resources(synthesised.templates["AccountStack"], "AWS::S3::Bucket")["Logs"]) == {
        **_PRIVATE,
        "BucketName": f"lwise-logs-{ACCOUNT}-{REGION}",
        "LifecycleConfiguration": {"Rules": [{"ExpirationInDays": 90, "Status": "Enabled"}]},
    }


def test_artefacts_keep_models_and_drop_broken_uploads(synthesised: Synthesised) -> None:
    assert _without_tags(resources(synthesised.templates["ComputeStack"], "AWS::S3::Bucket")["Artefacts"]) == {
        **_PRIVATE,
        "LifecycleConfiguration": {
            "Rules": [
                {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"},
                {"ExpirationInDays": 30, "Prefix": "checkpoints/", "Status": "Enabled"},
            ]
        },
    }


def test_the_account_keeps_its_logging_role(synthesised: Synthesised) -> None:
    template = synthesised.templates["AccountStack"]
    assert resources(template, "AWS::ApiGateway::Account") == {
        "ApiGatewayAccount": {"CloudWatchRoleArn": "<ApiGatewayLogs.Arn>"}
    }
    kept = {r["Type"] for r in template["Resources"].values() if r.get("DeletionPolicy") == "Retain"}
    assert kept == {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
    (account,) = (r for r in template["Resources"].values() if r["Type"] == "AWS::ApiGateway::Account")
    assert [readable({"Ref": id_}) for id_ in account["DependsOn"]] == ["<ApiGatewayLogs>"]


def test_data_bucket_tags_name_its_tables_and_the_study(synthesised: Synthesised) -> None:
    tags = resources(synthesised.templates[_STACK], "AWS::S3::Bucket")["StorageData"]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "lwise:stack": _STACK,
        "lwise:session-table": "<StorageSessions>",
        "lwise:counter-table": "<StorageCounter>",
        "lwise:study": "kept_1",
        "project": "moths",
    }


def test_the_session_function_is_configured_as_measured(synthesised: Synthesised) -> None:
    function = resources(synthesised.templates[_STACK], "AWS::Lambda::Function")["SessionsFunction"]
    del function["Code"], function["Tags"], function["Description"]
    assert function == {
        "Architectures": ["arm64"],
        "Environment": {
            "Variables": {
                "SESSION_TABLE": "<StorageSessions>",
                "COUNTER_TABLE": "<StorageCounter>",
                "DATA_BUCKET": "<StorageData>",
            }
        },
        "Handler": "lambdas.session_api.handler.lambda_handler",
        "LoggingConfig": {"LogGroup": "<SessionsFunctionLogs>"},
        "MemorySize": 512,
        "Role": "<SessionsFunctionRole.Arn>",
        "Runtime": "python3.14",
        "Timeout": 15,
    }


@pytest.mark.parametrize(
    ("stack", "per_second", "at_once"), [(_STACK, 50, 80), ("ExperimentStack-deleted-2", 200, 500)]
)
def test_the_stage_throttles_and_logs_errors(
    synthesised: Synthesised, stack: str, per_second: int, at_once: int
) -> None:
    template = synthesised.templates[stack]
    (stage,) = resources(template, "AWS::ApiGateway::Stage").values()
    assert stage["MethodSettings"] == [
        {
            "DataTraceEnabled": False,
            "HttpMethod": "*",
            "LoggingLevel": "ERROR",
            "MetricsEnabled": True,
            "ResourcePath": "/*",
            "ThrottlingBurstLimit": at_once,
            "ThrottlingRateLimit": per_second,
        }
    ]
    assert stage["StageName"] == "prod"
    assert stage["AccessLogSetting"]["DestinationArn"].endswith("<SessionsAccessLogs>")
    (api,) = resources(template, "AWS::ApiGateway::RestApi").values()
    assert (api["MinimumCompressionSize"], api["EndpointConfiguration"]) == (2048, {"Types": ["REGIONAL"]})


def test_every_call_is_a_validated_method_of_the_api(synthesised: Synthesised) -> None:
    template = synthesised.templates[_STACK]
    paths = {f"<{id_}>": one["PathPart"] for id_, one in resources(template, "AWS::ApiGateway::Resource").items()}
    methods = {paths[one["ResourceId"]]: one for one in resources(template, "AWS::ApiGateway::Method").values()}
    assert {name: one["HttpMethod"] for name, one in methods.items()} == {
        name: call.method for name, call in CALLS.items()
    }
    models = resources(template, "AWS::ApiGateway::Model")
    for name, method in methods.items():
        assert method["RequestValidatorId"] == "<SessionsApiBodies>"
        assert method["AuthorizationType"] == "NONE"
        assert method["Integration"]["Type"] == "AWS_PROXY"
        assert "<SessionsFunction.Arn>" in method["Integration"]["Uri"]
        if CALLS[name].method == "GET":
            assert "RequestModels" not in method
        else:
            assert method["RequestModels"] == {"application/json": f"<SessionsApi{name.title()}>"}
            json_type = {str: "string", list: "array"}
            properties = {field: {"type": json_type[type_]} for field, type_ in CALLS[name].required.items()}
            assert models[f"SessionsApi{name.title()}"]["Schema"] == {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "type": "object",
                "properties": properties,
                "required": list(properties),
            }
    (validator,) = resources(template, "AWS::ApiGateway::RequestValidator").values()
    assert (validator["ValidateRequestBody"], validator["ValidateRequestParameters"]) == (True, True)


def test_calls_must_carry_these_fields() -> None:
    assert {name: set(call.required) for name, call in CALLS.items() if call.required} == {
        "sessions": {"platform", "assignment_id"},
        "trials": {"trials"},
        "problems": {"kind", "message"},
        "contact": {"email"},
    }


def _distribution(synthesised: Synthesised, stack: str = _STACK) -> dict[str, Any]:
    (found,) = resources(synthesised.templates[stack], "AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = found["DistributionConfig"]
    return config


def test_each_path_has_its_cache_rule_and_the_security_headers(synthesised: Synthesised) -> None:
    config = _distribution(synthesised)
    origins = {one["Id"]: one["DomainName"] for one in config["Origins"]}
    page = "<SiteBucket.RegionalDomainName>"
    api = f"<SessionsApi>.execute-api.{REGION}.<AWS::URLSuffix>"
    default = {**config["DefaultCacheBehavior"], "PathPattern": ""}
    behaviours = {
        one.pop("PathPattern"): (origins[one.pop("TargetOriginId")], one)
        for one in map(dict, [default, *config["CacheBehaviors"]])
    }
    common = {"Compress": True, "ResponseHeadersPolicyId": "<SiteHeaders>"}
    redirect = {"ViewerProtocolPolicy": "redirect-to-https"}
    call = {
        "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
        "OriginRequestPolicyId": _ALL_BUT_HOST,
        "ViewerProtocolPolicy": "https-only",
    }
    assert behaviours == {
        "": (page, {**common, **redirect, "CachePolicyId": _NOT_CACHED}),
        "api/*": (api, {**common, **call, "CachePolicyId": _NOT_CACHED}),
        "assets/*": (page, {**common, **redirect, "CachePolicyId": _CACHED}),
        "stimuli/*": (page, {**common, **redirect, "CachePolicyId": _CACHED}),
    }
    assert (config["DefaultRootObject"], config["HttpVersion"]) == ("index.html", "http2and3")


def test_buckets_are_read_with_signed_requests_and_the_api_over_tls(synthesised: Synthesised) -> None:
    config = _distribution(synthesised)
    by_kind = {"S3OriginConfig" in one: one for one in config["Origins"]}
    assert by_kind[True]["OriginAccessControlId"] == "<SiteDistributionOrigin1S3OriginAccessControl.Id>"
    assert by_kind[False]["OriginPath"] == "/<SessionsApiDeploymentStageprod>"
    assert by_kind[False]["CustomOriginConfig"] == {
        "OriginProtocolPolicy": "https-only",
        "OriginSSLProtocols": ["TLSv1.2"],
    }
    (control,) = resources(synthesised.templates[_STACK], "AWS::CloudFront::OriginAccessControl").values()
    signed = control["OriginAccessControlConfig"]
    assert (signed["SigningBehavior"], signed["SigningProtocol"]) == ("always", "sigv4")


def test_every_answer_has_security_headers(synthesised: Synthesised) -> None:
    (policy,) = resources(synthesised.templates[_STACK], "AWS::CloudFront::ResponseHeadersPolicy").values()
    headers = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    content = headers.pop("ContentSecurityPolicy")
    assert content["Override"] is True
    assert content["ContentSecurityPolicy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers == {
        "ContentTypeOptions": {"Override": True},
        "ReferrerPolicy": {"Override": True, "ReferrerPolicy": "no-referrer"},
        "StrictTransportSecurity": {
            "AccessControlMaxAgeSec": 365 * 24 * 3600,
            "IncludeSubdomains": False,
            "Override": True,
        },
    }


def test_page_is_uploaded_after_the_files_that_it_names(synthesised: Synthesised) -> None:
    deployments = resources(synthesised.templates[_STACK], "Custom::CDKBucketDeployment")
    for_ever, revalidated = "public, max-age=31536000, immutable", "no-cache"
    uploads = {
        one.get("DestinationBucketKeyPrefix", ""): one["SystemMetadata"]["cache-control"]
        for one in deployments.values()
    }
    assert uploads == {"assets": for_ever, "stimuli": for_ever, "": revalidated}
    assert all(one["RetainOnDelete"] is True for one in deployments.values())
    (page,) = (
        one
        for id_, one in synthesised.templates[_STACK]["Resources"].items()
        if one["Type"] == "Custom::CDKBucketDeployment" and "Page" in id_
    )
    waits_for = " ".join(page["DependsOn"])
    assert "SiteDeploymentsAssetsCustomResource" in waits_for
    assert "SiteDeploymentsPicturesCustomResource" in waits_for


def test_deployed_outputs_name_what_they_should(synthesised: Synthesised) -> None:
    outputs = readable(synthesised.templates[_STACK]["Outputs"])
    values = {name: one["Value"] for name, one in outputs.items() if not name.startswith(("Link", "SessionsApi"))}
    assert values == {
        "Address": "https://<SiteDistribution.DomainName>",
        "DomainTarget": "<SiteDistribution.DomainName>",
        "DataBucket": "<StorageData>",
        "SessionTable": "<StorageSessions>",
        "CounterTable": "<StorageCounter>",
    }
    jobs = readable(synthesised.templates["ComputeStack"]["Outputs"])
    assert {name: one["Value"] for name, one in jobs.items()} == {
        "ArtefactBucket": "<Artefacts>",
        "JobRole": "<Jobs.Arn>",
    }


def test_every_function_log_is_deleted_with_its_stack(synthesised: Synthesised) -> None:
    template = synthesised.templates[_STACK]
    groups = [one for one in template["Resources"].values() if one["Type"] == "AWS::Logs::LogGroup"]
    assert {one["DeletionPolicy"] for one in groups} == {"Delete"}


def test_stacks_deploy_after_the_account_stack(synthesised: Synthesised) -> None:
    assert [stack.node.id for stack in synthesised.stack(_STACK).dependencies] == ["AccountStack"]
    assert synthesised.stack(_STACK).termination_protection
    assert not synthesised.stack("ExperimentStack-deleted-2").termination_protection
