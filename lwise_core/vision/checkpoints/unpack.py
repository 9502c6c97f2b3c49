"""Unpack an untrusted archive: no file outside the folder, and no unlimited expansion."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from lwise_core import atomic_files
from lwise_core.errors import InputError

MAX_BYTES = 100_000_000_000
"""Limit for all files together; every published robust network is smaller."""

_MAX_FILES = 10_000
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
    UnicodeDecodeError,
)
"""What the readers raise; RuntimeError if a password is required."""


@dataclass(frozen=True)
class _Member:
    """A file of an archive, as the archive names it."""

    name: str
    n_bytes: int
    is_file: bool
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive; PyTorch's model files, which are zips too, do not count."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return not any(name.endswith("/data.pkl") for name in archive.namelist())
    return tarfile.is_tarfile(path)


def unpack(archive: Path, folder: Path, *, on_progress: Callable[[int, int], None]) -> list[str]:
    """Unpack a zip or tar into a new folder, atomically; returns the names of its files.

    Parameters
    ----------
    on_progress : called with (files done, total).

    Raises
    ------
    InputError
        If the folder exists, or the archive is damaged, has paths outside the folder, duplicate files or links, or more
        than `MAX_BYTES` or 10,000 files.
    """
    with _members(archive) as members:
        _check(archive, members)
        with atomic_files.new_folder(folder) as unfinished:
            for done, member in enumerate(members, 1):
                target = unfinished / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file, member.open() as source:
                    shutil.copyfileobj(source, file)
                on_progress(done, len(members))
    return [member.name for member in members]


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    """All entries of an archive except folders."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                yield list(_of_zip(opened))
        else:
            with tarfile.open(archive) as opened_tar:
                yield list(_of_tar(opened_tar))
    except _DAMAGED as error:
        raise InputError(f"{archive}: damaged archive ({error}); download it again") from None


def _of_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        if not info.is_dir():
            kind = stat.S_IFMT(info.external_attr >> 16)
            yield _Member(info.filename, info.file_size, kind in (0, stat.S_IFREG), partial(archive.open, info))


def _of_tar(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if not info.isdir():
            yield _Member(info.name, info.size, info.isreg(), partial(tarfile.ExFileObject, archive, info))


def _check(archive: Path, members: list[_Member]) -> None:
    if len(members) > _MAX_FILES:
        raise InputError(f"{archive}: holds {len(members):,} files; at most {_MAX_FILES:,} are unpacked")
    if (total := sum(member.n_bytes for member in members)) > MAX_BYTES:
        raise InputError(f"{archive}: has {total:,} bytes when unpacked; at most {MAX_BYTES:,} are unpacked")
    seen = set()
    for member in members:
        if not member.is_file:
            raise InputError(f"{archive}: {member.name} is a link or a device; only plain files are unpacked")
        if _leaves_folder(member.name):
            raise InputError(f"{archive}: {member.name!r} is a path outside the folder; nothing was unpacked")
        # Some file systems ignore case.
        key = str(PurePosixPath(member.name)).casefold()
        if key in seen:
            raise InputError(f"{archive}: holds {member.name} twice; nothing was unpacked")
        seen.add(key)


def _leaves_folder(name: str) -> bool:
    """Whether a path leaves its folder on any system, including Windows with its backslashes and drives."""
    windows = PureWindowsPath(name)
    return not name or "\0" in name or bool(windows.anchor) or ".." in windows.parts
