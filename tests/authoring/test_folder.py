"""Find the files of a study by folder, config file or id; several configs may share a data file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.folder import EXPERIMENTS, find_study
from lwise_core.errors import InputError
from tests.experiments.conftest import CLASSES, scored_rows, write_url_study

_ROWS = scored_rows(CLASSES, {"train": 2}, bucket="moths")


def _config(**deployment: Any) -> dict[str, Any]:
    return {"session_config": [{"only": {"n_trials_per_class_train": 1}}], "deployment": {"seed": 1, **deployment}}


def test_a_study_is_named_by_its_folder(tmp_path: Path) -> None:
    folder = write_url_study(tmp_path / "moths_3", _ROWS, _config())
    assert compile_study(folder).study.study_id == "moths_3"
    assert compile_study(folder / "config.yaml").study.study_id == "moths_3"
    assert compile_study(folder / "." / ".." / "moths_3").study.study_id == "moths_3"


def test_a_study_is_named_by_its_folder_from_within_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_url_study(tmp_path / "moths_3", _ROWS, _config()))
    assert compile_study(Path()).study.study_id == "moths_3"


def test_a_study_is_found_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_url_study(tmp_path / EXPERIMENTS / "moths_3", _ROWS, _config())
    monkeypatch.chdir(tmp_path)
    assert compile_study(Path("moths_3")).study.study_id == "moths_3"


def test_the_only_study_in_a_folder_is_found(tmp_path: Path) -> None:
    write_url_study(tmp_path / "moths_3", _ROWS, _config())
    assert find_study(tmp_path).study_id == "moths_3"
    write_url_study(tmp_path / "moths_4", _ROWS, _config())
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: contains 2 studies; choose one, e.g. {tmp_path}")):
        find_study(tmp_path)


def test_a_nonexistent_study_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml: no such file; expected a study folder, or the id of one in"):
        find_study(tmp_path / "moths_9")


def test_the_config_file_is_read_once_for_all_uses_of_a_folder(tmp_path: Path) -> None:
    folder = find_study(write_url_study(tmp_path / "moths_3", _ROWS, _config()))
    config = folder.config_file.config
    folder.config.write_text("not: [valid", encoding="utf-8")
    assert compile_study(folder).config is config


def test_two_configs_share_one_dirmap(tmp_path: Path) -> None:
    """As the F/J-key version of a study does in L-WISE."""
    folder = write_url_study(tmp_path / "moths_3", _ROWS, _config())
    (folder / "config_other_seed.yaml").write_text((folder / "config.yaml").read_text().replace("seed: 1", "seed: 2"))
    one, other = (compile_study(folder / name).study for name in ("config.yaml", "config_other_seed.yaml"))
    assert (one.seed, other.seed) == (1, 2)
    assert one.images == other.images
    assert one.sha256 != other.sha256


@pytest.mark.parametrize("name", ["dirmap.csv", "dataset_dirmap.csv", "my_images.csv"])
def test_the_data_file_may_have_l_wise_s_name_or_a_configured_one(tmp_path: Path, name: str) -> None:
    config = _config(data_spec_file_name=name) if name == "my_images.csv" else _config()
    folder = write_url_study(tmp_path / "moths_3", _ROWS, config)
    (folder / "dirmap.csv").rename(folder / name)
    assert len(compile_study(folder).study.images) == len(_ROWS)


def test_a_data_file_named_by_the_config_must_exist(tmp_path: Path) -> None:
    folder = write_url_study(tmp_path / "moths_3", _ROWS, _config(data_spec_file_name="images.csv"))
    with pytest.raises(InputError, match=r"images\.csv: no such file; deployment\.data_spec_file_name names it"):
        compile_study(folder)


def test_with_two_data_files_the_config_must_name_one(tmp_path: Path) -> None:
    folder = write_url_study(tmp_path / "moths_3", _ROWS, _config())
    (folder / "dataset_dirmap.csv").write_bytes((folder / "dirmap.csv").read_bytes())
    with pytest.raises(InputError, match=r"has dirmap\.csv and dataset_dirmap\.csv; choose one"):
        compile_study(folder)
    named = write_url_study(folder, _ROWS, _config(data_spec_file_name="dirmap.csv"))
    assert compile_study(named).study.seed == 1


def test_a_file_of_trial_sets_is_recognised_by_its_columns(tmp_path: Path) -> None:
    folder = write_url_study(tmp_path / "moths_3", _ROWS, {"deployment": {"data_spec_file_name": "given.csv"}})
    rows = [f"0,0,0,{row.class_name},{row.extra['url']}" for row in _ROWS]
    (folder / "given.csv").write_text("\n".join(["trialset_id,condition_idx,block,class,url", *rows]), encoding="utf-8")
    study = compile_study(folder).study
    assert study.blocks == ()
    assert [len(trialset.trials) for trialset in study.prespecified] == [len(rows)]
