"""`lwise checkpoints`: from a published archive to a guide model that scores and enhances."""

from __future__ import annotations

import argparse
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from lwise_core.vision.checkpoints.native import file_sha256, load_model, model_provenance
from tests.interrupted_server import serving_file
from tests.run_cli import lwise, succeed
from tests.vision.checkpoints.wrappings import AttackerModel, moved, robustness_file


class _Touches:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.made}",)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds MHIST_eps1.pt, as L-WISE publishes it, and hostile.pt, which wants to create the file `made`."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    network = moved(models.resnet18(num_classes=2))
    document = robustness_file(nn.DataParallel(AttackerModel(network)).state_dict(), args=argparse.Namespace(eps=1.0))
    torch.save(document, folder / "MHIST_eps1.pt")
    torch.save({**document, "args": _Touches(folder / "made")}, folder / "hostile.pt")
    (folder / "classes.txt").write_text("HP\nSSA\n", encoding="utf-8")
    return folder


def _refused(*words: object, folder: Path, code: int = 2) -> str:
    done = lwise("checkpoints", *words, folder=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_inspect_and_convert(published: Path, tmp_path: Path) -> None:
    file = published / "MHIST_eps1.pt"
    said = succeed("checkpoints", "inspect", file, folder=tmp_path)
    for line in ("architecture: resnet18", "num classes: 2", "mean: 0.485, 0.456, 0.406", "says adv_prec1: 33.25"):
        assert f"{line}\n" in said
    assert "(124 in all)" in said
    done = succeed(
        *("checkpoints", "convert", file, "--out", "mhist.safetensors", "--size", 64, "--dataset", "mhist"),
        folder=tmp_path,
    )
    assert f"{said}mhist.safetensors: resnet18, 2 classes, 64 pixels\n" == done
    guide = load_model(tmp_path / "mhist.safetensors")
    assert (guide.description.classes, guide.description.size) == (("hp", "ssa"), 64)
    ours = json.loads(succeed("checkpoints", "inspect", "mhist.safetensors", "--json", folder=tmp_path))
    assert (ours["format"], ours["classes"]) == ("guide model of lwise", ["hp", "ssa"])
    assert ours["origin"]["sha256"] == file_sha256(file)
    assert len(ours["origin"]["dropped_keys"]) == 124


def test_convert_runs_nothing_in_a_hostile_file(published: Path, tmp_path: Path) -> None:
    made, file = published / "made", published / "hostile.pt"
    classes = ("--classes", published / "classes.txt")
    convert = ("convert", file, "--out", "guide.safetensors", "--size", 64, *classes)
    for command in (("inspect", file), convert):
        said = _refused(*command, folder=tmp_path)
        assert "it names posix.system" in said
        assert f"lwise checkpoints convert {file} --out MODEL.safetensors --trust-pickle" in said
        assert not made.exists()
        assert not list(tmp_path.iterdir())
    assert "refused globals: posix.system\n" in succeed("checkpoints", *convert, "--trust-pickle", folder=tmp_path)
    assert not made.exists()
    assert load_model(tmp_path / "guide.safetensors").description.classes == ("HP", "SSA")
    assert model_provenance(tmp_path / "guide.safetensors")["refused_globals"] == ["posix.system"]  # type: ignore[index]
    torch.load(file, weights_only=False)
    assert made.exists()
    made.unlink()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--out", "guide.pt"], "--out is guide.pt; expected a name that ends in .safetensors"),
        (["--out", "a.safetensors", "--classes", "twice.txt"], "line 2 is 'HP'; expected a class name"),
        (["--out", "a.safetensors", "--classes", "none.txt"], "none.txt: cannot be read"),
        (["--out", "a.safetensors", "--classes", "none.txt", "--dataset", "mhist"], "give only one of them"),
        (["--out", "a.safetensors", "--dataset", "moths"], "'moths' is not a known data set"),
        (["--out", "a.safetensors", "--dataset", "ham10000"], "has 2 logits; the data set ham10000 has 7 classes"),
    ],
)
def test_conflicting_options_are_rejected(published: Path, tmp_path: Path, options: list[str], complaint: str) -> None:
    (tmp_path / "twice.txt").write_text("HP\nHP\n", encoding="utf-8")
    assert complaint in _refused("convert", published / "MHIST_eps1.pt", *options, folder=tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


# --- pull


def _archive(published: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(published / "MHIST_eps1.pt", "MHIST_eps1.pt")
        archive.writestr("README.txt", "Robust models.")
    return content.getvalue()


def test_pull_resumes_an_interrupted_download(published: Path, tmp_path: Path) -> None:
    with serving_file(_archive(published), headers={"ETag": '"1"'}) as served:
        half = len(served.content) // 2
        pull = ("pull", f"{served.address}/L-Wise_ckpts.zip", "--sha256", served.sha256.upper())
        served.breaks_after = half
        assert "run the command again to resume" in _refused(*pull, folder=tmp_path, code=1)
        served.breaks_after = None
        output = succeed("checkpoints", *pull, folder=tmp_path)
        assert output.split() == ["L-Wise_ckpts/MHIST_eps1.pt", "L-Wise_ckpts/README.txt"]
        assert served.ranges == [None, f"bytes={half}-"]
        assert [path.name for path in tmp_path.iterdir()] == ["L-Wise_ckpts"]
        assert (tmp_path / "L-Wise_ckpts/MHIST_eps1.pt").read_bytes() == (published / "MHIST_eps1.pt").read_bytes()
        assert "L-Wise_ckpts exists already" in _refused(*pull, folder=tmp_path)
        assert len(served.ranges) == 2


def test_pull_saves_a_single_model_file_unchanged(published: Path, tmp_path: Path) -> None:
    with serving_file((published / "MHIST_eps1.pt").read_bytes()) as served:
        pull = ("checkpoints", "pull", f"{served.address}/MHIST_eps1.pt?download=1", "--sha256", served.sha256)
        assert succeed(*pull, "--out", "new/ckpts", folder=tmp_path).split() == ["new/ckpts/MHIST_eps1.pt"]
        assert (tmp_path / "new/ckpts/MHIST_eps1.pt").read_bytes() == served.content
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["ckpts"]


def test_pull_rejects_a_download_without_a_checksum(published: Path, tmp_path: Path) -> None:
    assert "lwise: its SHA-256 is not recorded" in _refused("pull", "lwise", folder=tmp_path)
    assert "'moths' is not a known archive; expected lwise or a URL" in _refused("pull", "moths", folder=tmp_path)
    assert "--sha256 is '12'; expected 64" in _refused("pull", "lwise", "--sha256", "12", folder=tmp_path)
    with serving_file(_archive(published)) as served:
        address = f"{served.address}/models.zip"
        assert "its SHA-256 is not recorded" in _refused("pull", address, folder=tmp_path)
        assert served.ranges == []
        wrong = _refused("pull", address, "--sha256", "0" * 64, folder=tmp_path)
        assert f"its SHA-256 is {served.sha256}" in wrong
    assert not list(tmp_path.iterdir())
