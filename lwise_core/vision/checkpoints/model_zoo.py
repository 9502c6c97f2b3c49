"""Archives of models that their authors published, by name: fetched, checked and unpacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from lwise_core import atomic_files
from lwise_core.download import OnProgress, download_to
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.unpack import is_archive, unpack

MAX_BYTES = 50_000_000_000
"""Of a download."""


@dataclass(frozen=True)
class Published:
    """Where an archive is.

    Attributes
    ----------
    holds : in words.
    page : where its authors tell of it.
    sha256 : None where it is not known.
    """

    url: str
    holds: str
    page: str
    sha256: str | None = None


PUBLISHED: Mapping[str, Published] = {
    "lwise": Published(
        url="https://github.com/MorganBDT/L-WISE/releases/download/v1.0.0/L-Wise_ckpts.zip",
        holds="ResNet-50, robust and not, for ImageNet, iNaturalist, idaea4, HAM10000 and MHIST",
        page="https://github.com/MorganBDT/L-WISE/releases",
    ),
}


def file_name_of(url: str) -> str:
    """The last part of an address, which is what the file is called there."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "download"


def pull(url: str, folder: Path, *, sha256: str, on_bytes: OnProgress, on_files: OnProgress) -> list[str]:
    """Fetch an archive and unpack it into a new folder; or a single model file, and put it there. The files' names.

    Until the folder is there, what has come lies beside it, and the next call goes on with it.

    Raises
    ------
    InputError
        If the folder exists, the file is another one, or is not a safe archive.
    DownloadError
        As `download_to`.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another name by --out or remove it first")
    fetched = folder.with_name(f".{folder.name}.{sha256[:16]}")
    # It gets this name once it has been checked; it is there if unpacking failed, for want of room perhaps.
    if not fetched.is_file():
        download_to(fetched, url, sha256=sha256, max_bytes=MAX_BYTES, on_progress=on_bytes)
    if is_archive(fetched):
        names = unpack(fetched, folder, on_progress=on_files)
        fetched.unlink()
        return names
    with atomic_files.new_folder(folder) as unfinished:
        fetched.replace(unfinished / file_name_of(url))
    return [file_name_of(url)]


def source_of(name: str, sha256: str | None) -> tuple[str, str]:
    """Address and SHA-256 of a published archive, or of any address with the sum that was given for it.

    Raises
    ------
    InputError
        If there is no archive of this name, or nothing to check it against.
    """
    known = PUBLISHED.get(name)
    if known is None and "://" not in name:
        raise InputError(f"no archive is known as {name!r}; expected {', '.join(PUBLISHED)} or an address with https")
    recorded = None if known is None else known.sha256
    expected = sha256 or recorded
    if expected is None:
        told = "its publisher" if known is None else known.page
        raise InputError(
            f"{name}: its SHA-256 is not recorded, so a download could not be checked; give the one that {told} shows "
            "with --sha256"
        )
    if recorded not in (None, expected):
        raise InputError(f"--sha256 is {sha256}, but {recorded} is recorded for {name}; leave --sha256 out")
    return (name if known is None else known.url), expected
