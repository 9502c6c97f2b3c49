"""The real `cdk` command deploys, changes and destroys stacks as it would on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.aws import CREDENTIALS, REGION, aws_stand_in
from tests.aws_emulator.cdk_command import CdkError
from tests.aws_emulator.crashes import StandInError
from tests.aws_emulator.stand_in import StandIn


def read(url: str) -> str:
    return httpx.get(url).raise_for_status().text


def ask_function(url: str, **asked: str) -> Any:
    return httpx.post(f"{url}/api", json=asked, timeout=60).raise_for_status().json()


def names_left(stand_in: StandIn) -> dict[str, list[str]]:
    """What there is of everything that the sample app makes."""
    client = stand_in.client
    return {
        "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "functions": [found["FunctionName"] for found in client("lambda").list_functions()["Functions"]],
        "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"]],
        "log groups": [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
        "stacks": [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]],
    }


def test_a_stack_is_deployed_changed_and_destroyed(stand_in: StandIn, assemblies: Path) -> None:
    stand_in.cdk("deploy", "Deleted", app=assemblies / "first")
    table = stand_in.outputs("Deleted")["TableName"]
    dynamodb = stand_in.client("dynamodb")
    with stand_in.edge("Deleted") as edge:
        assert edge.here(stand_in.outputs("Deleted")["Url"]) == f"{edge.url}/"
        assert read(edge.url) == "<h1>version 1</h1>"
        assert read(f"{edge.url}/only-1.txt") == "here"
        assert ask_function(edge.url, do="keep", name="anna")["version"] == 1

        stand_in.cdk("deploy", "Deleted", app=assemblies / "changed")

        assert read(edge.url) == "<h1>version 2</h1>"
        assert read(f"{edge.url}/pictures/a.svg") == "<svg/>"  # which the page's deployment leaves alone
        with pytest.raises(httpx.HTTPStatusError, match="403"):
            read(f"{edge.url}/only-1.txt")
        assert ask_function(edge.url, do="nothing")["version"] == 2
        assert dynamodb.scan(TableName=table)["Items"] == [{"pk": {"S": "anna"}}]
        assert edge.troubles == []
    assert stand_in.outputs("Deleted")["TableName"] == table

    stand_in.cdk("destroy", "Deleted", app=assemblies / "changed")

    left = names_left(stand_in)
    (log_group,) = left.pop("log groups")
    assert "CDKBucketDeployment" in log_group  # the CDK keeps it
    assert left == {"buckets": [stand_in.asset_bucket], "tables": [], "functions": [], "roles": [], "stacks": []}


def test_what_is_to_be_kept_outlives_its_stack(stand_in: StandIn, assemblies: Path) -> None:
    stand_in.cdk("deploy", "Kept", app=assemblies / "first")
    outputs = stand_in.outputs("Kept")
    dynamodb = stand_in.client("dynamodb")
    with stand_in.edge("Kept") as edge:
        ask_function(edge.url, do="keep", name="anna")
    described = dynamodb.describe_table(TableName=outputs["TableName"])["Table"]
    assert described["DeletionProtectionEnabled"]
    backups = dynamodb.describe_continuous_backups(TableName=outputs["TableName"])["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"

    stand_in.cdk("destroy", "Kept", app=assemblies / "first")

    left = names_left(stand_in)
    assert (left["tables"], left["functions"], left["stacks"]) == ([outputs["TableName"]], [], [])
    assert left["buckets"] == [stand_in.asset_bucket, outputs["BucketName"]]
    assert dynamodb.scan(TableName=outputs["TableName"])["Items"] == [{"pk": {"S": "anna"}}]
    assert stand_in.client("s3").get_bucket_versioning(Bucket=outputs["BucketName"])["Status"] == "Enabled"
    versions = stand_in.client("s3").list_object_versions(Bucket=outputs["BucketName"])["Versions"]
    assert [version["Key"] for version in versions] == ["kept/anna"]

    stand_in.cdk("deploy", "Kept", app=assemblies / "first")

    assert stand_in.outputs("Kept")["TableName"] != outputs["TableName"]


def test_a_protected_stack_stays(stand_in: StandIn, assemblies: Path) -> None:
    stand_in.cdk("deploy", "Protected", app=assemblies / "first")
    with pytest.raises(CdkError, match=r"cannot be deleted while TerminationProtection is enabled"):
        stand_in.cdk("destroy", "Protected", app=assemblies / "first")
    assert names_left(stand_in)["stacks"] == ["Protected"]


def test_a_stack_may_refer_to_another(stand_in: StandIn, assemblies: Path) -> None:
    stand_in.cdk("deploy", "Referring", app=assemblies / "first")
    (name,) = names_left(stand_in)["log groups"]
    assert stand_in.client("ssm").get_parameter(Name="/name")["Parameter"]["Value"] == name


def test_a_bucket_with_objects_is_not_deleted(stand_in: StandIn, assemblies: Path) -> None:
    s3 = stand_in.client("s3")
    stand_in.cdk("deploy", "Taken", app=assemblies / "first")
    s3.put_object(Bucket="taken-0", Key="data", Body=b"precious")
    with pytest.raises(CdkError, match=r"The bucket you tried to delete is not empty"):
        stand_in.cdk("destroy", "Taken", app=assemblies / "first")
    assert s3.get_object(Bucket="taken-0", Key="data")["Body"].read() == b"precious"
    s3.delete_object(Bucket="taken-0", Key="data")

    stand_in.cdk("destroy", "Taken", app=assemblies / "first")

    left = names_left(stand_in)
    assert (left["buckets"], left["stacks"]) == ([stand_in.asset_bucket], [])
    assert len(left["log groups"]) == 1  # which is to be kept


def test_a_stack_that_cannot_be_created_leaves_nothing(stand_in: StandIn, assemblies: Path) -> None:
    s3 = stand_in.client("s3")
    s3.create_bucket(Bucket="taken-0")
    with pytest.raises(CdkError, match=r"CREATE_FAILED.*AWS::S3::Bucket"):
        stand_in.cdk("deploy", "Taken", app=assemblies / "first")
    assert names_left(stand_in)["log groups"] == []  # though it would be kept from a stack that was ever complete
    s3.delete_bucket(Bucket="taken-0")

    stand_in.cdk("deploy", "Taken", app=assemblies / "first")

    assert "taken-0" in names_left(stand_in)["buckets"]


def test_a_stack_that_cannot_be_changed_goes_back(stand_in: StandIn, assemblies: Path) -> None:
    stand_in.cdk("deploy", "Taken", app=assemblies / "first")
    before = names_left(stand_in)
    s3 = stand_in.client("s3")
    s3.create_bucket(Bucket="taken-1")
    with pytest.raises(CdkError, match=r"UPDATE_FAILED.*AWS::S3::Bucket"):
        stand_in.cdk("deploy", "Taken", app=assemblies / "changed")
    s3.delete_bucket(Bucket="taken-1")
    assert names_left(stand_in) == before

    stand_in.cdk("deploy", "Taken", app=assemblies / "changed")

    assert {"taken-0", "taken-1"} <= set(names_left(stand_in)["buckets"])


def test_a_type_of_resource_that_is_not_known_fails(stand_in: StandIn, assemblies: Path) -> None:
    with pytest.raises(
        StandInError, match=r"Workgroup has type AWS::Athena::WorkGroup, which the emulator does not know"
    ):
        stand_in.cdk("deploy", "Unknown", app=assemblies / "first")


def test_an_account_must_be_bootstrapped(assemblies: Path) -> None:
    with StandIn() as stand_in, pytest.raises(CdkError, match=r"bootstrap"):
        stand_in.cdk("deploy", "Protected", app=assemblies / "first")


def test_a_call_that_moto_does_not_have_fails_at_once() -> None:
    with (
        pytest.raises(StandInError, match=r"simulate_principal_policy"),
        StandIn() as stand_in,
        pytest.raises(ClientError, match=r"the stand-in crashed"),
    ):
        stand_in.client("iam").simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{stand_in.account}:user/developer", ActionNames=["s3:GetObject"]
        )


def test_accounts_have_nothing_to_do_with_each_other() -> None:
    with aws_stand_in() as other:
        others = boto3.client("s3", endpoint_url=other.url, region_name=REGION, **CREDENTIALS)
        others.create_bucket(Bucket="of-another")
        with StandIn() as stand_in:
            stand_in.bootstrap()
            assert stand_in.client("sts").get_caller_identity()["Account"] == stand_in.account
            assert names_left(stand_in)["buckets"] == [stand_in.asset_bucket]
        with StandIn() as stand_in:
            assert names_left(stand_in)["buckets"] == []
        assert "of-another" in [bucket["Name"] for bucket in others.list_buckets()["Buckets"]]
        others.delete_bucket(Bucket="of-another")


def test_there_is_one_stand_in_at_a_time() -> None:
    with StandIn(), pytest.raises(RuntimeError, match=r"one at a time"), StandIn():
        pass
