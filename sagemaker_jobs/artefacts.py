"""The artefact bucket of the `ComputeStack` and its layout.

datasets/<dataset>/dirmap.csv, datasets/<dataset>/images/…    what jobs read
jobs/<job>/input/{job,dirmap,model}/                          the inputs of one job, copied
jobs/<job>/code/…                                             the code that it ran
jobs/<job>/output/…                                           what its machines wrote
checkpoints/<job>/                                            of an unfinished training
"""

from __future__ import annotations

from dataclasses import dataclass

from lwise_core import aws_names
from lwise_core.cloud.deployed import stack_outputs
from lwise_core.errors import InputError

_REMEDY = f"Jobs need it: `npx cdk deploy {aws_names.COMPUTE_STACK}`"


@dataclass(frozen=True)
class Artefacts:
    """The artefact bucket and the execution role of jobs."""

    bucket: str
    role: str

    def uri(self, key: str) -> str:
        """URI of an object, or of a prefix."""
        return f"s3://{self.bucket}/{key}"


@dataclass(frozen=True)
class S3Place:
    """A bucket and a key prefix without trailing slash."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, uri: str) -> S3Place:
        """
        Raises
        ------
        InputError
            If it is no `s3://bucket/prefix`.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not prefix.strip("/"):
            raise InputError(f"{uri!r}: expected s3://bucket/prefix")
        return cls(bucket, prefix.rstrip("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def artefacts() -> Artefacts:
    """Read bucket and role from the outputs of the account's `ComputeStack`.

    Raises
    ------
    InputError
        If the stack is not deployed, or AWS cannot be reached.
    """
    outputs = stack_outputs(aws_names.COMPUTE_STACK, remedy=_REMEDY)
    return Artefacts(outputs[aws_names.ARTEFACT_BUCKET], outputs[aws_names.JOB_ROLE])


def dataset_place(dataset: str, where: Artefacts) -> S3Place:
    """Location of a data set, given by its name in the artefact bucket or by its URI.

    Raises
    ------
    InputError
        If it is neither a name nor a URI.
    """
    if dataset.startswith("s3://"):
        return S3Place.of(dataset)
    name = dataset.rstrip("/")
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InputError(f"data set {dataset!r}: expected a name such as idaea4, or s3://bucket/prefix")
    return S3Place(where.bucket, f"{aws_names.DATASETS}/{name}")
