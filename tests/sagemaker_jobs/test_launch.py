"""What is asked of SageMaker, field by field, and what is refused before it costs anything."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import Stubber

from lwise_core.errors import InputError
from lwise_core.vision.settings import plain
from lwise_core.vision.training.config import TrainingConfig
from sagemaker_jobs.artefacts import Artefacts, artefacts, dataset_place
from sagemaker_jobs.aws_errors import launching as saying_refusals
from sagemaker_jobs.container.job import new_job, read_job, write_job
from sagemaker_jobs.inputs import prepare
from sagemaker_jobs.launch import folder_of, launch, new_id
from sagemaker_jobs.monitor import job_status, wait_for
from sagemaker_jobs.prices import estimate
from tests.aws import StandIn
from tests.run_cli import lwise, succeed
from tests.sagemaker_jobs.conftest import BUCKET, ROLE, DataSet
from tests.sagemaker_jobs.requests import sent

_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.11-cu130-amzn2023-sagemaker"
_KEY = "arn:aws:kms:us-east-1:123456789012:key/mine"
_MACHINES = {
    "instance_count": 2,
    "volume_gb": 50,
    "max_hours": 2,
    "kms_key": _KEY,
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "tags": {"lab": "moths"},
}


def test_a_training_is_asked_for(bucket: Any, guide: Path) -> None:
    settings = {"epsilon": 3, "epochs": 5, "architecture": "resnet18"}
    name, request, calls = sent(new_job("train", "moths", model=str(guide), settings=settings, compute=_MACHINES))
    folder = f"s3://{BUCKET}/jobs/{name.rpartition('-')[0]}"
    assert request["TrainingJobName"] == name
    assert request["RoleArn"] == ROLE
    specification = request["AlgorithmSpecification"]
    assert specification["TrainingImage"] == _IMAGE
    assert {"Name": "robust_accuracy", "Regex": r"\brobust_accuracy=([0-9.eE+-]+)"} in specification[
        "MetricDefinitions"
    ]
    assert request["ResourceConfig"] == {
        "InstanceType": "ml.g5.xlarge",
        "InstanceCount": 2,
        "VolumeSizeInGB": 50,
        "VolumeKmsKeyId": _KEY,
    }
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 14400}
    id_ = name.rpartition("-")[0]
    kept = {"S3Uri": f"s3://{BUCKET}/checkpoints/{id_}", "LocalPath": "/opt/ml/checkpoints"}
    assert request["CheckpointConfig"] == kept
    left = {"S3OutputPath": f"{folder}/output", "KmsKeyId": _KEY, "CompressionType": "NONE"}
    assert request["OutputDataConfig"] == left
    assert request["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert request["Tags"] == [{"Key": "lab", "Value": "moths"}, {"Key": "lwise:job", "Value": "train"}]
    channels = {one["ChannelName"]: one for one in request["InputDataConfig"]}
    places = {name: one["DataSource"]["S3DataSource"]["S3Uri"] for name, one in channels.items()}
    assert places["images"] == f"s3://{BUCKET}/datasets/moths/images/"
    assert {name: places[name] for name in ("job", "dirmap", "model")} == {
        name: f"{folder}/input/{name}/" for name in ("job", "dirmap", "model")
    }
    assert {name: one["InputMode"] for name, one in channels.items() if name != "images"} == dict.fromkeys(
        channels.keys() - {"images"}, "File"
    )
    assert channels["images"]["InputMode"] == "FastFile"
    told = request["HyperParameters"]
    assert (float(told["epsilon"]), told["epochs"], told["architecture"]) == (3, "5", "resnet18")
    assert told.keys() == {name for name, value in plain(TrainingConfig(**settings)).items() if value is not None}
    assert "GetCallerIdentity" not in calls, "that is the SDK's telemetry"


@pytest.mark.parametrize("kind", ["enhance", "score"])
def test_processing_is_asked_for(kind: Any, bucket: Any, guide: Path, tmp_path: Path) -> None:
    name, request, calls = sent(new_job(kind, "moths", model=str(guide), settings={}, compute=_MACHINES))
    folder = f"s3://{BUCKET}/jobs/{name.rpartition('-')[0]}"
    assert request["ProcessingJobName"] == name
    assert request["RoleArn"] == ROLE
    assert request["AppSpecification"] == {
        "ImageUri": _IMAGE,
        "ContainerEntrypoint": ["/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh"],
    }
    cluster = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 50, "VolumeKmsKeyId": _KEY}
    assert request["ProcessingResources"] == {"ClusterConfig": cluster}
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200}
    inputs = {one["InputName"]: one["S3Input"] for one in request["ProcessingInputs"]}
    assert inputs["images"]["S3Uri"] == f"s3://{BUCKET}/datasets/moths/images/"
    for wanted in ("job", "dirmap", "model"):
        assert inputs[wanted]["S3Uri"] == f"{folder}/input/{wanted}/"
        assert inputs[wanted]["LocalPath"] == f"/opt/ml/processing/input/{wanted}"
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"] == {
        "S3Uri": f"{folder}/output",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "Continuous",
    }
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == _KEY
    vpc = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": False, "VpcConfig": vpc}
    assert request["Tags"] == [{"Key": "lab", "Value": "moths"}, {"Key": "lwise:job", "Value": kind}]
    assert "GetCallerIdentity" not in calls
    bucket.download_file(BUCKET, f"jobs/{name.rpartition('-')[0]}/input/job/job.yaml", str(tmp_path / "job.yaml"))
    assert read_job(tmp_path / "job.yaml").compute.tags == {"lab": "moths"}, "what was launched is on record"


def test_files_that_settings_name_travel_with_the_job(bucket: Any, guide: Path, tmp_path: Path) -> None:
    (tmp_path / "kinds.yaml").write_text("blue: [0]\ngreen: [1]\nred: [2]\n")
    settings = {"superclasses": str(tmp_path / "kinds.yaml")}
    name, _, _ = sent(new_job("score", "moths", model=str(guide), settings=settings, compute={}))
    folder = f"jobs/{name.rpartition('-')[0]}/input/job"
    there = bucket.get_object(Bucket=BUCKET, Key=f"{folder}/superclasses.yaml")["Body"].read()
    assert yaml.safe_load(there) == {"blue": [0], "green": [1], "red": [2]}
    job = yaml.safe_load(bucket.get_object(Bucket=BUCKET, Key=f"{folder}/job.yaml")["Body"].read())
    assert job["settings"]["superclasses"] == "superclasses.yaml"


def test_a_dry_run_prints_the_request_and_the_price_and_sends_nothing(bucket: Any, tmp_path: Path, guide: Path) -> None:
    before = bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"]
    options = ("--instance-count", 4, "--instance-type", "ml.g5.12xlarge", "--max-hours", 3)
    sweep = ("--eps", 0.25, 0.5, 1, 2, 4, 8)
    done = lwise("jobs", "enhance", "moths", "--model", guide, *sweep, *options, "--dry-run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 4
    assert "28.36 USD an hour, at most 85.08 USD in 3 h" in done.stderr
    trained = json.loads(succeed("jobs", "train", "moths", "--eps", 3, "--dry-run", folder=tmp_path))
    assert trained["EnableManagedSpotTraining"] is True
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == before


def test_nothing_is_launched_that_was_not_agreed_to(bucket: Any, account: StandIn, tmp_path: Path, guide: Path) -> None:
    sagemaker = account.client("sagemaker")
    before = sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    asked = lwise("jobs", "score", "moths", "--model", guide, folder=tmp_path)
    assert asked.returncode == 1
    assert "Launch it?" in asked.stderr
    assert sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == before


def test_a_job_is_launched_and_looked_after(bucket: Any, tmp_path: Path, guide: Path) -> None:
    succeed("jobs", "score", "moths", "--model", guide, "--save", "job.yaml", folder=tmp_path)
    name = succeed("jobs", "run", "job.yaml", "--yes", folder=tmp_path).strip()
    listed = json.loads(succeed("jobs", "list", "--json", folder=tmp_path))
    assert name in [job["name"] for job in listed]
    assert f"{name}: Completed" in succeed("jobs", "show", name, folder=tmp_path)
    assert f"{name}: Completed" in succeed("jobs", "wait", name, folder=tmp_path)
    missing = lwise("jobs", "show", "lwise-score-none-0000-20260101000000", folder=tmp_path)
    assert missing.returncode == 2
    assert "job lwise-score-none-0000-20260101000000: " in missing.stderr
    assert "is not a job of this project" in lwise("jobs", "stop", "mine", folder=tmp_path).stderr


def test_waiting_tells_of_every_change(bucket: Any, account: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = account.client("sagemaker")
    name = "lwise-train-moths-0000-20260101000000"
    moment = "2026-01-01T00:00:00Z"
    with Stubber(sagemaker) as stubbed:
        for status, step in [("InProgress", "Starting"), ("InProgress", "Starting"), ("Failed", "Failed")]:
            answer = {
                "TrainingJobName": name,
                "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}",
                "ModelArtifacts": {"S3ModelArtifacts": "s3://a/b"},
                "TrainingJobStatus": status,
                "SecondaryStatus": step,
                "AlgorithmSpecification": {"TrainingInputMode": "File"},
                "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1},
                "StoppingCondition": {},
                "CreationTime": moment,
                "FailureReason": "AlgorithmError: no such class",
            }
            stubbed.add_response("describe_training_job", answer, {"TrainingJobName": name})
        monkeypatch.setattr("sagemaker_jobs.monitor.client", lambda service: sagemaker)
        told = []
        ended = wait_for(name, on_status=told.append, sleep=lambda seconds: None)
    assert [status.step for status in told] == ["Starting", "Failed"]
    assert (ended.machines, ended.reason) == ("2 x ml.g5.xlarge", "AlgorithmError: no such class")


def test_logs_of_all_machines_are_read(bucket: Any, account: StandIn, tmp_path: Path) -> None:
    logs, group = account.client("logs"), "/aws/sagemaker/ProcessingJobs"
    name = "lwise-score-moths-1111-20260101000000"
    logs.create_log_group(logGroupName=group)
    for number in (1, 2):
        stream = f"{name}/algo-{number}-1700000000"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": round(time.time() * 1000) + number, "message": f"part {number} of 2"}]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    printed = succeed("jobs", "logs", name, folder=tmp_path)
    assert printed.splitlines() == ["algo-1 part 1 of 2", "algo-2 part 2 of 2"]


def test_a_data_set_is_uploaded_once(bucket: Any, moths: DataSet, tmp_path: Path) -> None:
    arguments = ("jobs", "upload", "butterflies", moths.root / "dirmap.csv", "--images", moths.images)
    assert "72 of 72 images" in succeed(*arguments, "--dry-run", folder=tmp_path)
    assert "72 of 72 images" in succeed(*arguments, folder=tmp_path)
    assert "0 of 72 images" in succeed(*arguments, folder=tmp_path)
    name = moths.rows[0].im_path
    there = bucket.get_object(Bucket=BUCKET, Key=f"datasets/butterflies/images/{name}")["Body"].read()
    assert there == (moths.images / name).read_bytes()


def test_an_image_that_was_mended_is_uploaded_again_though_its_size_is_the_same(
    bucket: Any, moths: DataSet, tmp_path: Path
) -> None:
    images, name = tmp_path / "images", moths.rows[0].im_path
    shutil.copytree(moths.images, images)
    arguments = ("jobs", "upload", "mended", moths.root / "dirmap.csv", "--images", images)
    succeed(*arguments, folder=tmp_path)
    mended = (images / name).read_bytes()[:-1] + b"!"
    (images / name).write_bytes(mended)
    assert "1 of 72 images" in succeed(*arguments, folder=tmp_path)
    assert bucket.get_object(Bucket=BUCKET, Key=f"datasets/mended/images/{name}")["Body"].read() == mended


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/moths"])
def test_a_data_set_has_a_name(name: str) -> None:
    with pytest.raises(InputError, match="expected a name such as idaea4"):
        dataset_place(name, Artefacts(BUCKET, ROLE))


def test_a_slash_after_a_data_set_is_no_part_of_its_name() -> None:
    assert str(dataset_place("moths/", Artefacts(BUCKET, ROLE))) == f"s3://{BUCKET}/datasets/moths"


@pytest.mark.parametrize("dataset", ["Käfer", "蛾", "s3://mine/moths.of_2026/", "long" * 20])
def test_whatever_a_data_set_is_called_sagemaker_takes_the_name_of_its_job(dataset: str) -> None:
    id_ = new_id(new_job("enhance", dataset, model="m.safetensors", settings={}, compute={}))
    name = f"{id_}-20260101000000"
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert folder_of(name, Artefacts(BUCKET, ROLE)).prefix == f"jobs/{id_}"


def test_a_kind_of_machine_without_an_image_is_refused_with_its_name(bucket: Any, tmp_path: Path, guide: Path) -> None:
    machine = ("--instance-type", "ml.trn1.2xlarge")
    refused = lwise("jobs", "score", "moths", "--model", guide, *machine, "--dry-run", folder=tmp_path)
    assert refused.returncode == 2
    assert "instance_type is ml.trn1.2xlarge: AWS has no image with PyTorch 2.11 for it in us-east-1" in refused.stderr


def test_what_a_job_may_cost_is_told_for_all_its_machines() -> None:
    def told(kind: Any, **compute: Any) -> str:
        return estimate(new_job(kind, "moths", model="m.safetensors", settings={}, compute=compute)).told()

    machines = {"instance_type": "ml.c5.xlarge", "instance_count": 10, "max_hours": 5}
    assert told("score", **machines).startswith("2.04 USD an hour, at most 10.20 USD in 5 h (prices of us-east-1, ")
    spot = "0.61 to 1.22 USD an hour on spot machines, at most 10.20 USD in 5 h"
    assert told("train", **machines).startswith(spot), "spot machines may come to cost as much as others"
    assert told("train", **machines, spot=False).startswith("2.04 USD an hour, at most 10.20 USD")
    assert told("score", instance_type="ml.g99.xlarge").startswith("price unknown: ")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (
            {"compute": {"instance_count": 99}},
            "instance_count is 99; expected at most the 72 rows",
        ),
        ({"dataset": "beetles"}, r"datasets/beetles/dirmap.csv: .*upload it with `lwise jobs upload`"),
        ({"model": "none.safetensors"}, "model is none.safetensors: no such file"),
        ({"model": "lwise-train-none-0000-20260101000000"}, "training job lwise-train-none-0000-20260101000000: "),
    ],
)
def test_what_would_fail_on_the_machines_is_refused_here(
    changed: dict[str, Any], complaint: str, bucket: Any, guide: Path
) -> None:
    told = {"dataset": "moths", "model": str(guide), "compute": {}, **changed}
    job = new_job("score", told["dataset"], model=told["model"], settings={}, compute=told["compute"])
    with pytest.raises(InputError, match=complaint):
        prepare(job, new_id(job), artefacts())


def test_a_row_without_an_image_is_refused_with_its_name(bucket: Any, guide: Path, moths: DataSet) -> None:
    bucket.delete_object(Bucket=BUCKET, Key=f"datasets/moths/images/{moths.rows[5].im_path}")
    job = new_job("score", "moths", model=str(guide), settings={}, compute={})
    with pytest.raises(InputError, match=f"{moths.rows[5].im_path}: no such image"):
        prepare(job, new_id(job), artefacts())


def test_without_the_stack_people_are_told_to_deploy_it(account: StandIn, tmp_path: Path, guide: Path) -> None:
    refused = lwise("jobs", "score", "moths", "--model", guide, "--yes", folder=tmp_path)
    assert refused.returncode == 2
    assert "npx cdk deploy ComputeStack" in refused.stderr


@pytest.mark.parametrize(
    ("code", "message", "page"),
    [
        ("ResourceLimitExceeded", "The limit is 0.", "servicequotas/home/services/sagemaker/quotas"),
        ("AccessDeniedException", "Not allowed.", "iam/home#/users"),
        ("ValidationException", "Could not assume role jobs.", "iam/home#/roles"),
        ("ValidationException", "Unknown instance type.", "sagemaker/home"),
    ],
)
def test_a_refusal_of_sagemaker_is_told_with_the_page_that_helps(
    code: str, message: str, page: str, bucket: Any
) -> None:
    job = new_job("train", "moths", model=None, settings={}, compute={})
    session = boto3.Session()

    def refuse(**_: Any) -> Any:
        raise session.client("sagemaker").exceptions.from_code(code)(
            {"Error": {"Code": code, "Message": message}}, "CreateTrainingJob"
        )

    session.events.register("before-call.sagemaker.CreateTrainingJob", refuse)
    ready = prepare(job, new_id(job), artefacts())
    with pytest.raises(InputError) as refusal, saying_refusals(job):
        launch(ready, session)
    assert f"train job on 1 x ml.g5.xlarge: {message} ({code})" in str(refusal.value)
    assert f"https://us-east-1.console.aws.amazon.com/{page}" in str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"kind": "dream"}, r"kind: expected 'train', 'enhance' or 'score' \(found 'dream'\)"),
        ({"settings": {"epsilon": [1, -1]}}, r"epsilon.1: expected more than 0 \(found -1\)"),
        ({"settings": {"lr": 1}}, "lr: unknown key; expected one of batch, best"),
        ({"compute": {"spot": True}}, "compute.spot is true; SageMaker has spot machines for training jobs only"),
        ({"compute": {"max_hours": 217}}, "compute.max_hours is 217; expected 216 or less"),
        ({"compute": {"subnets": ["a"]}}, "subnets and compute.security_groups go together"),
        ({"compute": {"instance_type": "g5.xlarge"}}, "compute.instance_type: String should match"),
        ({"model": None}, "model is missing; a job of kind enhance needs the guide model"),
        ({"colour": "blue"}, "colour: unknown key; expected one of compute, dataset"),
    ],
)
def test_a_file_that_is_no_job_is_refused(changed: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    told = {"kind": "enhance", "dataset": "moths", "model": "m.safetensors", **changed}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(told))
    with pytest.raises(InputError, match=complaint) as refusal:
        read_job(tmp_path / "job.yaml")
    assert str(tmp_path / "job.yaml") in str(refusal.value)


def test_a_job_that_was_written_is_read_again(tmp_path: Path) -> None:
    settings = {"epsilon": [1, 2], "superclasses": {"a": [1], "b": [2, 3]}}
    job = new_job("enhance", "s3://mine/moths", model="m.safetensors", settings=settings, compute=_MACHINES)
    write_job(tmp_path / "job.yaml", job)
    assert read_job(tmp_path / "job.yaml") == job
    assert job.dataset_name == "moths"
    assert new_id(job).startswith("lwise-enhance-moths-")


def test_a_processing_job_says_what_its_entry_point_left(account: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told:
        def describe_processing_job(self, **_: Any) -> dict[str, Any]:
            return {
                "ProcessingJobStatus": "Failed",
                "CreationTime": "2026-01-01",
                "ExitMessage": "photos/1.png: damaged image",
                "FailureReason": "AlgorithmError: See job logs",
            }

    monkeypatch.setattr("sagemaker_jobs.monitor.client", lambda service: Told())
    assert job_status("lwise-score-moths-0000-20260101000000").reason == "photos/1.png: damaged image"
