"""Launch a job on SageMaker. The SDK builds the requests from what is given here."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from lwise_core import aws_names
from lwise_core.errors import InputError
from sagemaker_jobs.artefacts import Artefacts, S3Place
from sagemaker_jobs.container.job import Job
from sagemaker_jobs.container.metrics import METRICS
from sagemaker_jobs.source_bundle import REQUIREMENTS_FILE, write_code

if TYPE_CHECKING:
    from sagemaker.core.helper.session_helper import Session

PYTORCH = "2.11"
"""Version of PyTorch in AWS's image; this project's own."""

IMAGES = "images"
"""The input that is read in place, not copied for the job."""

_NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
_CODE_OF_TRAINING = "/opt/ml/input/data/code"
_LONGEST_DATASET = 20
"""Characters of a data set's name in that of a job, which has 63 at most."""
_HOUR_S = 3600


@dataclass(frozen=True)
class Launch:
    """A job and its inputs, ready to launch.

    Attributes
    ----------
    id : begins the job's name on SageMaker, and names its folder in the artefact bucket.
    inputs : name -> S3 URI; all but `images` were copied for this job.
    """

    id: str
    job: Job
    where: Artefacts
    inputs: Mapping[str, str]


def new_id(job: Job) -> str:
    """A name that no other job has."""
    letters = (letter if letter.isascii() and letter.isalnum() else "-" for letter in job.dataset_name)
    named = "".join(letters)[:_LONGEST_DATASET].strip("-")
    return f"lwise-{job.kind}-{named}-{secrets.token_hex(2)}"


def launch(launched: Launch, session: boto3.Session) -> str:
    """Send the request, without waiting for the job; returns its name on SageMaker.

    Raises
    ------
    botocore.exceptions.ClientError
        What SageMaker refuses, e.g. machines beyond a quota.
    """
    # The SDK's own check of the role asks IAM to simulate policies, which few people are allowed to.
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"
    from sagemaker.core.helper.session_helper import Session

    sdk = Session(
        boto_session=session,
        default_bucket=launched.where.bucket,
        default_bucket_prefix=f"{aws_names.JOBS}/{launched.id}/code",
        sagemaker_config=_NO_TELEMETRY,
    )
    with tempfile.TemporaryDirectory() as code:
        script = write_code(Path(code), launched.job.kind)
        send = _train if launched.job.kind == "train" else _process
        return send(launched, sdk, script)


def image_of(job: Job, region: str) -> str:
    """The container image: the job's own, or AWS's with this project's PyTorch.

    Raises
    ------
    InputError
        If AWS has none for this kind of machine.
    """
    if job.compute.image is not None:
        return job.compute.image
    from sagemaker.core import image_uris

    try:
        uri: str = image_uris.retrieve(
            framework="pytorch-amzn2023",
            region=region,
            version=PYTORCH,
            instance_type=job.compute.instance_type,
            image_scope="training",
        )
    except ValueError as error:
        raise InputError(
            f"instance_type is {job.compute.instance_type}: AWS has no image with PyTorch {PYTORCH} for it in {region} "
            f"({error}); choose another, or name an image of your own (--image)"
        ) from None
    return uri


def _train(launched: Launch, sdk: Session, script: Path) -> str:
    from sagemaker.core.shapes import Channel, DataSource, MetricDefinition, S3DataSource, StoppingCondition
    from sagemaker.core.training.configs import (
        CheckpointConfig,
        Compute,
        Networking,
        OutputDataConfig,
        SourceCode,
    )
    from sagemaker.train import ModelTrainer
    from sagemaker.train.distributed import Torchrun

    job, compute = launched.job, launched.job.compute
    seconds = round(compute.max_hours * _HOUR_S)
    waiting = round((compute.max_wait_hours or 2 * compute.max_hours) * _HOUR_S)
    trainer = ModelTrainer(
        sagemaker_session=sdk,
        role=launched.where.role,
        base_job_name=launched.id,
        training_image=image_of(job, sdk.boto_region_name),
        source_code=SourceCode(source_dir=str(script.parent), entry_script=script.name, requirements=REQUIREMENTS_FILE),
        distributed=Torchrun(),
        compute=Compute(
            instance_type=compute.instance_type,
            instance_count=compute.instance_count,
            volume_size_in_gb=compute.volume_gb,
            volume_kms_key_id=compute.kms_key,
            enable_managed_spot_training=job.uses_spot,
        ),
        networking=Networking(subnets=list(compute.subnets), security_group_ids=list(compute.security_groups))
        if compute.subnets
        else None,
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=seconds, **({"max_wait_time_in_seconds": waiting} if job.uses_spot else {})
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=launched.where.uri(f"{aws_names.JOBS}/{launched.id}/output"),
            kms_key_id=compute.kms_key,
            # So that the model is an object that the next job can read.
            compression_type="NONE",
        ),
        checkpoint_config=CheckpointConfig(s3_uri=launched.where.uri(f"{aws_names.CHECKPOINTS}/{launched.id}")),
        training_input_mode="File",
        environment={"BASH_ENV": f"{_CODE_OF_TRAINING}/sagemaker_jobs/container/signal_forwarder.sh"},
        hyperparameters={name: value for name, value in job.settings.items() if value is not None},
        tags=_tags(launched),
    ).with_metric_definitions([MetricDefinition(name=name, regex=regex) for name, regex in METRICS.items()])
    channels = [
        Channel(
            channel_name=name,
            data_source=DataSource(
                s3_data_source=S3DataSource(
                    s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="FullyReplicated"
                )
            ),
            # Images are read from S3 as they are needed, so that a training begins at once.
            input_mode="FastFile" if name == IMAGES else "File",
        )
        for name, uri in launched.inputs.items()
    ]
    try:
        trainer.train(input_data_config=channels, wait=False, logs=False)
    finally:
        # The SDK leaves its folder of start scripts behind where a request is refused.
        if trainer._temp_code_dir is not None:
            trainer._temp_code_dir.cleanup()
    sent = trainer._latest_training_job
    return str(sent.training_job_name) if sent is not None else ""


def _process(launched: Launch, sdk: Session, script: Path) -> str:
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import FrameworkProcessor
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output

    job, compute = launched.job, launched.job.compute
    name = f"{launched.id}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    processor = FrameworkProcessor(
        sagemaker_session=sdk,
        role=launched.where.role,
        image_uri=image_of(job, sdk.boto_region_name),
        command=["python3"],
        instance_type=compute.instance_type,
        instance_count=compute.instance_count,
        volume_size_in_gb=compute.volume_gb,
        volume_kms_key=compute.kms_key,
        output_kms_key=compute.kms_key,
        code_location=launched.where.uri(f"{aws_names.JOBS}/{launched.id}/code"),
        max_runtime_in_seconds=round(compute.max_hours * _HOUR_S),
        tags=_tags(launched),
        network_config=NetworkConfig(subnets=list(compute.subnets), security_group_ids=list(compute.security_groups))
        if compute.subnets
        else None,
    )
    inputs = [
        ProcessingInput(
            input_name=input_name,
            s3_input=ProcessingS3Input(
                s3_uri=uri,
                local_path=f"/opt/ml/processing/input/{input_name}",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
                s3_data_distribution_type="FullyReplicated",
            ),
        )
        for input_name, uri in launched.inputs.items()
    ]
    left = ProcessingOutput(
        output_name="output",
        s3_output=ProcessingS3Output(
            s3_uri=launched.where.uri(f"{aws_names.JOBS}/{launched.id}/output"),
            local_path="/opt/ml/processing/output",
            # What a machine has made is safe when it is lost.
            s3_upload_mode="Continuous",
        ),
    )
    processor.run(
        code=script.name,
        source_dir=str(script.parent),
        requirements=REQUIREMENTS_FILE,
        inputs=inputs,
        outputs=[left],
        wait=False,
        logs=False,
        job_name=name,
    )
    return name


def _tags(launched: Launch) -> list[dict[str, Any]]:
    tags = {**launched.job.compute.tags, aws_names.JOB_TAG: launched.job.kind}
    keys = ("key", "value") if launched.job.kind == "train" else ("Key", "Value")
    return [dict(zip(keys, pair, strict=True)) for pair in tags.items()]


def folder_of(name: str, where: Artefacts) -> S3Place:
    """Folder of a job in the artefact bucket, by the job's name on SageMaker."""
    return S3Place(where.bucket, f"{aws_names.JOBS}/{name.rpartition('-')[0]}")
