"""Bad input: one clear line that names the thing, exit code 2, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.run_cli import COMMAND, lwise


def _refused(*arguments: object, folder: Path) -> str:
    """The one line with which `lwise` refuses."""
    done = lwise(*arguments, folder=folder)
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" …") and ": done in " not in line]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def _png_that_claims(width: int, height: int) -> bytes:
    """A valid PNG header for a picture of any size, with no pixels behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _nothing(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def _one_class(root: Path) -> None:
    for split in root.iterdir():
        for name in ("green", "blue"):
            shutil.rmtree(split / name)


def _zero_bytes(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_bytes(b"")


def _cut_off(root: Path) -> None:
    picture = root / "train" / "red" / "007.png"
    picture.write_bytes(picture.read_bytes()[:900])


def _no_picture(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_text("not a picture")


def _200_megapixels(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_bytes(_png_that_claims(20_000, 10_000))


def _odd_characters(root: Path) -> None:
    (root / "train" / "red").rename(root / "train" / "r?d\n")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_nothing, "no images found; expected one folder per class"),
        (_one_class, "only one class ('red')"),
        (_zero_bytes, "red/007.png: empty file (0 bytes)"),
        (_cut_off, "red/007.png: damaged image"),
        (_no_picture, "red/007.png: not an image"),
        (_200_megapixels, "red/007.png: too large"),
        (_odd_characters, r"class folder 'r?d\n' has a character"),
    ],
)
def test_photographs_that_cannot_be_used(
    photographs: Path, tmp_path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(photographs)
    before = sorted(tmp_path.rglob("*"))
    assert complaint in _refused("dataset", "index", photographs, folder=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_demo_stops_at_a_photograph_that_cannot_be_used(photographs: Path, tmp_path: Path) -> None:
    _cut_off(photographs)
    complaint = _refused("demo", "--no-serve", "--images", photographs, folder=tmp_path)
    assert "red/007.png: damaged image" in complaint
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["demo.json"]


def test_too_few_photographs_for_a_study(photographs: Path, tmp_path: Path) -> None:
    for picture in (photographs / "train" / "red").glob("0[12]*.png"):
        picture.unlink()
    complaint = _refused("demo", "--no-serve", "--images", photographs, folder=tmp_path)
    assert "class 'red' has 10 images in train; this study needs at least 18" in complaint


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "absent: no such folder" in _refused("dataset", "index", "absent", folder=tmp_path)
    assert "absent.csv: no such file" in _refused("score", "absent.csv", "--images", ".", "-m", "x", folder=tmp_path)
    assert "absent/config.yaml" in _refused("serve", "absent", "--port", "0", folder=tmp_path)
    assert "absent" in _refused("data", "export", "absent", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    assert "cannot write file/dirmap.csv" in _refused(
        "dataset", "index", photographs, "--out", "file/dirmap.csv", folder=tmp_path
    )
    assert "file: exists and is not a demo" in _refused("demo", "--no-serve", "--out", "file", folder=tmp_path)
    assert "cannot write file/demo/demo.json" in _refused("demo", "--no-serve", "--out", "file/demo", folder=tmp_path)
    assert (tmp_path / "file").read_text() == "keep"


def test_a_folder_without_write_permission(photographs: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:
        # Root may write everywhere but here.
        closed = Path("/sys")
    complaint = _refused("dataset", "index", photographs, "--out", closed / "dirmap.csv", folder=tmp_path)
    assert f"cannot write {closed}/dirmap.csv: " in complaint


def test_a_port_in_use(workshop: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        complaint = _refused("serve", workshop / "study", "--data", "data", "--port", port, folder=tmp_path)
        assert f"port {port} of 127.0.0.1 cannot be used" in complaint
        assert "--port" in complaint
        assert f"port {port}" in _refused("demo", "--port", port, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_options_that_contradict_what_is_there(workshop: Path, photographs: Path, tmp_path: Path) -> None:
    model = workshop / "guide.safetensors"
    common = ("enhance", workshop / "dirmap.csv", "--images", workshop / "photographs", "--model", model)
    assert "objective: expected one of logit, " in _refused(*common, "--objective", "fun", folder=tmp_path)
    assert "variants exists already" in _refused(*common, "--out", workshop / "variants", folder=tmp_path)
    assert "epsilon: expected each ε once" in _refused(*common, "--eps", 1, 1, folder=tmp_path)
    assert "not a safetensors file" in _refused(
        *common[:-1], photographs / "train" / "red" / "000.png", folder=tmp_path
    )
    assert "--ids is '3-1'" in _refused("experiments", "trialset", workshop / "study", "--ids", "3-1", folder=tmp_path)
    assert not (tmp_path / "variants").exists()


def test_a_demo_does_not_mix_with_other_settings_or_files(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    assert "mine: exists and is not a demo" in _refused("demo", "--no-serve", "--out", "mine", folder=tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "demo.json").write_text('{"seed": 1}')
    assert "holds a demo with other settings" in _refused("demo", "--no-serve", folder=tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["demo", "demo.json", "mine", "thesis.txt"]


def test_ctrl_c_while_enhancing_leaves_what_the_next_run_goes_on_with(workshop: Path, tmp_path: Path) -> None:
    """Interrupted as soon as there is a folder for the pictures."""
    arguments = f"enhance {workshop}/dirmap.csv --images {workshop}/photographs --model {workshop}/guide.safetensors"
    steps = "--eps 64 --step 0.01 --out variants"
    with subprocess.Popen(
        [*COMMAND, *arguments.split(), *steps.split()], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(6000):
            if (tmp_path / "variants.unfinished" / "natural").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command again to resume" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint
    assert [path.name for path in tmp_path.iterdir()] == ["variants.unfinished"]


def test_pictures_of_a_large_photograph_are_not_decoded_twice_as_large(tmp_path: Path) -> None:
    """A picture just below the limit is read, in silence."""
    for name in ("a", "b"):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (10, 10)).save(tmp_path / "photographs" / name / f"{number}.png")
    Image.new("L", (8_000, 8_000)).save(tmp_path / "photographs" / "a" / "0.png")
    done = lwise("dataset", "index", "photographs", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
