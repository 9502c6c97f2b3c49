"""Pictures that several studies show: one bucket, read by the studies' distributions and nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks

from infra import app as cdk_app
from lwise_core.authoring.folder import StudyFolder
from lwise_core.authoring.manifest import write_manifest
from tests.experiments.conftest import write_data_set, write_url_study
from tests.infra.conftest import ACCOUNT, REGION
from tests.infra.readable import bucket_statements

_STIMULI, _STUDY = "StimulusStack-big-moths", "ExperimentStack-online-1"
_BUCKET = f"lwise-stimuli-big-moths-{ACCOUNT}-{REGION}"
_CONFIG = {"session_config": [{"only": {"n_trials_per_class_val": 1}}], "stimuli": {"dataset": "big_moths"}}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """The app with two studies of one data set, whose images are not there, and a study with a false name of one."""
    folder = tmp_path_factory.mktemp("stimuli")
    (folder / "page" / "assets").mkdir(parents=True)
    (folder / "page" / "index.html").write_text("<!doctype html>", encoding="utf-8")
    (folder / "page" / "assets" / "page-1a.js").write_text("export {};", encoding="utf-8")
    rows = write_data_set(folder / "images", per_class={"val": 1}).rows
    studies = []
    for name, dataset in (("online_1", "big_moths"), ("online_2", "big_moths"), ("wrong_3", "Moths!")):
        study = write_url_study(folder / name, rows, {**_CONFIG, "stimuli": {"dataset": dataset}})
        published = {("natural", row.im_path): f"{number:032x}.png" for number, row in enumerate(rows)}
        write_manifest(study / "stimuli.csv", published)
        studies.append(StudyFolder(study, study / "config.yaml"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        environment.setenv("CDK_DEFAULT_REGION", REGION)
        app = App(outdir=str(folder / "cdk.out"), context=_context())
        cdk_app.build(app, studies, page=folder / "page", work=folder / "work")
    return {child.node.id: child for child in app.node.children if isinstance(child, Stack)}


def _context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((Path(cdk_app.__file__).parents[1] / "cdk.json").read_text("utf-8"))["context"]
    # Errors of a study that cannot be deployed are the command line's to judge, stack by stack.
    return {**context, "@aws-cdk/core:annotationsInValidationReport": False}


@pytest.fixture(scope="module")
def templates(stacks: dict[str, Stack]) -> dict[str, dict[str, Any]]:
    return {name: dict(Template.from_stack(stacks[name]).to_json()) for name in (_STIMULI, _STUDY)}


def _of_type(template: dict[str, Any], type_: str) -> list[dict[str, Any]]:
    return [resource for resource in template["Resources"].values() if resource["Type"] == type_]


def test_there_is_one_stack_for_each_data_set_that_studies_show(stacks: dict[str, Stack]) -> None:
    assert [name for name in stacks if name.startswith("StimulusStack")] == [_STIMULI]


@pytest.mark.parametrize("name", [_STIMULI, _STUDY])
def test_cdk_nag_reports_only_acknowledged_findings(stacks: dict[str, Stack], name: str) -> None:
    report = AwsSolutionsChecks(stacks[name].node.root).validate_scope(stacks[name])
    assert [(found.rule_name, found.severity) for found in report.violations] == []


@pytest.mark.parametrize("name", [_STIMULI, _STUDY])
def test_cfn_lint_reports_nothing(templates: dict[str, dict[str, Any]], name: str) -> None:
    found = cfnlint.api.lint(json.dumps(templates[name]), regions=[REGION])
    assert [str(one) for one in found if one.rule.id != "W3005"] == []


def test_stacks_have_no_warnings(stacks: dict[str, Stack]) -> None:
    said = [
        entry.data
        for name in (_STIMULI, _STUDY)
        for construct in stacks[name].node.find_all()
        for entry in construct.node.metadata
        if entry.type == "aws:cdk:warning"
    ]
    assert said == []


def test_only_distributions_of_this_account_read_the_images(templates: dict[str, dict[str, Any]]) -> None:
    (policy,) = _of_type(templates[_STIMULI], "AWS::S3::BucketPolicy")
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    (reading,) = (one for one in statements if one.get("Principal") == {"Service": "cloudfront.amazonaws.com"})
    assert (reading["Effect"], reading["Action"]) == ("Allow", "s3:GetObject")
    assert reading["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert f":cloudfront::{ACCOUNT}:distribution/*" in json.dumps(reading["Condition"]["ArnLike"])
    assert any(
        one["Effect"] == "Deny" and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for one in statements
    )


def test_the_image_bucket_admits_exactly_these(templates: dict[str, dict[str, Any]]) -> None:
    everything = ("<Pictures.Arn>", "<Pictures.Arn>/*")
    emptying = "AWS <CustomS3AutoDeleteObjectsCustomResourceProviderRole.Arn>"
    actions = ("s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy")
    distributions = (
        f"StringEquals aws:SourceAccount {ACCOUNT}; ArnLike aws:SourceArn arn:aws:cloudfront::{ACCOUNT}:distribution/*"
    )
    assert bucket_statements(templates[_STIMULI]) == {
        "Pictures": [
            ("Deny", "AWS *", ("s3:*",), everything, "Bool aws:SecureTransport false"),
            ("Deny", "AWS *", ("s3:*",), everything, "NumericLessThan s3:TlsVersion 1.2"),
            ("Allow", emptying, actions, everything, ""),
            ("Allow", "Service cloudfront.amazonaws.com", ("s3:GetObject",), ("<Pictures.Arn>/*",), distributions),
        ]
    }


def test_the_bucket_is_private_and_its_stack_protected(
    stacks: dict[str, Stack], templates: dict[str, dict[str, Any]]
) -> None:
    (bucket,) = _of_type(templates[_STIMULI], "AWS::S3::Bucket")
    assert bucket["Properties"]["BucketName"] == _BUCKET
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert stacks[_STIMULI].termination_protection


def test_a_study_serves_images_from_the_stimulus_bucket_and_uploads_none(templates: dict[str, dict[str, Any]]) -> None:
    (distribution,) = _of_type(templates[_STUDY], "AWS::CloudFront::Distribution")
    config = distribution["Properties"]["DistributionConfig"]
    (behaviour,) = (one for one in config["CacheBehaviors"] if one["PathPattern"] == "stimuli/*")
    (origin,) = (one for one in config["Origins"] if one["Id"] == behaviour["TargetOriginId"])
    assert _BUCKET in json.dumps(origin["DomainName"])
    assert origin["OriginAccessControlId"]
    assert len(_of_type(templates[_STUDY], "Custom::CDKBucketDeployment")) == 2


def test_a_study_does_not_depend_on_the_stimulus_stack(stacks: dict[str, Stack]) -> None:
    assert [stack.node.id for stack in stacks[_STUDY].dependencies] == ["AccountStack"]
