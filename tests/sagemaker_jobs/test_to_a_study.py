"""The whole chain: a model is trained, scores, enhances; its images go online, and somebody learns from them."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from lwise_core import __version__
from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.manifest import read_manifest
from lwise_core.dirmap import read_dirmap
from lwise_core.simulation.learners import LearnerModel, take_part
from sagemaker_jobs.container.job import new_job
from tests.aws import StandIn, create_stack
from tests.run_cli import lwise, served, succeed
from tests.sagemaker_jobs.conftest import BUCKET, DataSet
from tests.sagemaker_jobs.machines import all_end, machines_of
from tests.sagemaker_jobs.requests import sent

_STIMULI = "lwise-stimuli-of-jobs"
_TRAINING = {"epochs": 2, "size": 32, "epsilon": 0.5, "evaluation_steps": 2}
_BLOCK = {"n_trials_per_class_val": 4, "trial_types": {"easy": {"variant": "eps2"}, "hard": {"variant": "natural"}}}


def _done(job: Any, account: StandIn, machines: Path) -> str:
    """A job, launched and worked through; its name."""
    name, request, _ = sent(job)
    # Training has real interpreters in `test_on_machines`, the other kinds here.
    all_end(machines_of(request, account, machines / name, forked=job.kind == "train"))
    return name


def test_from_images_to_what_a_participant_is_shown_and_recorded_with(
    bucket: Any, account: StandIn, moths: DataSet, tmp_path: Path
) -> None:
    account.client("s3").create_bucket(Bucket=_STIMULI)
    create_stack(account, "StimulusStack-moths", {"StimulusBucket": _STIMULI})
    machines, study, compute = tmp_path / "machines", tmp_path / "moths_0", {"instance_type": "ml.c5.xlarge"}
    trained = _done(new_job("train", "moths", model=None, settings=_TRAINING, compute=compute), account, machines)
    scored = _done(new_job("score", "moths", model=trained, settings={}, compute=compute), account, machines)
    succeed("jobs", "fetch", scored, "--out", "scored.csv", folder=tmp_path)
    succeed("jobs", "upload", "moths", "scored.csv", "--images", moths.images, folder=tmp_path)
    sweep = {"epsilon": [1, 2], "name": "eps{eps}"}
    enhanced = _done(new_job("enhance", "moths", model=trained, settings=sweep, compute=compute), account, machines)

    study.mkdir()
    into = ("--manifest", study / "stimuli.csv", "--dirmap", study / "dirmap.csv")
    assert f"{3 * len(moths.rows)} images" in succeed("jobs", "publish", enhanced, *into, folder=tmp_path)
    assert all(row.difficulty is not None for row in read_dirmap(study / "dirmap.csv"))
    config: dict[str, Any] = {"session_config": [{"only": _BLOCK}], "stimuli": {"dataset": "moths"}}
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    compile_study(study)

    succeed("jobs", "fetch", enhanced, "--out", "variants", folder=tmp_path)
    published = read_manifest(study / "stimuli.csv")
    assert {variant for variant, _ in published} == {"natural", "eps1", "eps2"}
    for (variant, im_path), name in published.items():
        online = account.client("s3").get_object(Bucket=_STIMULI, Key=f"stimuli/{name}")
        assert online["Body"].read() == (tmp_path / "variants" / variant / im_path).read_bytes()
        assert online["Metadata"] == {}, "a participant can read it"

    here = tmp_path / "here_0"
    here.mkdir()
    (here / "config.yaml").write_text(yaml.safe_dump({**config, "stimuli": {"root": "../variants"}}))
    (here / "dirmap.csv").write_bytes((study / "dirmap.csv").read_bytes())
    with served(here, tmp_path / "data") as address:
        take_part(address, assignment_id="one", model=LearnerModel(), seed=1)
    succeed("data", "export", "data", folder=tmp_path)
    with (tmp_path / "data" / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    assert {trial["variant"] for trial in trials} == {"eps2", "natural"}
    model = bucket.get_object(Bucket=BUCKET, Key=_model_key(trained))["Body"].read()
    for trial in trials:
        assert trial["stimulus_image_url"] == f"stimuli/{published[trial['variant'], trial['im_path']]}"
        made = trial["variant_epsilon"], trial["variant_model_sha256"], trial["variant_lwise_version"]
        if trial["variant"] == "eps2":
            assert made == ("2", hashlib.sha256(model).hexdigest(), __version__)
        else:
            assert made == ("", "", "")

    _pretend_other_making(bucket, enhanced)
    before = (study / "stimuli.csv").read_bytes()
    refused = lwise("jobs", "publish", enhanced, *into, folder=tmp_path)
    assert refused.returncode == 2
    assert "eps2: a different variant of this name was published" in refused.stderr
    assert (study / "stimuli.csv").read_bytes() == before
    succeed("jobs", "publish", enhanced, *into, "--overwrite", folder=tmp_path)
    assert {variant for variant, _ in read_manifest(study / "stimuli.csv")} == {
        *("natural", "eps1", "eps2"),
        *("eps1@1", "eps2@1"),
    }


def _model_key(trained: str) -> str:
    return f"jobs/{trained.rpartition('-')[0]}/output/{trained}/output/model/guide.safetensors"


def _pretend_other_making(bucket: Any, enhanced: str) -> None:
    key = f"jobs/{enhanced.rpartition('-')[0]}/output/variants.unfinished/plan.json"
    plan = json.loads(bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    bucket.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({**plan, "objective": "logit"}).encode())
