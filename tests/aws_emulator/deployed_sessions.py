"""The sessions of a deployed study, read from its tables."""

from __future__ import annotations

from pathlib import Path

from lwise_core.authoring.compile import compile_study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.stores.dynamodb.store import DynamoStore
from tests.aws_emulator.stand_in import StandIn


def deployed_sessions(stand_in: StandIn, stack: str, study: Path) -> SessionService:
    """A service over the tables that a stack names in its outputs."""
    outputs = stand_in.outputs(stack)
    store = DynamoStore(
        dynamodb=stand_in.client("dynamodb"),
        s3=stand_in.client("s3"),
        session_table=outputs["SessionTable"],
        counter_table=outputs["CounterTable"],
        bucket=outputs["DataBucket"],
    )
    return SessionService(compile_study(study).study, store)
