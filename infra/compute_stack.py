"""`ComputeStack`: what jobs on SageMaker need: a bucket for what they make, and a role to make it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgements import acknowledge, finding_on
from infra.private_bucket import private_bucket

_IMAGES_OF_AWS = "763104351884"
"""The account in whose registry AWS keeps its images with PyTorch, in all but a few regions."""
_JOBS_REPORTS = "/aws/sagemaker/*"
"""Log groups and namespaces of metrics that SageMaker gives to jobs."""
_UPLOADS_GIVEN_UP_AFTER = Duration.days(7)


class ComputeStack(Stack):
    """The bucket outlives the stack: checkpoints in it took days to make.

    Attributes
    ----------
    bucket : for code, checkpoints, scores and variants.
    role : as which jobs run.
    """

    def __init__(self, scope: Construct, id_: str, *, readable_buckets: Sequence[str], **options: Any) -> None:
        """
        Parameters
        ----------
        readable_buckets : names of further buckets that jobs may read, such as those with data sets.
        """
        super().__init__(scope, id_, description="lwise jobs on SageMaker", **options)
        self.bucket = self._build_bucket()
        self.role = self._build_role(readable_buckets)
        for name, value in {"ArtefactBucket": self.bucket.bucket_name, "JobRole": self.role.role_arn}.items():
            CfnOutput(self, name, value=value).override_logical_id(name)

    def _build_bucket(self) -> s3.Bucket:
        bucket = private_bucket(
            self,
            "Artefacts",
            keep=True,
            # A checkpoint whose upload broke off costs as much as a whole one.
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=_UPLOADS_GIVEN_UP_AFTER)],
        )
        acknowledge(bucket, "AwsSolutions-S1", "holds no data of anyone, and only jobs and their owners read it")
        return bucket

    def _build_role(self, readable_buckets: Sequence[str]) -> iam.Role:
        here = {"StringEquals": {"aws:SourceAccount": self.account}}
        role = iam.Role(
            self,
            "Jobs",
            description="SageMaker jobs of lwise",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com", conditions=here),
        )
        self._allow_buckets(role, readable_buckets)
        self._allow_images(role)
        self._allow_reports(role)
        return role

    def _allow_buckets(self, role: iam.Role, readable: Sequence[str]) -> None:
        others = [s3.Bucket.from_bucket_name(self, f"Readable-{name}", name) for name in readable]
        _allow(role, ["s3:ListBucket", "s3:GetBucketLocation"], *(one.bucket_arn for one in (self.bucket, *others)))
        _allow_below(
            role,
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            self.bucket.arn_for_objects("*"),
            because="jobs name what they make, in a bucket that is theirs alone",
        )
        for bucket in others:
            _allow_below(
                role,
                ["s3:GetObject"],
                bucket.arn_for_objects("*"),
                because="whoever deployed the stack named this bucket for jobs to read",
            )

    def _allow_images(self, role: iam.Role) -> None:
        _allow_below(
            role,
            ["ecr:GetAuthorizationToken"],
            "*",
            because="signing in to ECR, and metrics, know no narrower resource",
        )
        _allow_below(
            role,
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            self.format_arn(service="ecr", account=_IMAGES_OF_AWS, resource="repository", resource_name="pytorch*"),
            because="AWS's images with PyTorch, for training and for other jobs",
        )

    def _allow_reports(self, role: iam.Role) -> None:
        """Log lines and metrics of jobs, nothing else's."""
        _allow_below(
            role,
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            self.format_arn(
                service="logs",
                resource="log-group",
                resource_name=_JOBS_REPORTS,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            because="SageMaker itself names the log groups of jobs",
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringLike": {"cloudwatch:namespace": _JOBS_REPORTS}},
            )
        )


def _allow(role: iam.Role, actions: list[str], *resources: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=list(resources)))


def _allow_below(role: iam.Role, actions: list[str], resource: str, *, because: str) -> None:
    """Allow something on a resource with a wildcard, for a reason."""
    _allow(role, actions, resource)
    acknowledge(role, finding_on(role, resource), because)
