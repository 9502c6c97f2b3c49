"""`lwise experiments`: from an L-WISE folder or variants to a study, and a look at it before any participant comes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from lwise_core.experiments.bundle import load_bundle
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.trialset import build_trialset
from tests.run_cli import COMMAND, lwise, succeed

CLASSES = ("ajax_minor", "eris", "leda")
_PER_CLASS = {"train": 12, "val": 4}
_BUCKET = "moths-natural"

_CONFIG = """
session_config:
  - train_1:
    n_trials_per_class_train: 3
    n_calibration_trials: 2
    show_feedback: true
    conditional_trial_types: [
      {"natural": {"bucket": "moths-natural"}},
      {"easy": {"bucket": "moths-8", "difficulty_curriculum": true, "max_difficulty_selection": 0.5}},
    ]
  - test_1:  # no feedback here
    n_trials_per_class_val: 4
    show_feedback: false
    show_test_instructions: true

trial_config:
  curriculum_num_blocks: 1
  show_feedback: true
  repeat_trial_type: null
  choice_names_order: ["leda", "ajax minor", "eris"]
  choice_names_aliases: {"leda": "A", "ajax minor": "B", "eris": "C"}
  choice_aliases_random_shuffle: true
hit_config:
  title: "Moths: tell them apart"
  description: "View moths"
  reward: 3.50
  num_respondents: 9
  max_time_seconds: 2700
  lifetime_seconds: 259200
"""


def _dirmap() -> str:
    rows = [
        f"{split},{name},{class_num},{split}/{name}/{split}-{name}-{n}.jpg,"
        f"https://{_BUCKET}.s3.amazonaws.com/{split}/{name}/{split}-{name}-{n}.jpg,{n / count}"
        for split, count in _PER_CLASS.items()
        for class_num, name in enumerate(CLASSES)
        for n in range(count)
    ]
    return "\n".join(["split,class,class_num,im_path,url,difficulty", *rows, ""])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder as L-WISE has them."""
    folder = tmp_path / "L-WISE" / "moths_learn_10"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    (folder / "dataset_dirmap.csv").write_text(_dirmap(), encoding="utf-8")
    return folder


def _documents(study: Path, *options: object) -> list[dict[str, Any]]:
    printed = succeed("experiments", "trialset", study, *options, folder=study.parent)
    return [json.loads(line) for line in printed.splitlines()]


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- import


def test_an_l_wise_folder_becomes_a_study_with_unchanged_files(published: Path, tmp_path: Path) -> None:
    said = succeed("experiments", "import", published, "--out", "study", "--seed", 7, folder=tmp_path)
    assert said.startswith("study: 3 classes, 2 conditions, 2 blocks, 23 trials, version ")
    study = tmp_path / "study"
    assert {"config.yaml", "dirmap.csv", "instructions/consent.md", "instructions/test.md"} < set(_files(study))
    assert (study / "dirmap.csv").read_bytes() == (published / "dataset_dirmap.csv").read_bytes()
    text = (study / "config.yaml").read_text(encoding="utf-8")
    assert text.startswith(_CONFIG.rstrip())
    added = yaml.safe_load(text.removeprefix(_CONFIG.rstrip()))
    assert added == {"deployment": {"seed": 7, "num_conditions": 2}, "site": {"title": "Moths: tell them apart"}}


def test_an_imported_study_and_the_folder_it_came_from_have_the_same_trials(published: Path, tmp_path: Path) -> None:
    succeed("experiments", "import", published, "--out", "study", folder=tmp_path)
    assert _documents(tmp_path / "study", "--ids", "0-5") == _documents(published, "--ids", "0-5")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--name", "moths", "--number", 3], "moths_3"),
        (["--name", "moths"], "moths_10"),
        (["--number", 11], "moths_learn_11"),
    ],
)
def test_a_named_study_is_written_inside_the_folder(
    published: Path, tmp_path: Path, options: list[object], expected: str
) -> None:
    succeed("experiments", "import", published, "--out", "studies", *options, folder=tmp_path)
    assert [path.name for path in (tmp_path / "studies").iterdir()] == [expected]
    facts = json.loads(succeed("experiments", "validate", "studies", "--json", folder=tmp_path))
    assert facts["study_id"] == expected


def test_an_existing_folder_gets_the_study_under_its_original_name(published: Path, tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    succeed("experiments", "import", published, "--out", "studies", folder=tmp_path)
    assert (tmp_path / "studies" / "moths_learn_10" / "config.yaml").is_file()
    again = lwise("experiments", "import", published, "--out", "studies", folder=tmp_path)
    assert again.returncode == 2
    assert "already contains a study" in again.stderr


def test_given_trial_sets_are_imported_too(tmp_path: Path) -> None:
    folder = tmp_path / "custom_0"
    folder.mkdir()
    (folder / "config.yaml").write_text("trial_config: {show_fixation: false}\n", encoding="utf-8")
    rows = [
        f"{trialset},0,0,{name},https://x.org/{name}.png,{n % 2}"
        for trialset in (0, 1)
        for n, name in enumerate(CLASSES)
    ]
    header = "trialset_id,condition_idx,block,class,url,show_fixation"
    (folder / "trialsets.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    said = succeed("experiments", "import", folder, "--out", "study", folder=tmp_path)
    assert said.startswith("study: 3 classes, 1 condition, 2 trial sets, 3 trials")
    (first, second) = _documents(tmp_path / "study", "--ids", "0-1")
    assert [trial["show_fixation"] for trial in first["trials"]] == [False, True, False]
    assert [trial["class"] for trial in second["trials"]] == list(CLASSES)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--conditions", 3], "conditional_trial_types has 2 entries; expected one per condition, 3"),
        (["--name", "../up", "--number", 1], "--name is '../up'"),
    ],
)
def test_a_failed_import_writes_nothing(published: Path, tmp_path: Path, options: list[object], complaint: str) -> None:
    before = _files(tmp_path)
    done = lwise("experiments", "import", published, "--out", "study", *options, folder=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert _files(tmp_path) == before


def test_a_dry_run_of_import_writes_nothing(published: Path, tmp_path: Path) -> None:
    before = _files(tmp_path)
    said = succeed("experiments", "import", published, "--out", "study", "--dry-run", folder=tmp_path)
    assert said.startswith("study: would be written; 3 classes")
    assert _files(tmp_path) == before


# --- new


def test_a_new_study_tapers_from_the_strongest_variant_and_can_be_served(workshop: Path, tmp_path: Path) -> None:
    said = succeed(
        "experiments", "new", "moths_1", "--variants", workshop / "variants", "--title", "M", folder=tmp_path
    )
    assert "4 training blocks from eps1 down to natural" in said
    (taper,) = {
        tuple(dict.fromkeys(trial["variant"] for trial in document["trials"] if trial["variant"]))
        for document in _documents(tmp_path / "moths_1", "--ids", "0-3", "--condition", 1)
    }
    assert taper == ("eps1", "eps0.5", "natural")


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_new_without_variants_or_as_a_dry_run_writes_nothing(
    workshop: Path, tmp_path: Path, options: list[str]
) -> None:
    variants = workshop / "variants"
    if not options:
        variants = tmp_path / "variants"
        variants.mkdir()
        (variants / "dirmap.csv").write_bytes((workshop / "dirmap.csv").read_bytes())
    before = _files(tmp_path)
    done = lwise("experiments", "new", "moths_1", "--variants", variants, *options, folder=tmp_path)
    assert done.returncode == (0 if options else 2)
    assert ("would be written" if options else "has no enhanced variants") in done.stdout + done.stderr
    assert _files(tmp_path) == before


# --- trialset


def test_the_trial_sets_of_one_condition_are_printed(published: Path) -> None:
    everything = _documents(published, "--ids", "0-9,12")
    assert [document["trialset_id"] for document in everything] == [*range(10), 12]
    assert _documents(published, "--ids", "0-9,12", "--condition", 1) == [
        document for document in everything if document["condition_idx"] == 1
    ]


def test_csv_and_jsonl_have_the_same_content(published: Path) -> None:
    printed = succeed("experiments", "trialset", published, "--ids", "3-4", "--format", "csv", folder=published)
    rows = list(csv.DictReader(io.StringIO(printed)))
    documents = _documents(published, "--ids", "3-4")
    trials = [(document["trialset_id"], trial) for document in documents for trial in document["trials"]]
    assert len(rows) == len(trials)
    for row, (trialset_id, trial) in zip(rows, trials, strict=True):
        assert row["trialset_id"] == str(trialset_id)
        assert {key: text for key, text in row.items() if key != "trialset_id"} == {
            key: "" if value is None else json.dumps(value) if isinstance(value, list) else str(value)
            for key, value in trial.items()
        }


def test_a_bundle_gives_the_same_trial_sets_as_its_folder(published: Path, tmp_path: Path) -> None:
    succeed("experiments", "compile", published, "-o", "bundle.json", folder=tmp_path)
    assert _documents(tmp_path / "bundle.json", "--ids", "0-3") == _documents(published, "--ids", "0-3")
    study = load_bundle(tmp_path / "bundle.json")
    assert _documents(published, "--ids", "2")[0]["trials"] == expanded(study, build_trialset(study, 2))


def test_every_field_that_is_printed_is_documented(published: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "formats" / "trialsets.md"
    settings = Path(__file__).parents[2] / "docs" / "formats" / "config.md"
    documented = page.read_text(encoding="utf-8") + settings.read_text(encoding="utf-8")
    (document,) = _documents(published)
    assert [field for field in document["trials"][0] if f"`{field}`" not in documented] == []


def test_a_closed_pipe_ends_the_output(published: Path) -> None:
    command = [*COMMAND, "experiments", "trialset", str(published), "--ids", "0-999"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        assert json.loads(printing.stdout.readline())["trialset_id"] == 0
        printing.stdout.close()
        assert "Traceback" not in printing.stderr.read()
    assert printing.returncode == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--ids", "3-1"], "--ids is '3-1'"),
        (["--ids", "a"], "--ids is 'a'"),
        (["--ids", "1,,2"], "--ids is '1,,2'"),
        (["--ids", "-1"], "--ids is '-1'"),
        (["--condition", 2], "--condition is 2; expected 0 to 1"),
    ],
)
def test_nonexistent_trial_sets_are_rejected(published: Path, options: list[object], complaint: str) -> None:
    done = lwise("experiments", "trialset", published, *options, folder=published)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_a_capped_study_has_no_more_trial_sets_than_its_cap(published: Path) -> None:
    config = published / "config.yaml"
    config.write_text(_CONFIG + "deployment: {num_trialsets: 4}\n", encoding="utf-8")
    assert len(_documents(published, "--ids", "0-3")) == 4
    done = lwise("experiments", "trialset", published, "--ids", "3-4", folder=published)
    assert done.returncode == 2
    assert "trialset_id is 4; this study has 4 trial sets, 0 to 3" in done.stderr


# --- validate and audit


def test_validate_warns_of_what_is_odd_but_works(published: Path) -> None:
    done = lwise("experiments", "validate", published, "--json", folder=published)
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert facts["n_trials"] == [23, 23]
    assert facts["blocks"] == ["train_1", "test_1"]
    idle_key, revealing_addresses, unread = facts["warnings"]
    assert idle_key == "trial_config: repeat_trial_type has no effect and may be omitted"
    assert revealing_addresses.startswith(
        "48 of 48 images have an address that contains their class, e.g. https://moths-"
    )
    assert unread.startswith("hit_config: title, description, reward, num_respondents, max_time_seconds, ")
    assert "lifetime_seconds: nothing reads" in unread
    assert "autoapprove" not in unread  # not written in this file
    assert all(f"warning: {warning}" in done.stderr for warning in facts["warnings"])


def test_an_audit_counts_what_participants_would_get(published: Path, tmp_path: Path) -> None:
    printed = succeed("experiments", "audit", published, "--n", 40, "--out", "a.png", "--json", folder=tmp_path)
    audit = json.loads(printed)
    assert (audit["n_trialsets"], audit["conditions"], audit["imbalance"]["at_the_end"]) == (40, [20, 20], 0)
    of_class = {
        (cell["block_name"], cell["condition_idx"], cell["trial_type"], cell["class_name"]): (
            cell["least"],
            cell["most"],
        )
        for cell in audit["trials"]
    }
    assert of_class["train_1", 1, "easy", "eris"] == (3, 3)
    assert of_class["test_1", 0, "new_stimulus", None] == (12, 12)
    assert of_class["train_1", 0, "calibration", "circle"] == (1, 1)
    shown = Counter[str]()
    for image in audit["exposures"]:
        shown[image["split"]] += image["shown"]
    assert shown == {"train": 40 * 9, "val": 40 * 12}
    assert sum(audit["longest_runs"].values()) == 40
    assert sum(audit["calibration_places"]["train_1"]) == 80
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 800
        assert len(picture.convert("RGB").getcolors(maxcolors=10**6) or []) > 20


def test_an_audit_prints_tables_and_sentences(published: Path, tmp_path: Path) -> None:
    printed = succeed("experiments", "audit", published, "--n", 10, "--out", "a.svg", folder=tmp_path)
    for words in ("Trials per trial set", "How often an image is shown", "Positions of attention checks", "ajax_minor"):
        assert words in printed
    assert (
        "Conditions after 10 participants: 5, 5; they differ by 0 at the end, and by at most 1 on the way." in printed
    )
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_an_audit_stops_at_the_last_trial_set_and_rejects_unknown_formats(published: Path, tmp_path: Path) -> None:
    (published / "config.yaml").write_text(_CONFIG + "deployment: {num_trialsets: 4}\n", encoding="utf-8")
    audit = json.loads(succeed("experiments", "audit", published, "--n", 99, "--json", folder=tmp_path))
    assert audit["n_trialsets"] == 4
    done = lwise("experiments", "audit", published, "--out", "a.doc", folder=tmp_path)
    assert done.returncode == 2
    assert "a.doc: cannot be written; expected a file name that ends in .png, .pdf, .svg" in done.stderr


def test_a_study_is_found_by_its_id(published: Path, tmp_path: Path) -> None:
    experiments = tmp_path / "experiment_site" / "experiments"
    experiments.mkdir(parents=True)
    published.rename(experiments / "moths_learn_10")
    assert succeed("experiments", "validate", "moths_learn_10", folder=tmp_path).startswith("moths_learn_10: valid; ")


def test_several_configs_may_share_a_folder(published: Path) -> None:
    other = published / "config_quick.yaml"
    other.write_text(_CONFIG + "deployment: {seed: 5}\n", encoding="utf-8")
    assert _documents(other) != _documents(published)
    assert {trial["block_name"] for trial in _documents(other)[0]["trials"]} == {"train_1", "test_1"}


# --- bad input: a clear message, exit code 2, nothing written


def _config(edit: Callable[[str], str]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.yaml"
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")

    return spoil


def _data(edit: Callable[[str], str]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "dataset_dirmap.csv"
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")

    return spoil


def _too_many_rows(folder: Path) -> None:
    rows = "".join(
        f"val,{CLASSES[n % 3]},{n % 3},{n}.jpg,https://b.s3.amazonaws.com/{n}.jpg,0\n" for n in range(100_001)
    )
    (folder / "dataset_dirmap.csv").write_text(
        "split,class,class_num,im_path,url,difficulty\n" + rows, encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("spoil", "complaints"),
    [
        (
            _config(lambda text: text.replace("class_train: 3", "class_train: 13")),
            ["block 'train_1' needs 13 images of class 'ajax_minor' from train, but 12 are left"],
        ),
        (
            _config(lambda text: text.replace('selection": 0.5', 'selection": 0.1')),
            ["condition 1: block 'train_1' needs 3 images", "the easiest 0.1 of the 12 that are left are 1"],
        ),
        (
            _config(lambda text: text.replace('"leda", ', "", 1).replace('"leda": "A"', '"lida": "A"')),
            [
                "choice_names_order lacks leda",
                "choice_names_aliases has lida; the classes are ajax_minor, eris, leda",
            ],
        ),
        (
            _data(lambda text: text.replace("train-eris-1.jpg,", "train-eris-0.jpg,")),
            ["duplicate im_path 'train/eris/train-eris-0.jpg', first in line 14"],
        ),
        (_data(lambda text: text.replace(",0.5\n", ",nan\n")), ["difficulty is 'nan'; expected a finite number"]),
        (
            _data(lambda text: text.replace(",0.5\n", ",\n")),
            ["difficulty_curriculum is on, but 3 of 36 images have no difficulty", "run `lwise score`"],
        ),
        (
            _config(lambda text: text.replace('{"natural": {"bucket": "moths-natural"}}', "{}")),
            ["block 'train_1', conditional_trial_types.0: expected 1 or more entries (found {})"],
        ),
        (
            _config(lambda text: text + "deployment: {randomization_block_size: 3}"),
            ["deployment.randomization_block_size: expected a multiple of the number of conditions, 2 (found 3)"],
        ),
        (_data(lambda text: text.replace("train/eris/train-eris-1.jpg,", "../1.jpg,")), ["im_path is '../1.jpg'"]),
        (_data(lambda text: text.replace("train/eris/train-eris-1.jpg,", "/1.jpg,")), ["im_path is '/1.jpg'"]),
        (
            _data(lambda text: text.replace("https://moths", "https://me:secret@moths", 1)),
            ["url contains a user name or password"],
        ),
        (_data(lambda text: text.replace(",", ";")), ["its columns are separated by semicolons; expected commas"]),
        (_too_many_rows, ["the blocks draw from 100001 images", "expected at most 100000"]),
    ],
    ids=[
        *("too-few", "too-few-easy", "classes", "twice", "nan", "unscored", "no-types", "block-size"),
        *("leaves-root", "absolute", "credentials", "semicolons", "too-many"),
    ],
)
def test_an_invalid_study_is_rejected(
    published: Path, tmp_path: Path, spoil: Callable[[Path], None], complaints: list[str]
) -> None:
    spoil(published)
    before = _files(tmp_path)
    for command in (["compile", published], ["import", published, "--out", "study"]):
        done = lwise("experiments", *command, folder=tmp_path)
        assert done.returncode == 2, done.stderr
        assert [words for words in complaints if words not in done.stderr] == [], done.stderr
        assert "Traceback" not in done.stderr
        assert _files(tmp_path) == before


@pytest.mark.parametrize("how", ["byte order mark", "CR LF"])
def test_spreadsheet_exports_are_read(published: Path, how: str) -> None:
    expected = _documents(published)
    for name in ("config.yaml", "dataset_dirmap.csv"):
        content = (published / name).read_bytes()
        spoilt = b"\xef\xbb\xbf" + content if how == "byte order mark" else content.replace(b"\n", b"\r\n")
        (published / name).write_bytes(spoilt)
    assert _documents(published) == expected
