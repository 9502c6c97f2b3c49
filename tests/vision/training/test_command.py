"""`lwise train`: settings from a file and from options, and rejected input."""

from __future__ import annotations

import csv
import inspect
from pathlib import Path

import pytest

from lwise_core.cli.setting_options import choose_settings
from lwise_core.cli.train import train, train_model
from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.native import load_model, save_model
from lwise_core.vision.guide import GuideDescription
from lwise_core.vision.settings import fields_of, read_settings
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.initialisation import new_model
from lwise_core.vision.training.log import COLUMNS
from lwise_core.vision.training.loop import Data
from tests.run_cli import lwise


@pytest.fixture
def folder(tmp_path: Path, photographs: Path, rows: list[DirmapRow]) -> Path:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    return tmp_path


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_setting_is_an_option() -> None:
    assert set(fields_of(TrainingConfig)) <= set(inspect.signature(train).parameters)


def test_options_override_the_file_and_the_file_overrides_defaults(tmp_path: Path) -> None:
    file = _file(tmp_path, "epochs: 7\nepsilon: 3\naugment: none\n")
    given = {"epochs": 9, "epsilon": None, "head_only": False}
    config = choose_settings(TrainingConfig, given, command="lwise train", file=file)
    assert config == TrainingConfig(epochs=9, epsilon=3, augment="none", head_only=False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "no such file; expected YAML with lines such as"),
        ("epochs: [", "not a YAML file"),
        ("epochs: 1\nepochs: 2", "duplicate key 'epochs'"),
        ("- epochs", "expected YAML with a setting on each line"),
        ("epochs: 0", r"epochs: expected 1 or more \(found 0\)"),
        ("epochs: many", r"epochs: expected a whole number \(found 'many'\)"),
        ("schedule: linear", r"schedule: expected 'one_cycle', 'cosine', 'cyclic' or 'step' \(found 'linear'\)"),
        ("lr: 0.1", "lr: unknown key; expected one of architecture, attack_step"),
        ("epochs: 0\nlr: 1", "2 problems"),
    ],
)
def test_invalid_settings_file_is_rejected(tmp_path: Path, text: str | None, complaint: str) -> None:
    file = tmp_path / "missing.yaml" if text is None else _file(tmp_path, text)
    with pytest.raises(InputError, match=complaint) as refusal:
        choose_settings(TrainingConfig, {"epochs": 3}, command="lwise train", file=file)
    assert str(refusal.value).startswith(f"{file}: ")


def test_invalid_option_is_rejected(folder: Path) -> None:
    done = lwise("train", "dirmap.csv", "--images", "photographs", "--epochs", 0, folder=folder)
    assert done.returncode == 2
    assert done.stderr.strip() == ("error: options of lwise train: epochs: expected 1 or more (found 0)")


def test_from_fine_tunes_and_logs_every_epoch(folder: Path, data: Data) -> None:
    other = GuideDescription("small_resnet", ("a", "b"), size=32, settings={"width": 8})
    save_model(folder / "start.safetensors", new_model(other, data.train, seed=0), training={}, metrics={})
    _file(folder, "epochs: 2\nhead_only: true\nevaluation_steps: 2\n")
    options = ("--images", "photographs", "--from", "start.safetensors", "--config", "settings.yaml", "--eps", 0.5)
    done = lwise("train", "dirmap.csv", *options, folder=folder)
    assert done.returncode == 0, done.stderr
    initial, model = (load_model(folder / name) for name in ("start.safetensors", "guide.safetensors"))
    assert model.description.classes == ("blue", "green", "red")
    assert model.network.stem.weight.equal(initial.network.stem.weight)
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch=")]
    assert [line.split()[0] for line in lines] == ["epoch=1", "epoch=2"]
    assert {pair.partition("=")[0] for pair in lines[0].split()} == set(COLUMNS) - {"mfu"}
    with (folder / "guide.training" / "log.csv").open(newline="") as file:
        logged = list(csv.DictReader(file))
    assert [row["epsilon"] for row in logged] == ["0.5", "0.5"]
    assert list((folder / "guide.training" / "tensorboard").iterdir())


def test_description_gives_defaults(folder: Path, rows: list[DirmapRow]) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    text = f"about: mine\nclasses: [blue, green, red]\nsize: 24\naugment: none\nmean: {list(mean)}\nstd: {list(std)}\n"
    (folder / "mine.yaml").write_text(text)
    described = TrainingConfig(description=str(folder / "mine.yaml"), epochs=1, epsilon=0)
    train_model(rows, folder / "photographs", folder / "guide.safetensors", config=described)
    model = load_model(folder / "guide.safetensors")
    assert model.description.size == 24
    assert model.mean.flatten().tolist() == pytest.approx(mean)
    assert model.std.flatten().tolist() == pytest.approx(std)
    assert read_settings(folder / "guide.training" / "config.yaml")["augment"] == "none"
    (folder / "mine.yaml").write_text(text.replace("red", "violet"))
    with pytest.raises(InputError, match=r"has the classes blue, green, violet; the dirmap has blue, green, red"):
        train_model(rows, folder / "photographs", folder / "other.safetensors", config=described)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"architecture": "resnet5"}, "architecture 'resnet5' is not known"),
        ({"augment": "mine.yaml"}, "augment is 'mine.yaml'; expected one of"),
        ({"freeze_convolutions": 99}, "freeze_convolutions is 99"),
    ],
)
def test_rejected_training_leaves_no_files(
    folder: Path, rows: list[DirmapRow], settings: dict[str, object], complaint: str
) -> None:
    before = set(folder.iterdir())
    config = TrainingConfig(size=32, epochs=1, **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=complaint):
        train_model(rows, folder / "photographs", folder / "guide.safetensors", config=config)
    assert set(folder.iterdir()) == before


def test_initial_model_must_exist_and_match_the_architecture(folder: Path, rows: list[DirmapRow], data: Data) -> None:
    start, config = folder / "start.safetensors", TrainingConfig(architecture="resnet18")
    arguments = (rows, folder / "photographs", folder / "guide.safetensors")
    with pytest.raises(InputError, match="no such model file"):
        train_model(*arguments, config=config, begin_from=start)
    other = GuideDescription("small_resnet", ("a", "b"), size=32)
    save_model(start, new_model(other, data.train, seed=0), training={}, metrics={})
    with pytest.raises(InputError, match=r"is a small_resnet; architecture is resnet18; drop one of them"):
        train_model(*arguments, config=config, begin_from=start)


def test_missing_validation_split_is_rejected(folder: Path, rows: list[DirmapRow]) -> None:
    to_learn_from = [row for row in rows if row.split == "train"]
    with pytest.raises(InputError, match="the dirmap has no images in split val"):
        train_model(to_learn_from, folder / "photographs", folder / "guide.safetensors", config=TrainingConfig())
