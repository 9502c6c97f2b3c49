"""Published model archives by name: download, check and unpack them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from lwise_core import atomic_files
from lwise_core.download import download_to
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.checkpoints.unpack import is_archive, unpack

MAX_BYTES = 50_000_000_000
"""Limit of a download."""


@dataclass(frozen=True)
class ModelArchive:
    """A published archive of models.

    Attributes
    ----------
    contents : description of the models.
    page : the authors' page about it.
    sha256 : None if not known.
    """

    url: str
    contents: str
    page: str
    sha256: str | None = None


ARCHIVES: Mapping[str, ModelArchive] = {
    "lwise": ModelArchive(
        url="https://github.com/MorganBDT/L-WISE/releases/download/v1.0.0/L-Wise_ckpts.zip",
        contents="ResNet-50, robust and not, for ImageNet, iNaturalist, idaea4, HAM10000 and MHIST",
        page="https://github.com/MorganBDT/L-WISE/releases",
    ),
}


def file_name_of(url: str) -> str:
    """The last part of a URL: the file's name."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "download"


def pull(url: str, folder: Path, *, sha256: str, on_bytes: OnProgress, on_files: OnProgress) -> list[str]:
    """Download an archive and unpack it into a new folder, or a single model file into it; returns the file names.

    An interrupted download stays beside the folder, and the next call resumes it.

    Raises
    ------
    InputError
        If the folder exists, the SHA-256 differs, or the archive is not safe.
    DownloadError
        As `download_to`.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another name with --out or remove it first")
    download = folder.with_name(f".{folder.name}.{sha256[:16]}")
    # The file gets this name once its SHA-256 is checked; it exists if unpacking failed, for example on a full disk.
    if not download.is_file():
        download_to(download, url, sha256=sha256, max_bytes=MAX_BYTES, on_progress=on_bytes)
    if is_archive(download):
        names = unpack(download, folder, on_progress=on_files)
        download.unlink()
        return names
    with atomic_files.new_folder(folder) as unfinished:
        download.replace(unfinished / file_name_of(url))
    return [file_name_of(url)]


def source_of(name: str, sha256: str | None) -> tuple[str, str]:
    """URL and SHA-256 of a known archive, or of any URL with a given SHA-256.

    Raises
    ------
    InputError
        If there is no archive of this name, or no SHA-256 to check it against.
    """
    known = ARCHIVES.get(name)
    if known is None and "://" not in name:
        raise InputError(f"{name!r} is not a known archive; expected {', '.join(ARCHIVES)} or a URL with https")
    recorded = None if known is None else known.sha256
    expected = sha256 or recorded
    if expected is None:
        publisher = "its publisher" if known is None else known.page
        raise InputError(
            f"{name}: its SHA-256 is not recorded, so a download could not be checked; give the one from {publisher} "
            "with --sha256"
        )
    if recorded not in (None, expected):
        raise InputError(f"--sha256 is {sha256}, but {recorded} is recorded for {name}; leave --sha256 out")
    return (name if known is None else known.url), expected
