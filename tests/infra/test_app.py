"""Which stacks the app adds, and what it passes on from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra import app as cdk_app
from lwise_core.authoring.folder import StudyFolder
from lwise_core.errors import InputError
from tests.infra.readable import role_statements


def test_readable_buckets_come_from_the_context(tmp_path: Path) -> None:
    app = App(context={"readable_buckets": "lab-data,other"})
    cdk_app.build(app, [], page=tmp_path, work=tmp_path)
    stack = app.node.find_child("ComputeStack")
    assert isinstance(stack, Stack)
    resources = {one for *_, on, _ in role_statements(Template.from_stack(stack).to_json())["Jobs"] for one in on}
    for bucket in ("lab-data", "other"):
        assert f"arn:<AWS::Partition>:s3:::{bucket}/*" in resources


def test_studies_with_the_same_stack_name_are_rejected_before_any_is_added(tmp_path: Path) -> None:
    studies = [StudyFolder(tmp_path / name, tmp_path / name / "config.yaml") for name in ("big_moths_1", "big-moths_1")]
    with pytest.raises(InputError, match="would both have the stack ExperimentStack-big-moths-1"):
        cdk_app.build(App(), studies, page=tmp_path, work=tmp_path)
