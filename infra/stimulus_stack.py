"""`StimulusStack`: the images of a data set, online once for all studies that show them."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledgements import acknowledge
from infra.private_bucket import private_bucket
from lwise_core import aws_names
from lwise_core.cloud.naming import stimulus_bucket_name


class StimulusStack(Stack):
    """A private bucket that the CloudFront distributions of this account may read. `lwise stimuli publish` fills it.

    Its name is fixed, so that studies can use it without a cross-stack reference. Destroying the stack deletes the
    images, which are copies; the stack is protected because studies may be showing them.
    """

    def __init__(self, scope: Construct, id_: str, *, dataset: str, **options: Any) -> None:
        super().__init__(scope, id_, description=f"lwise images of {dataset}", termination_protection=True, **options)
        bucket = private_bucket(
            self, "Pictures", keep=False, bucket_name=stimulus_bucket_name(dataset, self.account, self.region)
        )
        acknowledge(bucket, "AwsSolutions-S1", "holds no personal data; only CloudFront reads it")
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                resources=[bucket.arn_for_objects("*")],
                # Any distribution of the account: a bucket policy has room for few names.
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {
                        "aws:SourceArn": self.format_arn(
                            service="cloudfront", region="", resource="distribution", resource_name="*"
                        )
                    },
                },
            )
        )
        output = CfnOutput(self, aws_names.STIMULUS_BUCKET, value=bucket.bucket_name)
        output.override_logical_id(aws_names.STIMULUS_BUCKET)
