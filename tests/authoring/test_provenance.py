"""From a variant's provenance.json to the records of trials that showed it, but not to participants."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.payloads import expanded, participant_view, provenance_fields
from lwise_core.experiments.study import Study, VariantProvenance
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import DataSet, write_data_set, write_study

_MADE = {"epsilon": 4, "objective": "logit_diverge", "model_sha256": "5e" * 32, "package_version": "9.8.7"}
_TYPES = {"plain": {"variant": "natural"}, "taught": {"variant": "eps4"}, "control": {"variant": "eps2"}}
_CONFIG = {
    "session_config": [{"only": {"n_trials_per_class_train": 6, "n_calibration_trials": 2, "trial_types": _TYPES}}]
}


@pytest.fixture
def own(tmp_path: Path) -> DataSet:
    return write_data_set(tmp_path / "variants", per_class={"train": 6})


def _write_provenance(own: DataSet, variant: str, content: dict[str, Any]) -> None:
    (own.root / variant / "provenance.json").write_text(json.dumps(content), encoding="utf-8")


def _study(own: DataSet, tmp_path: Path) -> Study:
    return compile_study(write_study(tmp_path / "moths_1", own, _CONFIG)).study


@pytest.fixture
def study(own: DataSet, tmp_path: Path) -> Study:
    _write_provenance(own, "eps4", {**_MADE, "turned": True, "step": 0.5})
    _write_provenance(own, "eps2", {"method": "clahe", "clip_limit": 2.0, "package_version": "9.8.7"})
    return _study(own, tmp_path)


def test_each_record_has_the_provenance_of_its_variant(study: Study) -> None:
    trialset = build_trialset(study, 0)
    provenance = {
        record["variant"]: tuple(provenance_fields(study, trial).values())
        for trial, record in zip(trialset.trials, expanded(study, trialset), strict=True)
    }
    nothing = (None,) * 4
    assert provenance == {
        None: nothing,
        "natural": nothing,
        "eps4": (4.0, "logit_diverge, lowered", "5e" * 32, "9.8.7"),
        "eps2": (None, "clahe", None, "9.8.7"),
    }


def test_participants_see_no_provenance(study: Study) -> None:
    shown = json.dumps(participant_view(study, build_trialset(study, 0)))
    unknown = replace(study, provenance=())
    assert shown == json.dumps(participant_view(unknown, build_trialset(unknown, 0)))
    assert not [word for word in ("variant_", "epsilon", "5e5e", "9.8.7", "clahe", "logit") if word in shown]


def test_changed_provenance_does_not_affect_a_running_study(own: DataSet, study: Study, tmp_path: Path) -> None:
    for variant in ("eps4", "eps2"):
        (own.root / variant / "provenance.json").unlink()
    unknown = _study(own, tmp_path)
    assert unknown.trials_sha256 == study.trials_sha256
    assert "origins" not in unknown.content()


def test_a_bundle_stores_provenance_once_per_variant(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(to_bundle(study), encoding="utf-8")
    assert load_bundle(path) == study
    assert {known.variant for known in study.provenance} == {"eps4", "eps2"}
    grown = len(to_bundle(study)) - len(to_bundle(replace(study, provenance=())))
    assert grown < 200 * len(study.provenance) + 20


def test_a_provenance_that_is_not_a_json_object_is_rejected(own: DataSet, tmp_path: Path) -> None:
    (own.root / "eps4" / "provenance.json").write_text("[4.0]", encoding="utf-8")
    with pytest.raises(InputError, match=r"eps4/provenance.json: expected a JSON object, found list"):
        _study(own, tmp_path)


def test_only_true_means_lower_and_only_a_finite_epsilon_is_known(own: DataSet, tmp_path: Path) -> None:
    _write_provenance(own, "eps4", {"objective": "logit", "lower": "no"})
    (own.root / "eps2" / "provenance.json").write_text('{"epsilon": 1e999, "method": "clahe"}', encoding="utf-8")
    known = _study(own, tmp_path).provenance_of
    assert known["eps4"].method == "logit"
    assert known["eps2"].epsilon is None


def test_invalid_provenance_values_are_unknown(own: DataSet, tmp_path: Path) -> None:
    _write_provenance(own, "eps4", {"epsilon": "four", "model_sha256": 7, "package_version": "1"})
    assert _study(own, tmp_path).provenance == (VariantProvenance("eps4", None, None, None, "1"),)
