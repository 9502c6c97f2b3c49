"""Write files and folders atomically: under a temporary name beside the target, then one rename.

A reader never sees a half-written file, whatever stops the writer. Knows nothing of what is written.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lwise_core.errors import InputError


@contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    """Turn an `OSError` while writing `path` into an `InputError` that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a writable folder") from error


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` and create its folder if needed; the old content stays until the new one is complete."""
    temporary = _temporary_name(path)
    with _as_input_error(path):
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
    """Fill a temporary folder, which is renamed to `path` if the block succeeds and removed if it fails.

    With `keep` false it is removed in any case: a dry run.

    Raises
    ------
    InputError
        If `path` exists already (it is not changed) or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} exists already; choose another name or remove it first")
    temporary = _temporary_name(path)
    with _as_input_error(path):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        if keep:
            with _as_input_error(path):
                temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
