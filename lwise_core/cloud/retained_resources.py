"""Resources that outlive a study's stack: their cost, and how to delete them."""

from __future__ import annotations

from dataclasses import dataclass

from lwise_core.cloud.aws_client import client, explain_aws_errors
from lwise_core.cloud.deployed import Tables

# List prices of us-east-1 in USD per GB and month; docs/cloud-costs.md says where they are from.
_TABLE_USD = 0.25 + 0.20
"""Storage and point-in-time recovery."""
_BUCKET_USD = 0.023
_GB = 1e9


@dataclass(frozen=True)
class RetainedResource:
    """A table or a bucket.

    Attributes
    ----------
    usd_a_month : by the list prices of us-east-1.
    """

    kind: str
    name: str
    n_bytes: int
    usd_a_month: float


def is_retained(tables: Tables) -> bool:
    """Whether the study was deployed with `on_destroy: keep`, which protects its tables from being deleted.

    Raises
    ------
    InputError
    """
    with explain_aws_errors(f"table {tables.session_table}"):
        described = client("dynamodb").describe_table(TableName=tables.session_table)["Table"]
    return bool(described.get("DeletionProtectionEnabled", False))


def retained_resources_of(tables: Tables) -> list[RetainedResource]:
    """The tables, by their size of some hours ago, and the bucket with all versions of its objects.

    Raises
    ------
    InputError
    """
    dynamodb = client("dynamodb")
    parts = []
    for name in (tables.session_table, tables.counter_table):
        with explain_aws_errors(f"table {name}"):
            n_bytes = dynamodb.describe_table(TableName=name)["Table"]["TableSizeBytes"]
        parts.append(RetainedResource("table", name, n_bytes, n_bytes / _GB * _TABLE_USD))
    n_bytes = _bucket_bytes(tables.bucket)
    return [*parts, RetainedResource("bucket", tables.bucket, n_bytes, n_bytes / _GB * _BUCKET_USD)]


def how_to_delete(tables: Tables) -> list[str]:
    """Commands of the AWS CLI that delete the retained resources permanently."""
    commands = []
    for name in (tables.session_table, tables.counter_table):
        commands += [
            f"aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled",
            f"aws dynamodb delete-table --table-name {name}",
        ]
    # It keeps versions, which this command does not delete; the console's `Empty` does.
    return [*commands, f"aws s3 rb s3://{tables.bucket}   (after `Empty` in the S3 console)"]


def _bucket_bytes(name: str) -> int:
    with explain_aws_errors(f"bucket {name}"):
        pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=name)
        return sum(version["Size"] for page in pages for version in page.get("Versions", ()))
