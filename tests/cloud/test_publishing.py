"""`lwise stimuli publish`: images put online once, and studies that need them no more on the machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.manifest import read_manifest
from lwise_core.dirmap import write_dirmap
from lwise_core.errors import InputError
from lwise_core.experiments.study import VariantProvenance
from lwise_core.local.server import open_study
from tests.aws import StandIn, create_stack
from tests.experiments.conftest import BUDGETS, DataSet, write_data_set, write_study, write_url_study
from tests.run_cli import lwise, succeed

_BUCKET = "lwise-stimuli-moths"
_VARIANTS = ("natural", *BUDGETS)
_CONFIG = {
    "session_config": [{"only": {"n_trials_per_class_val": 2, "trial_types": {"easy": {"variant": "eps4"}}}}],
    "stimuli": {"dataset": "moths"},
}


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    made = write_data_set(tmp_path / "variants", per_class={"val": 2})
    write_dirmap(made.root / "dirmap.csv", made.rows)
    return made


@pytest.fixture
def bucket(account: StandIn) -> Iterator[str]:
    """The bucket of the data set's stack."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=_BUCKET)
    create_stack(account, "StimulusStack-moths", {"StimulusBucket": _BUCKET})
    yield _BUCKET
    for key in _objects(account):
        s3.delete_object(Bucket=_BUCKET, Key=key)
    s3.delete_bucket(Bucket=_BUCKET)


def _objects(account: StandIn) -> dict[str, Any]:
    """Key -> what the list of objects says."""
    found = account.client("s3").list_objects_v2(Bucket=_BUCKET).get("Contents", ())
    return {entry["Key"]: entry for entry in found}


def _publish(data_set: DataSet, *options: str) -> str:
    arguments = ("dirmap.csv", "--variants", ".", "--dataset", "moths", "--manifest", "../stimuli.csv", *options)
    return succeed("stimuli", "publish", *arguments, folder=data_set.root)


@pytest.fixture
def study(data_set: DataSet, bucket: str, tmp_path: Path) -> Path:
    """A study of the published data set, on a machine without its images."""
    _publish(data_set)
    folder = write_url_study(tmp_path / "online_1", data_set.rows, _CONFIG)
    shutil.copyfile(tmp_path / "stimuli.csv", folder / "stimuli.csv")
    return folder


def test_every_copy_of_every_image_is_there_under_the_name_of_its_content(
    data_set: DataSet, bucket: str, account: StandIn, tmp_path: Path
) -> None:
    _publish(data_set)
    manifest = read_manifest(tmp_path / "stimuli.csv")
    assert set(manifest) == {(variant, row.im_path) for variant in _VARIANTS for row in data_set.rows}
    for (variant, im_path), name in manifest.items():
        found = account.client("s3").get_object(Bucket=bucket, Key=f"stimuli/{name}")
        content = found["Body"].read()
        assert content == (data_set.root / variant / im_path).read_bytes()
        assert name == f"{hashlib.sha256(content).hexdigest()[:32]}.png"
        assert (found["ContentType"], "immutable" in found["CacheControl"]) == ("image/png", True)
    assert len(_objects(account)) == len(set(manifest.values()))


def test_no_name_online_tells_a_class_or_a_variant(data_set: DataSet, bucket: str, account: StandIn) -> None:
    _publish(data_set)
    told = " ".join(_objects(account))
    assert not [word for word in (*_VARIANTS, *(row.class_name for row in data_set.rows)) if word in told]


def test_what_is_there_is_not_uploaded_again(data_set: DataSet, bucket: str, account: StandIn) -> None:
    _publish(data_set)
    before = _objects(account)
    first, *others = before
    account.client("s3").delete_object(Bucket=bucket, Key=first)
    assert f"1 of {len(before)} images" in _publish(data_set)
    after = _objects(account)
    assert {key: after[key]["LastModified"] for key in others} == {key: before[key]["LastModified"] for key in others}
    assert set(after) == set(before)


def test_an_object_that_arrived_by_half_is_replaced(data_set: DataSet, bucket: str, account: StandIn) -> None:
    _publish(data_set)
    key, entry = next(iter(_objects(account).items()))
    account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"half")
    assert "1 of " in _publish(data_set)
    assert _objects(account)[key]["Size"] == entry["Size"]


def test_a_rehearsal_uploads_nothing(data_set: DataSet, bucket: str, account: StandIn, tmp_path: Path) -> None:
    said = _publish(data_set, "--dry-run")
    assert f"{len(_VARIANTS) * len(data_set.rows)} of" in said
    assert (_objects(account), (tmp_path / "stimuli.csv").exists()) == ({}, False)


def test_one_variant_may_be_published_alone(data_set: DataSet, bucket: str, tmp_path: Path) -> None:
    _publish(data_set, "--variant", "eps4")
    assert {variant for variant, _ in read_manifest(tmp_path / "stimuli.csv")} == {"eps4"}


def _tell(data_set: DataSet, variant: str, **provenance: object) -> None:
    told = {"epsilon": 4.0, "objective": "logit", "model_sha256": "ab" * 32, "package_version": "0.1", **provenance}
    (data_set.root / variant / "provenance.json").write_text(json.dumps(told), encoding="utf-8")


def test_variants_of_another_time_keep_their_rows(data_set: DataSet, bucket: str, tmp_path: Path) -> None:
    _tell(data_set, "eps4")
    _publish(data_set, "--variant", "eps4")
    _publish(data_set, "--variant", "natural")
    assert {variant for variant, _ in read_manifest(tmp_path / "stimuli.csv")} == {"eps4", "natural"}
    assert list(json.loads((tmp_path / "stimuli.provenance.json").read_text(encoding="utf-8"))) == ["eps4"]


def test_a_name_keeps_its_meaning_or_hands_it_on(
    data_set: DataSet, bucket: str, account: StandIn, tmp_path: Path
) -> None:
    manifest, beside = tmp_path / "stimuli.csv", tmp_path / "stimuli.provenance.json"
    _tell(data_set, "eps4")
    _publish(data_set)
    first, files = read_manifest(manifest), (manifest.read_bytes(), beside.read_bytes())
    objects = _objects(account)
    row = data_set.rows[0]
    _tell(data_set, "eps4", model_sha256="cd" * 32)
    shutil.copyfile(data_set.root / "eps2" / row.im_path, data_set.root / "eps4" / row.im_path)
    again = ("dirmap.csv", "--variants", ".", "--dataset", "moths", "--manifest", "../stimuli.csv")
    refused = lwise("stimuli", "publish", *again, folder=data_set.root)
    assert (refused.returncode, "eps4: a different variant of this name was published" in refused.stderr) == (2, True)
    assert ((manifest.read_bytes(), beside.read_bytes()), _objects(account)) == (files, objects)

    _publish(data_set, "--overwrite")
    rows, told = read_manifest(manifest), json.loads(beside.read_text(encoding="utf-8"))
    assert {path: name for (variant, path), name in rows.items() if variant == "eps4@1"} == {
        path: name for (variant, path), name in first.items() if variant == "eps4"
    }
    assert rows["eps4", row.im_path] == first["eps2", row.im_path]
    assert {variant: one["model_sha256"][:2] for variant, one in told.items()} == {"eps4": "cd", "eps4@1": "ab"}


def test_images_that_changed_under_one_provenance_are_refused_too(data_set: DataSet, bucket: str) -> None:
    _publish(data_set, "--variant", "eps4")
    row = data_set.rows[0]
    shutil.copyfile(data_set.root / "eps2" / row.im_path, data_set.root / "eps4" / row.im_path)
    again = ("dirmap.csv", "--variants", ".", "--dataset", "moths", "--manifest", "../stimuli.csv")
    assert "a different variant of this name" in lwise("stimuli", "publish", *again, folder=data_set.root).stderr


def test_a_study_knows_how_its_published_variants_were_made(data_set: DataSet, bucket: str, tmp_path: Path) -> None:
    _tell(data_set, "eps4")
    _publish(data_set)
    folder = write_url_study(tmp_path / "online_1", data_set.rows, _CONFIG)
    for name in ("stimuli.csv", "stimuli.provenance.json"):
        shutil.copyfile(tmp_path / name, folder / name)
    (provenance,) = compile_study(folder).study.provenance
    assert provenance == VariantProvenance("eps4", 4.0, "logit", "ab" * 32, "0.1")


def test_an_image_that_is_not_there_keeps_all_from_being_uploaded(
    data_set: DataSet, bucket: str, account: StandIn
) -> None:
    lost = data_set.rows[0].im_path
    (data_set.root / "eps4" / lost).unlink()
    refused = lwise("stimuli", "publish", "dirmap.csv", "--variants", ".", "--dataset", "moths", folder=data_set.root)
    assert (refused.returncode, f"eps4/{lost}: no such image" in refused.stderr) == (2, True)
    assert _objects(account) == {}


@pytest.mark.usefixtures("account")
def test_without_its_stack_a_sentence_says_how_to_get_one(data_set: DataSet) -> None:
    refused = lwise("stimuli", "publish", "dirmap.csv", "--variants", ".", "--dataset", "newts", folder=data_set.root)
    assert (refused.returncode, "npx cdk deploy StimulusStack-newts" in refused.stderr) == (2, True)


def test_a_study_of_it_is_the_same_as_one_that_brings_its_images(
    study: Path, data_set: DataSet, tmp_path: Path
) -> None:
    beside = write_study(tmp_path / "beside" / "online_1", data_set, {"session_config": _CONFIG["session_config"]})
    online, own = compile_study(study), compile_study(beside)
    assert online.study == own.study
    assert (online.files, len(own.files)) == ({}, len(data_set.rows))


def test_a_study_is_refused_whose_images_are_not_those_that_were_published(study: Path, data_set: DataSet) -> None:
    row = data_set.rows[0]
    root = study / "variants"
    (root / "eps4" / row.im_path).parent.mkdir(parents=True)
    shutil.copyfile(data_set.root / "eps4" / data_set.rows[1].im_path, root / "eps4" / row.im_path)
    with pytest.raises(InputError, match=rf"{row.im_path}: is not the published image"):
        compile_study(study)


def test_a_study_is_refused_whose_manifest_lacks_a_picture(study: Path) -> None:
    manifest = study / "stimuli.csv"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not line.startswith("eps4,val/aversata/000")), "utf-8")
    with pytest.raises(InputError, match=r"eps4/val/aversata/000.png: is not published"):
        compile_study(study)


@pytest.mark.parametrize("name", ["../../secret.png", "moth.png", f"{'A' * 32}.png"])
def test_a_manifest_that_nobody_made_is_refused(study: Path, name: str) -> None:
    (study / "stimuli.csv").write_text(f"variant,im_path,object\neps4,val/a.png,{name}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: object is"):
        compile_study(study)


def test_on_one_machine_it_is_served_only_with_its_images(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html>", encoding="utf-8")
    with (
        pytest.raises(InputError, match="6 of 6 images are online only"),
        open_study(compile_study(study), tmp_path / "data", site=page),
    ):
        pass
