"""A bucket as all of ours are: nobody reads it without being allowed to, and only over TLS."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct


def private_bucket(scope: Construct, id_: str, *, keep: bool, **options: Any) -> s3.Bucket:
    """A private, encrypted bucket.

    Parameters
    ----------
    keep : whether it and what is in it outlives its stack. Otherwise it is emptied and deleted with the stack.
    """
    return s3.Bucket(
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
