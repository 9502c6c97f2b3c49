"""The CDK's own custom resources: files copied into a bucket, and a bucket emptied before it is deleted.

Stock moto runs the function behind a custom resource in Docker, when it is created and never again. The CDK's functions
also need the AWS command line and the JavaScript SDK of the Lambda runtime. So what they do is done here.
"""

from __future__ import annotations

import io
import mimetypes
import zipfile
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

from moto.s3.models import S3Backend, s3_backends

PARTITION = "aws"
_AUTO_DELETE_TAG = "aws-cdk:auto-delete-objects"

Properties = Mapping[str, Any]


class CustomResource:
    """A custom resource that exists."""

    def __init__(self, kind: str, properties: Properties, *, name: str, account: str) -> None:
        self.physical_resource_id = name
        self._s3 = s3_backends[account][PARTITION]
        self._kind = kind
        self._properties = properties
        match kind:
            case "Custom::CDKBucketDeployment":
                _deploy_files(self._s3, properties)
            case "Custom::S3AutoDeleteObjects":
                pass
            case _:
                raise NotImplementedError(
                    f"{name}: nothing is known of what {kind} does; see tests/aws_emulator/custom_resources.py"
                )

    def get_cfn_attribute(self, name: str) -> Any:
        """What the function behind it would have returned."""
        if self._kind == "Custom::CDKBucketDeployment":
            returned = {
                "DestinationBucketArn": f"arn:{PARTITION}:s3:::{self._properties['DestinationBucketName']}",
                "SourceObjectKeys": self._properties["SourceObjectKeys"],
            }
            return returned[name]
        raise KeyError(name)

    def update(self, properties: Properties) -> None:
        """Do it once more, with what the template says now."""
        self._properties = properties
        if self._kind == "Custom::CDKBucketDeployment":
            _deploy_files(self._s3, properties)

    def delete(self, account_id: str, region_name: str) -> None:
        """Undo it, as far as it is meant to be undone."""
        if self._kind == "Custom::S3AutoDeleteObjects":
            _empty_tagged_bucket(self._s3, self._properties["BucketName"])
        elif not _is_true(self._properties.get("RetainOnDelete", True)):
            _remove(self._s3, self._properties, names=_names_below(self._s3, self._properties))


def _deploy_files(s3: S3Backend, properties: Properties) -> None:
    """Copy the files of zip archives into a bucket, as `aws s3 sync` would."""
    files: dict[str, bytes] = {}
    sources = zip(properties["SourceBucketNames"], properties["SourceObjectKeys"], strict=True)
    markers = properties.get("SourceMarkers") or [{}] * len(properties["SourceObjectKeys"])
    for (bucket, key), values in zip(sources, markers, strict=True):
        files |= _unpacked(_content(s3, bucket, key), values)
    wanted = {name: content for name, content in files.items() if not _is_left_out(name, properties)}
    prefix = _prefix(properties)
    for name, content in wanted.items():
        s3.put_object(properties["DestinationBucketName"], prefix + name, content).set_metadata(
            _metadata(name, properties), replace=True
        )
    if _is_true(properties.get("Prune", True)):
        stale = {name for name in _names_below(s3, properties) - wanted.keys() if not _is_left_out(name, properties)}
        _remove(s3, properties, names=stale)


def _unpacked(archive: bytes, markers: Mapping[str, str]) -> dict[str, bytes]:
    """Name -> content of the files in a zip, with what was not known before the deployment put in."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {info.filename: opened.read(info) for info in opened.infolist() if not info.is_dir()}
    for marker, value in markers.items():
        files = {name: content.replace(marker.encode(), value.encode()) for name, content in files.items()}
    return files


def _metadata(name: str, properties: Properties) -> dict[str, str]:
    """Headers of an object, and metadata of one's own."""
    own = {f"x-amz-meta-{key}".lower(): value for key, value in properties.get("UserMetadata", {}).items()}
    guessed = mimetypes.guess_type(name)[0] or "binary/octet-stream"
    return {"content-type": guessed, **properties.get("SystemMetadata", {}), **own}


def _is_left_out(name: str, properties: Properties) -> bool:
    def is_among(patterns: list[str]) -> bool:
        return any(fnmatch(name, pattern) for pattern in patterns)

    return is_among(properties.get("Exclude", [])) and not is_among(properties.get("Include", []))


def _prefix(properties: Properties) -> str:
    prefix: str = properties.get("DestinationBucketKeyPrefix", "").strip("/")
    return f"{prefix}/" if prefix else ""


def _names_below(s3: S3Backend, properties: Properties) -> set[str]:
    """Names of the objects below the deployment's prefix, without the prefix."""
    prefix = _prefix(properties)
    keys = list(s3.get_bucket(properties["DestinationBucketName"]).keys)
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}


def _remove(s3: S3Backend, properties: Properties, *, names: set[str]) -> None:
    for name in names:
        s3.delete_object(properties["DestinationBucketName"], _prefix(properties) + name)


def _content(s3: S3Backend, bucket: str, key: str) -> bytes:
    found = s3.get_object(bucket, key)
    if found is None:
        raise LookupError(f"no object {key} in bucket {bucket}")
    content: bytes = found.value
    return content


def _empty_tagged_bucket(s3: S3Backend, name: str) -> None:
    """Delete all versions of all objects, if the bucket still says that this may be done."""
    bucket = s3.get_bucket(name)
    if s3.tagger.get_tag_dict_for_resource(bucket.arn).get(_AUTO_DELETE_TAG) == "true":
        for key in list(bucket.keys):
            bucket.keys.pop(key)


def _is_true(value: Any) -> bool:
    """Custom resources get text where the template has a flag."""
    return value in (True, "true")
