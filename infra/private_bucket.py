"""The kind of bucket that all stacks use: private, encrypted, TLS only."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.log_group import log_group


def private_bucket(scope: Construct, id_: str, *, keep: bool, **options: Any) -> s3.Bucket:
    """A private, encrypted bucket.

    Parameters
    ----------
    keep : whether the bucket and its objects outlive the stack. Otherwise they are deleted with it.
    """
    bucket = s3.Bucket(
        scope,
        id_,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        # A first deployment that fails leaves nothing behind.
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep else RemovalPolicy.DESTROY,
        auto_delete_objects=not keep,
        **options,
    )
    if keep:
        # The retained bucket stays TLS only.
        assert bucket.policy is not None, "enforce_ssl makes one"  # noqa: S101
        bucket.policy.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    else:
        _set_log_group_of_emptying_function(Stack.of(bucket))
    return bucket


def _set_log_group_of_emptying_function(stack: Stack) -> None:
    """Give the CDK's function that empties buckets a log group; the one that Lambda creates would be left behind."""
    if stack.node.try_find_child("EmptyingLogs") is not None:
        return
    provider = stack.node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider")
    function = provider.node.find_child("Handler")
    assert isinstance(function, CfnResource), "the CDK's function is a plain resource"  # noqa: S101
    function.add_property_override("LoggingConfig.LogGroup", log_group(stack, "EmptyingLogs").log_group_name)
