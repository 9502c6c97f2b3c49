"""A bucket as all of ours are: nobody reads it without being allowed to, and only over TLS."""

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
    keep : whether it and what is in it outlives its stack. Otherwise it is emptied and deleted with the stack.
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
        # Without it, what is kept could be asked for without TLS.
        assert bucket.policy is not None, "enforce_ssl makes one"  # noqa: S101
        bucket.policy.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    else:
        _give_logs_to_what_empties_it(Stack.of(bucket))
    return bucket


def _give_logs_to_what_empties_it(stack: Stack) -> None:
    """Lambda would make a log group for the CDK's function itself, and leave it behind."""
    if stack.node.try_find_child("EmptyingLogs") is not None:
        return
    provider = stack.node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider")
    function = provider.node.find_child("Handler")
    assert isinstance(function, CfnResource), "the CDK's function is a plain resource"  # noqa: S101
    function.add_property_override("LoggingConfig.LogGroup", log_group(stack, "EmptyingLogs").log_group_name)
