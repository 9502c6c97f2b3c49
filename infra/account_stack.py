"""`AccountStack`: what an account needs once per region, independent of its studies."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgements import acknowledge
from infra.private_bucket import private_bucket

_LOG_RETENTION = Duration.days(90)


def log_bucket_name(stack: Stack) -> str:
    """Name of the access-log bucket. Fixed, so that other stacks can use it without a cross-stack reference."""
    return f"lwise-logs-{stack.account}-{stack.region}"


class AccountStack(Stack):
    """The role with which API Gateway writes logs, and the access-log bucket of all buckets with participants' data.

    Both outlive every study: an account has one such role, and access logs that arrive late would block the deletion of
    a study's stack. Destroying this stack deletes the bucket and retains the role.
    """

    def __init__(self, scope: Construct, id_: str, **options: Any) -> None:
        super().__init__(scope, id_, **options)
        self._build_api_gateway_role()
        self._build_log_bucket()

    def _build_api_gateway_role(self) -> None:
        role = iam.Role(
            self,
            "ApiGatewayLogs",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonAPIGatewayPushToCloudWatchLogs")
            ],
        )
        acknowledge(
            role,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
            "the managed policy that API Gateway requires; it allows writing logs and nothing else",
        )
        account = apigateway.CfnAccount(self, "ApiGatewayAccount", cloud_watch_role_arn=role.role_arn)
        account.node.add_dependency(role)
        # Deleting it would stop logging for every API of the account.
        account.apply_removal_policy(RemovalPolicy.RETAIN)
        role.apply_removal_policy(RemovalPolicy.RETAIN)

    def _build_log_bucket(self) -> None:
        bucket = private_bucket(
            self,
            "Logs",
            keep=False,
            bucket_name=log_bucket_name(self),
            lifecycle_rules=[s3.LifecycleRule(expiration=_LOG_RETENTION)],
        )
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"],
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                resources=[bucket.arn_for_objects("*")],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        acknowledge(bucket, "AwsSolutions-S1", "this is the access-log bucket itself")
