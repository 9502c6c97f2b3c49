"""Bad input: one line that names the problem, exit code 2, and no partial output."""

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


def _rejected(*arguments: object, folder: Path) -> str:
    """The one line of the error."""
    done = lwise(*arguments, folder=folder)
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" …") and ": done in " not in line]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def _png_header(width: int, height: int) -> bytes:
    """A valid PNG header without pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _empty_folder(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def _one_class(root: Path) -> None:
    for split in root.iterdir():
        for name in ("green", "blue"):
            shutil.rmtree(split / name)


def _zero_bytes(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_bytes(b"")


def _truncated(root: Path) -> None:
    image = root / "train" / "red" / "007.png"
    image.write_bytes(image.read_bytes()[:900])


def _text_file(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_text("not a picture")


def _200_megapixels(root: Path) -> None:
    (root / "train" / "red" / "007.png").write_bytes(_png_header(20_000, 10_000))


def _control_character(root: Path) -> None:
    (root / "train" / "red").rename(root / "train" / "r?d\n")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_empty_folder, "no images found; expected one folder per class"),
        (_one_class, "only one class ('red')"),
        (_zero_bytes, "red/007.png: empty file (0 bytes)"),
        (_truncated, "red/007.png: damaged image"),
        (_text_file, "red/007.png: not an image"),
        (_200_megapixels, "red/007.png: too large"),
        (_control_character, r"class folder 'r?d\n' has a character"),
    ],
)
def test_unusable_images_are_rejected(
    photographs: Path, tmp_path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(photographs)
    before = sorted(tmp_path.rglob("*"))
    assert complaint in _rejected("dataset", "index", photographs, folder=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_demo_stops_at_an_unreadable_image(photographs: Path, tmp_path: Path) -> None:
    _truncated(photographs)
    complaint = _rejected("demo", "--no-serve", "--images", photographs, folder=tmp_path)
    assert "red/007.png: damaged image" in complaint
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["demo.json"]


def test_too_few_images_for_a_study_are_rejected(photographs: Path, tmp_path: Path) -> None:
    for image in (photographs / "train" / "red").glob("0[12]*.png"):
        image.unlink()
    complaint = _rejected("demo", "--no-serve", "--images", photographs, folder=tmp_path)
    assert "class 'red' has 10 images in train; this study needs at least 18" in complaint


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    assert "absent: no such folder" in _rejected("dataset", "index", "absent", folder=tmp_path)
    assert "absent.csv: no such file" in _rejected("score", "absent.csv", "--images", ".", "-m", "x", folder=tmp_path)
    assert "absent/config.yaml" in _rejected("serve", "absent", "--port", "0", folder=tmp_path)
    assert "absent" in _rejected("data", "export", "absent", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_path_is_named(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    assert "cannot write file/dirmap.csv" in _rejected(
        "dataset", "index", photographs, "--out", "file/dirmap.csv", folder=tmp_path
    )
    assert "file: exists and is not a demo" in _rejected("demo", "--no-serve", "--out", "file", folder=tmp_path)
    assert "cannot write file/demo/demo.json" in _rejected("demo", "--no-serve", "--out", "file/demo", folder=tmp_path)
    assert (tmp_path / "file").read_text() == "keep"


def test_a_folder_without_write_permission_is_named(photographs: Path, tmp_path: Path) -> None:
    read_only = tmp_path / "closed"
    read_only.mkdir(mode=0o500)
    if os.geteuid() == 0:
        # Root can write to any folder but this one.
        read_only = Path("/sys")
    complaint = _rejected("dataset", "index", photographs, "--out", read_only / "dirmap.csv", folder=tmp_path)
    assert f"cannot write {read_only}/dirmap.csv: " in complaint


def test_a_port_in_use_is_rejected(workshop: Path, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        complaint = _rejected("serve", workshop / "study", "--data", "data", "--port", port, folder=tmp_path)
        assert f"port {port} of 127.0.0.1 cannot be used" in complaint
        assert "--port" in complaint
        assert f"port {port}" in _rejected("demo", "--port", port, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_invalid_options_are_rejected(workshop: Path, photographs: Path, tmp_path: Path) -> None:
    model = workshop / "guide.safetensors"
    common = ("enhance", workshop / "dirmap.csv", "--images", workshop / "photographs", "--model", model)
    assert "objective: expected one of logit, " in _rejected(*common, "--objective", "fun", folder=tmp_path)
    assert "variants exists already" in _rejected(*common, "--out", workshop / "variants", folder=tmp_path)
    assert "epsilon: expected each ε once" in _rejected(*common, "--eps", 1, 1, folder=tmp_path)
    assert "not a safetensors file" in _rejected(
        *common[:-1], photographs / "train" / "red" / "000.png", folder=tmp_path
    )
    assert "--ids is '3-1'" in _rejected("experiments", "trialset", workshop / "study", "--ids", "3-1", folder=tmp_path)
    assert not (tmp_path / "variants").exists()


def test_demo_does_not_overwrite_other_demos_or_files(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    assert "mine: exists and is not a demo" in _rejected("demo", "--no-serve", "--out", "mine", folder=tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "demo.json").write_text('{"seed": 1}')
    assert "holds a demo with other settings" in _rejected("demo", "--no-serve", folder=tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["demo", "demo.json", "mine", "thesis.txt"]


def test_ctrl_c_while_enhancing_leaves_a_resumable_folder(workshop: Path, tmp_path: Path) -> None:
    """The signal comes as soon as the plan is saved, long before the first image."""
    arguments = f"enhance {workshop}/dirmap.csv --images {workshop}/photographs --model {workshop}/guide.safetensors"
    steps = "--eps 64 --step 0.01 --out variants"
    with subprocess.Popen(
        [*COMMAND, *arguments.split(), *steps.split()], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(1200):
            if (tmp_path / "variants.unfinished" / "plan.json").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command again to resume" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint
    assert [path.name for path in tmp_path.iterdir()] == ["variants.unfinished"]


def test_an_image_just_below_the_size_limit_is_indexed_without_a_warning(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (10, 10)).save(tmp_path / "photographs" / name / f"{number}.png")
    Image.new("L", (8_000, 8_000)).save(tmp_path / "photographs" / "a" / "0.png")
    done = lwise("dataset", "index", "photographs", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
