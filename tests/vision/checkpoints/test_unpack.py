"""An untrusted archive is unpacked completely or not at all, and never outside its folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from random import Random

import pytest
import torch

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints import unpack as unpacking
from lwise_core.vision.checkpoints.unpack import is_archive, unpack

_FILES = {"ImageNet_eps3.pt": b"one" * 1000, "more/MHIST_eps1.pt": b"two"}


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def _tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _unpacked(archive: Path, folder: Path) -> list[str]:
    return unpack(archive, folder, on_progress=lambda done, total: None)


def _assert_rejected(archive: Path, complaint: str) -> None:
    """With nothing written in the folder or beside it."""
    before = {path for path in archive.parent.rglob("*") if path.name != "out"}
    with pytest.raises(InputError, match=complaint):
        _unpacked(archive, archive.parent / "out" / "models")
    assert {path for path in archive.parent.rglob("*") if path.name != "out"} == before


@pytest.mark.parametrize("write", [_zip, _tar])
def test_unpack_restores_files_and_folders(tmp_path: Path, write: object) -> None:
    archive = write(tmp_path / "archive", _FILES)  # type: ignore[operator]
    assert is_archive(archive)
    calls: list[tuple[int, int]] = []
    names = unpack(archive, tmp_path / "models", on_progress=lambda done, total: calls.append((done, total)))
    assert names == list(_FILES)
    assert calls == [(1, 2), (2, 2)]
    assert {name: (tmp_path / "models" / name).read_bytes() for name in names} == _FILES


def test_model_file_is_not_an_archive(tmp_path: Path) -> None:
    for number, zipped in enumerate((True, False)):
        path = tmp_path / f"{number}.pth.tar"
        torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
        assert not is_archive(path)


@pytest.mark.parametrize("name", ["../made", "a/../../made", "/made", "..\\made", "C:\\made", "C:made"])
@pytest.mark.parametrize("write", [_zip, _tar])
def test_path_outside_the_folder_is_rejected(tmp_path: Path, write: object, name: str) -> None:
    # zipfile reads backslashes as the system has them.
    archive = write(tmp_path / "archive", {"good.pt": b"1", name: b"2"})  # type: ignore[operator]
    _assert_rejected(archive, "is a path outside the folder; nothing was unpacked")


def test_links_are_rejected(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            link = tarfile.TarInfo("made")
            link.type, link.linkname = kind, "/etc"
            archive.addfile(link)
    _assert_rejected(tmp_path / "archive.tar", "made is a link or a device")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as zipped:
        info = zipfile.ZipInfo("made")
        info.external_attr = 0o120777 << 16
        zipped.writestr(info, "/etc")
    _assert_rejected(tmp_path / "archive.zip", "made is a link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("write", [_zip, _tar])
def test_duplicate_file_is_rejected(tmp_path: Path, write: object) -> None:
    archive = write(tmp_path / "archive", {"a.pt": b"1", "./A.pt": b"2"})  # type: ignore[operator]
    _assert_rejected(archive, "holds ./A.pt twice")


def test_archive_over_the_limits_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1_000_000)
    archive = _zip(tmp_path / "archive", {"zeros.pt": bytes(1_000_001)})
    assert archive.stat().st_size < 10_000
    _assert_rejected(archive, "has 1,000,001 bytes when unpacked; at most 1,000,000 are unpacked")
    monkeypatch.setattr(unpacking, "_MAX_FILES", 1)
    _assert_rejected(_tar(tmp_path / "archive", _FILES), "holds 2 files; at most 1 are unpacked")


def test_damaged_archive_leaves_no_files(tmp_path: Path) -> None:
    files = {"a.pt": Random(0).randbytes(100_000), "b.pt": Random(1).randbytes(100_000)}  # noqa: S311
    archive = _zip(tmp_path / "archive", files)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:50_000] + bytes(60) + whole[50_060:])
    _assert_rejected(archive, r"damaged archive .*Bad CRC-32 for file 'a.pt'")
    archive = _tar(tmp_path / "archive", files)
    archive.write_bytes(archive.read_bytes()[:150_000])
    _assert_rejected(archive, "damaged archive")


def test_existing_folder_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(InputError, match="exists already"):
        _unpacked(_zip(tmp_path / "archive", _FILES), tmp_path / "models")
    assert not any((tmp_path / "models").iterdir())
