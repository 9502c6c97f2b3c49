"""What is left in an account when a study's stack is destroyed, and when nothing of the project is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lwise_core.simulation.learners import LearnerModel, take_part
from tests.aws_emulator.inventory import Inventory, added, inventory
from tests.aws_emulator.participant import Participant
from tests.aws_emulator.stand_in import StandIn
from tests.aws_emulator.variations import Variations

_KEEPS, _DELETES = "ExperimentStack-moths-0", "ExperimentStack-moths-1"
_OF_A_STUDY = {
    *("bucket", "table", "function", "role", "log group", "dashboard", "stack"),
    *(f"AWS::ApiGateway::{part}" for part in ("RestApi", "Deployment", "Stage", "Resource", "Method", "Model")),
    *(f"AWS::CloudFront::{part}" for part in ("Distribution", "OriginAccessControl", "ResponseHeadersPolicy")),
    *("AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter", "AWS::Lambda::LayerVersion", "AWS::S3::BucketPolicy"),
}
"""Some of what is there of every study that is deployed."""


def _account(stand_in: StandIn, assembly: Path) -> Inventory:
    """What there is in an account before its first study."""
    stand_in.cdk("deploy", "AccountStack", app=assembly)
    return inventory(stand_in)


@contextmanager
def _deployed(stand_in: StandIn, stack: str, assembly: Path) -> Iterator[str]:
    """The address of a study in which one participant has taken part."""
    stand_in.cdk("deploy", stack, app=assembly)
    with stand_in.edge(stack) as edge:
        ending = take_part(edge.url, assignment_id="one", model=LearnerModel(), seed=1)
        assert ending["state"] == "completed"
        yield edge.url
        assert edge.troubles == []


def test_of_a_study_whose_data_are_to_be_deleted_nothing_is_left(stand_in: StandIn, variations: Variations) -> None:
    bootstrapped = inventory(stand_in)
    before = _account(stand_in, variations.assembly)
    with _deployed(stand_in, _DELETES, variations.assembly) as url, Participant(url, "one") as participant:
        participant.start()
        participant.call("contact", {"email": "someone@example.org"})
    bucket = stand_in.outputs(_DELETES)["DataBucket"]
    assert stand_in.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1  # the bucket is not empty
    assert {*_OF_A_STUDY, "topic", "AWS::SNS::Subscription"} <= added(before, inventory(stand_in)).keys()

    stand_in.cdk("destroy", _DELETES, app=variations.assembly)

    assert inventory(stand_in) == before

    stand_in.cdk("destroy", "AccountStack", app=variations.assembly)

    left = added(bootstrapped, inventory(stand_in))
    assert left.keys() == {"role", "AWS::ApiGateway::Account"}
    # With it APIs that are not of this project may write logs.
    (account,), (role,) = stand_in.recorded("AWS::ApiGateway::Account"), left["role"]
    assert account.properties["CloudWatchRoleArn"].endswith(f"/{role}")


def test_of_a_study_whose_data_are_to_be_kept_nothing_else_is_left(stand_in: StandIn, moths: Path) -> None:
    before = _account(stand_in, moths)
    with _deployed(stand_in, _KEEPS, moths):
        outputs = stand_in.outputs(_KEEPS)
        assert added(before, inventory(stand_in)).keys() >= _OF_A_STUDY

    stand_in.cdk("destroy", _KEEPS, app=moths)

    kept = {
        "table": sorted(outputs[name] for name in ("SessionTable", "CounterTable")),
        "bucket": [outputs["DataBucket"]],
    }
    left = inventory(stand_in)
    more = added(before, left)
    assert len(more.pop("AWS::S3::BucketPolicy")) == 1  # that of the bucket: it wants TLS as before
    assert more == kept
    assert added(left, before) == {}
    # Whoever deletes a kept table by hand has to take its protection back first.
    for table in kept["table"]:
        with pytest.raises(stand_in.client("dynamodb").exceptions.ClientError, match=r"(?i)protect"):
            stand_in.client("dynamodb").delete_table(TableName=table)
