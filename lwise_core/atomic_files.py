"""Write whole files and folders or nothing: a temporary name beside the target, then one rename.

Knows nothing of what is written. A reader therefore never sees a half-written file, whatever stops the writer.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lwise_core.errors import InputError


@contextmanager
def _people_readable(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into an `InputError` that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a place that can be written to") from error


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, making its folder if needed; the old content stays until the new one is complete."""
    temporary = _temporary_name(path)
    with _people_readable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with line feeds, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def new_folder(path: Path, *, keep: bool = True) -> Iterator[Path]:
    """Fill a temporary folder that becomes `path` when the block ends well and vanishes when it does not.

    With `keep` false it vanishes in any case: a rehearsal.

    Raises
    ------
    InputError
        If `path` exists already (what is there is left alone) or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} exists already; choose another name or remove it first")
    temporary = _temporary_name(path)
    with _people_readable(path):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        if keep:
            with _people_readable(path):
                temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
