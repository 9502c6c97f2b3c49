"""`SiteDeployments`: uploads local folders to a bucket as part of a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import IgnoreMode, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_s3_deployment as s3_deployment
from constructs import Construct

from infra.acknowledgements import acknowledge, logical_id
from infra.log_group import log_group

_MEMORY_MB = 1769
"""One full core: with less, large folders exceed a function's time limit."""


class SiteDeployments(Construct):
    """Uploads folders to one bucket, with a role that may do only this. Deletes nothing from the bucket."""

    def __init__(self, scope: Construct, id_: str, *, bucket: s3.Bucket) -> None:
        super().__init__(scope, id_)
        self._bucket = bucket
        self._log_group = log_group(self, "Logs")
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._log_group.grant_write(self._role)
        self._allow(["s3:ListBucket", "s3:GetBucketLocation"], [bucket.bucket_arn])
        self._allow(["s3:PutObject"], [bucket.arn_for_objects("*")])
        acknowledge(
            self._role,
            f"AwsSolutions-IAM5[Resource::<{logical_id(bucket)}.Arn>/*]",
            "it writes the page's files, whose names change, to a bucket that holds nothing else",
        )

    def deploy(
        self, id_: str, folder: Path, *, cache_control: str, prefix: str = "", exclude: Sequence[str] = ()
    ) -> Construct:
        """Upload a folder below `prefix`; `exclude` are patterns as in .gitignore."""
        asset = s3_assets.Asset(
            self, f"{id_}Files", path=str(folder), exclude=list(exclude), ignore_mode=IgnoreMode.GIT
        )
        self._allow(["s3:GetObject"], [asset.bucket.arn_for_objects(asset.s3_object_key)])
        self._allow(["s3:ListBucket"], [asset.bucket.bucket_arn])
        deployment = s3_deployment.BucketDeployment(
            self,
            id_,
            sources=[s3_deployment.Source.bucket(asset.bucket, asset.s3_object_key)],
            destination_bucket=self._bucket,
            destination_key_prefix=prefix or None,
            cache_control=[s3_deployment.CacheControl.from_string(cache_control)],
            prune=False,
            retain_on_delete=True,
            role=self._role.without_policy_updates(),
            log_group=self._log_group,
            memory_limit=_MEMORY_MB,
        )
        deployment.node.add_dependency(self._role)
        self._acknowledge_provider()
        return deployment

    def _acknowledge_provider(self) -> None:
        for child in Stack.of(self).node.children:
            if child.node.id.startswith("Custom::CDKBucketDeployment"):
                acknowledge(child, "AwsSolutions-L1", "a function of the CDK, which sets its runtime")

    def _allow(self, actions: list[str], resources: list[str]) -> None:
        self._role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
