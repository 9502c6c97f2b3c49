"""`SessionStorage`: tables and bucket with a study's sessions; everything else can be deployed again."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.account_stack import log_bucket_name
from infra.acknowledgements import acknowledge
from infra.private_bucket import private_bucket
from lwise_core.aws_names import COUNTER_TABLE_TAG, SESSION_TABLE_TAG, STACK_TAG
from lwise_core.sessions.stores.dynamodb import slots, store

_TEXT, _NUMBER = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER


class SessionStorage(Construct):
    """Session table, counter table and data bucket. With `keep`, all three outlive the stack."""

    def __init__(self, scope: Construct, id_: str, *, keep: bool) -> None:
        super().__init__(scope, id_)
        self._keep = keep
        self.session_table = self._build_table("Sessions", partition_key=store.PK, sort_key=(store.SK, _TEXT))
        self.counter_table = self._build_table("Counter", partition_key=slots.PK, sort_key=(slots.SLOT, _NUMBER))
        self.counter_table.add_local_secondary_index(
            index_name=slots.FREE_SLOTS, sort_key=dynamodb.Attribute(name=slots.FREE_FROM, type=_TEXT)
        )
        self.data_bucket = private_bucket(
            self,
            "Data",
            keep=keep,
            versioned=True,
            server_access_logs_bucket=s3.Bucket.from_bucket_name(self, "Logs", log_bucket_name(Stack.of(self))),
            server_access_logs_prefix=f"{Stack.of(self).stack_name}/",
        )
        for name, value in {
            STACK_TAG: Stack.of(self).stack_name,
            SESSION_TABLE_TAG: self.session_table.table_name,
            COUNTER_TABLE_TAG: self.counter_table.table_name,
        }.items():
            Tags.of(self.data_bucket).add(name, value)
        acknowledge(
            self.data_bucket,
            "Annotation::@aws-cdk/aws-s3:accessLogsPolicyNotAdded",
            "AccountStack lets every bucket of the account write there",
        )

    def _build_table(
        self, id_: str, *, partition_key: str, sort_key: tuple[str, dynamodb.AttributeType]
    ) -> dynamodb.Table:
        name, type_ = sort_key
        return dynamodb.Table(
            self,
            id_,
            partition_key=dynamodb.Attribute(name=partition_key, type=_TEXT),
            sort_key=dynamodb.Attribute(name=name, type=type_),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._keep,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self._keep else RemovalPolicy.DESTROY,
        )
