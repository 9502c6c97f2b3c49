"""What `cdk destroy` leaves behind."""

from __future__ import annotations

import pytest

from tests.infra.conftest import Synthesised

_KEPT, _DELETED = "ExperimentStack-kept-1", "ExperimentStack-deleted-2"
_DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")


def test_tables_and_data_bucket_are_retained(synthesised: Synthesised) -> None:
    kept = {
        id_
        for type_ in _DATA
        for id_, resource in synthesised.resources(_KEPT, type_).items()
        if resource["DeletionPolicy"] == "RetainExceptOnCreate" and resource["UpdateReplacePolicy"] == "Retain"
    }
    assert {id_[:-8] for id_ in kept} == {"StorageSessions", "StorageCounter", "StorageData"}
    tables = synthesised.resources(_KEPT, "AWS::DynamoDB::Table").values()
    assert all(table["Properties"]["DeletionProtectionEnabled"] for table in tables)
    assert synthesised.stack(_KEPT).termination_protection


def test_nothing_else_is_retained(synthesised: Synthesised) -> None:
    resources = synthesised.templates[_KEPT]["Resources"]
    kept = {resource["Type"] for resource in resources.values() if "Retain" in resource.get("DeletionPolicy", "")}
    assert kept == {*_DATA, "AWS::S3::BucketPolicy"}
    # The page's bucket and its policy are not among them.
    assert len([1 for resource in resources.values() if "Retain" in resource.get("DeletionPolicy", "")]) == 4


def test_the_policy_of_a_retained_bucket_is_retained(synthesised: Synthesised) -> None:
    (data,) = [id_ for id_ in synthesised.resources(_KEPT, "AWS::S3::Bucket") if "StorageData" in id_]
    (policy,) = [
        policy
        for policy in synthesised.resources(_KEPT, "AWS::S3::BucketPolicy").values()
        if policy["Properties"]["Bucket"] == {"Ref": data}
    ]
    assert policy["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize("name", [_KEPT, _DELETED])
def test_every_function_and_stage_logs_to_a_group_of_the_stack(synthesised: Synthesised, name: str) -> None:
    groups = synthesised.resources(name, "AWS::Logs::LogGroup")
    functions = synthesised.resources(name, "AWS::Lambda::Function")
    assert len(functions) == 3  # sessions, copying the page, emptying buckets
    for id_, function in functions.items():
        assert function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in groups, id_
    (api,) = synthesised.resources(name, "AWS::ApiGateway::RestApi")
    names = [group["Properties"].get("LogGroupName") for group in groups.values()]
    assert {"Fn::Join": ["", ["API-Gateway-Execution-Logs_", {"Ref": api}, "/prod"]]} in names
    (stage,) = synthesised.resources(name, "AWS::ApiGateway::Stage").values()
    assert any(id_.startswith("SessionsApiErrorLogs") for id_ in stage["DependsOn"])


def test_on_destroy_delete_retains_nothing(synthesised: Synthesised) -> None:
    resources = synthesised.templates[_DELETED]["Resources"].values()
    assert not [resource for resource in resources if "Retain" in resource.get("DeletionPolicy", "")]
    tables = synthesised.resources(_DELETED, "AWS::DynamoDB::Table").values()
    assert not any(table["Properties"].get("DeletionProtectionEnabled") for table in tables)
    emptied = synthesised.resources(_DELETED, "Custom::S3AutoDeleteObjects")
    assert len(emptied) == len(synthesised.resources(_DELETED, "AWS::S3::Bucket"))


def test_tables_can_be_restored_to_any_moment_and_objects_to_any_version(synthesised: Synthesised) -> None:
    for table in synthesised.resources(_KEPT, "AWS::DynamoDB::Table").values():
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    (data,) = [
        bucket for id_, bucket in synthesised.resources(_KEPT, "AWS::S3::Bucket").items() if "StorageData" in id_
    ]
    assert data["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_deployments_never_delete_files(synthesised: Synthesised) -> None:
    deployments = synthesised.resources(_KEPT, "Custom::CDKBucketDeployment").values()
    assert len(deployments) == 3
    assert all(deployment["Properties"]["Prune"] is False for deployment in deployments)
    destinations = {str(deployment["Properties"]["DestinationBucketName"]) for deployment in deployments}
    assert len(destinations) == 1
    assert "SiteBucket" in destinations.pop()


@pytest.mark.parametrize("name", [_KEPT, _DELETED])
def test_log_groups_have_limited_retention(synthesised: Synthesised, name: str) -> None:
    groups = synthesised.resources(name, "AWS::Logs::LogGroup").values()
    assert groups
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {90}
