"""`ComputeStack`: the artefact bucket and the role of jobs on SageMaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from aws_cdk import ArnFormat, CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgements import acknowledge, finding_on
from infra.budget import Budget, monthly_budget
from infra.private_bucket import private_bucket
from lwise_core import aws_names

_DEFAULT_IMAGE_ACCOUNT = "763104351884"
"""The account whose registry has AWS's PyTorch images, in all regions but those of `IMAGE_ACCOUNTS`."""
IMAGE_ACCOUNTS = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688",
    "eu-isoe-west-1": "371248457586",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eusc-de-east-1": "204133271717",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "me-west-1": "124382933778",
    "mx-central-1": "637423239942",
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
    "us-iso-east-1": "886529160074",
    "us-isob-east-1": "094389454867",
    "us-isof-east-1": "303241398832",
    "us-isof-south-1": "454834333376",
}
_IMAGE_REPOSITORY = "pytorch"
_JOB_LOGS = f"{aws_names.JOB_LOGS}*"
"""Log groups and metric namespaces of jobs; SageMaker names them."""
_INCOMPLETE_UPLOAD_EXPIRY = Duration.days(7)
_CHECKPOINT_EXPIRY = Duration.days(30)


_FOLDERS = {
    aws_names.DATASETS: ["s3:GetObject"],
    aws_names.JOBS: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
    aws_names.CHECKPOINTS: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
}
"""Folder of the bucket -> what jobs may do in it; `sagemaker_jobs.artefacts` describes the folders."""
_VPC_DESCRIPTIONS = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
_VPC_ACTIONS = {
    "network-interface": [
        *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission"),
        *("ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"),
    ],
    "subnet": ["ec2:CreateNetworkInterface"],
    "security-group": ["ec2:CreateNetworkInterface"],
}
"""Resource type -> what jobs in subnets may do with those of the account."""


class ComputeStack(Stack):
    """The bucket outlives the stack: its models took days to train.

    Attributes
    ----------
    bucket : code, checkpoints, scores and variants.
    role : execution role of jobs.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        readable_buckets: Sequence[str],
        budget: Budget | None = None,
        in_vpc: bool = False,
        **options: Any,
    ) -> None:
        """
        Parameters
        ----------
        readable_buckets : names of other buckets that jobs may read, e.g. buckets with data sets.
        budget : monthly budget of all jobs; None: no budget.
        in_vpc : whether jobs may run in subnets of the account's VPC.
        """
        super().__init__(scope, id_, description="lwise jobs on SageMaker", **options)
        self.bucket = self._build_bucket()
        self.role = self._build_role(readable_buckets)
        if in_vpc:
            self._allow_vpc(self.role)
        if budget is not None:
            monthly_budget(self, "Budget", budget, tag=aws_names.JOB_TAG, values=get_args(aws_names.JobKind))
        for name, value in {
            aws_names.ARTEFACT_BUCKET: self.bucket.bucket_name,
            aws_names.JOB_ROLE: self.role.role_arn,
        }.items():
            CfnOutput(self, name, value=value).override_logical_id(name)

    def _build_bucket(self) -> s3.Bucket:
        bucket = private_bucket(
            self,
            "Artefacts",
            keep=True,
            # An incomplete upload costs as much as a complete one.
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=_INCOMPLETE_UPLOAD_EXPIRY),
                # Only interrupted trainings read them; the finished model is in jobs/.
                s3.LifecycleRule(prefix=f"{aws_names.CHECKPOINTS}/", expiration=_CHECKPOINT_EXPIRY),
            ],
        )
        acknowledge(bucket, "AwsSolutions-S1", "holds no personal data; only jobs and their owners read it")
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
        self._allow_logs_and_metrics(role)
        return role

    def _allow_buckets(self, role: iam.Role, readable: Sequence[str]) -> None:
        others = [s3.Bucket.from_bucket_name(self, f"Readable-{name}", name) for name in readable]
        _allow(role, ["s3:ListBucket", "s3:GetBucketLocation"], *(one.bucket_arn for one in (self.bucket, *others)))
        for folder, actions in _FOLDERS.items():
            _allow_below(
                role,
                actions,
                self.bucket.arn_for_objects(f"{folder}/*"),
                because="jobs choose the names of their files, in a bucket for jobs only",
            )
        for bucket in others:
            _allow_below(
                role,
                ["s3:GetObject"],
                bucket.arn_for_objects("*"),
                because="whoever deployed the stack listed this bucket as readable by jobs",
            )

    def _allow_images(self, role: iam.Role) -> None:
        _allow_below(
            role,
            ["ecr:GetAuthorizationToken"],
            "*",
            because="ECR sign-in and metrics support no narrower resource",
        )
        account = IMAGE_ACCOUNTS.get(self.region, _DEFAULT_IMAGE_ACCOUNT)
        _allow(
            role,
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            self.format_arn(service="ecr", account=account, resource="repository", resource_name=_IMAGE_REPOSITORY),
        )

    def _allow_vpc(self, role: iam.Role) -> None:
        """What SageMaker needs to attach instances to subnets. Describe actions support no narrower resource."""
        _allow(role, [f"ec2:Describe{what}" for what in _VPC_DESCRIPTIONS], "*")
        for resource, actions in _VPC_ACTIONS.items():
            _allow_below(
                role,
                actions,
                self.format_arn(service="ec2", resource=resource, resource_name="*"),
                because="network interfaces are created per job, and each job names its own subnets",
            )

    def _allow_logs_and_metrics(self, role: iam.Role) -> None:
        """Allow writing logs and metrics of jobs only."""
        _allow_below(
            role,
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            self.format_arn(
                service="logs",
                resource="log-group",
                resource_name=_JOB_LOGS,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            because="SageMaker names the log groups of jobs",
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringLike": {"cloudwatch:namespace": _JOB_LOGS}},
            )
        )


def _allow(role: iam.Role, actions: list[str], *resources: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=list(resources)))


def _allow_below(role: iam.Role, actions: list[str], resource: str, *, because: str) -> None:
    """Allow actions on a wildcard resource, and accept cdk-nag's finding on it."""
    _allow(role, actions, resource)
    acknowledge(role, finding_on(role, resource), because)
