"""Pictures of a job published by S3 itself, without a copy on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from lwise_core.cloud.publishing import publish_from_s3
from lwise_core.errors import InputError
from tests.aws import StandIn

_JOBS, _STIMULI, _PREFIX = "lwise-artefacts", "lwise-stimuli-newts", "jobs/enhance-1/output"
_PICTURES = {
    ("natural", "val/newt/0.PNG"): b"a newt",
    ("eps4", "val/newt/0.PNG"): b"an enhanced newt",
    ("natural", "val/toad/0.PNG"): b"a toad",
    ("eps4", "val/toad/0.PNG"): b"a toad",
}
_SHA256 = {image: hashlib.sha256(content).hexdigest() for image, content in _PICTURES.items()}


@pytest.fixture
def s3(account: StandIn) -> Iterator[Any]:
    """The job's images, with all that could tell a participant about them, and an empty bucket for them."""
    client = account.client("s3")
    for bucket in (_JOBS, _STIMULI):
        client.create_bucket(Bucket=bucket)
    for image, content in _PICTURES.items():
        variant = image[0]
        about = {"Metadata": {"variant": variant}, "Tagging": f"variant={variant}", "ContentDisposition": variant}
        client.put_object(Bucket=_JOBS, Key=f"{_PREFIX}/{'/'.join(image)}", Body=content, **about)
    yield client
    for bucket in (_JOBS, _STIMULI):
        for key in _objects(client, bucket):
            client.delete_object(Bucket=bucket, Key=key)
        client.delete_bucket(Bucket=bucket)


def _objects(s3: Any, bucket: str = _STIMULI) -> dict[str, Any]:
    return {entry["Key"]: entry for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())}


def _publish(sha256: dict[tuple[str, str], str] = _SHA256) -> tuple[dict[tuple[str, str], str], list[tuple[int, int]]]:
    steps: list[tuple[int, int]] = []
    rows = publish_from_s3(
        _STIMULI, source=_JOBS, prefix=_PREFIX, sha256=sha256, on_progress=lambda *step: steps.append(step)
    )
    return dict(rows), steps


def test_each_content_is_there_once_under_its_name(s3: Any) -> None:
    rows, steps = _publish()
    assert rows == {image: f"{digest[:32]}.png" for image, digest in _SHA256.items()}
    assert set(_objects(s3)) == {f"stimuli/{name}" for name in rows.values()}
    for image, name in rows.items():
        assert s3.get_object(Bucket=_STIMULI, Key=f"stimuli/{name}")["Body"].read() == _PICTURES[image]
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_nothing_on_an_object_tells_a_participant_its_variant(s3: Any) -> None:
    for name in _publish()[0].values():
        found = s3.get_object(Bucket=_STIMULI, Key=f"stimuli/{name}")
        assert (found["ContentType"], found["Metadata"]) == ("image/png", {})
        assert found["CacheControl"] == "public, max-age=31536000, immutable"
        assert not found.get("ContentDisposition")
        assert s3.get_object_tagging(Bucket=_STIMULI, Key=f"stimuli/{name}")["TagSet"] == []


def test_what_is_there_stays_and_what_arrived_by_half_is_replaced(s3: Any) -> None:
    rows, _ = _publish()
    half = f"stimuli/{rows['natural', 'val/newt/0.PNG']}"
    s3.put_object(Bucket=_STIMULI, Key=half, Body=b"ha")
    before = _objects(s3)
    assert _publish() == (rows, [(1, 1)])
    after = _objects(s3)
    assert after[half]["Size"] == len(b"a newt")
    assert [key for key in after if after[key]["LastModified"] != before[key]["LastModified"]] in ([half], [])


def test_missing_images_are_named_and_nothing_is_copied(s3: Any) -> None:
    lost = {("eps4", "val/newt/9.png"): "0" * 64, ("eps8", "val/newt/0.PNG"): "1" * 64}
    with pytest.raises(InputError) as refused:
        _publish({**_SHA256, **lost})
    assert all(f"{'/'.join(image)}: no such image" in str(refused.value) for image in lost)
    assert _objects(s3) == {}


def test_a_image_that_is_not_the_recorded_one_is_named_and_its_copy_taken_away(s3: Any) -> None:
    wrong = ("eps4", "val/newt/0.PNG")
    for _ in range(2):  # the second run does not take the first one's copy for right
        with pytest.raises(InputError, match=r"eps4/val/newt/0.PNG: differs from the image that the job recorded"):
            _publish({**_SHA256, wrong: "f" * 64})
        assert f"stimuli/{'f' * 32}.png" not in _objects(s3)
    assert len(_objects(s3)) == 2
