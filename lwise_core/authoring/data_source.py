"""The data file of a study that is not shipped with it: where to get it, and how to verify it.

`data_source.yaml` in the study's folder gives the address of each such file and, if known, its size and SHA-256. Only a
file with the recorded hash is put into the folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lwise_core import atomic_files
from lwise_core.authoring.config import StudyConfig
from lwise_core.authoring.config_file import describe_unknown_key
from lwise_core.authoring.folder import DATA_FILES, DATA_SOURCE_FILE, StudyFolder, find_study
from lwise_core.download import download, parse_sha256
from lwise_core.errors import InputError, raise_if_any
from lwise_core.progress import OnProgress
from lwise_core.validation_errors import problems_of
from lwise_core.yaml_files import read_yaml


class DataSource(BaseModel):
    """An entry of data_source.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True)
class Fetched:
    """The data file that was put into a study's folder, or would be in a dry run.

    Attributes
    ----------
    source : address or path that it was copied from, or None if it already existed.
    sha256, n_bytes : of the content; in a dry run of a download as recorded, or None.
    """

    path: Path
    source: str | None
    sha256: str | None
    n_bytes: int | None


def fetch_data_file(
    study: Path,
    *,
    copy: Path | None = None,
    url: str | None = None,
    sha256: str | None = None,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> Fetched:
    """Put the data file of a study into its folder, complete and verified, or leave the folder unchanged.

    Parameters
    ----------
    study : the study's folder, a config file in it, or its id.
    copy : a local copy of the file, instead of a download.
    url : address to download from instead of the recorded one.
    sha256 : of the file, if none is recorded.

    Raises
    ------
    InputError
        If the study has no source, the file exists with other content, there is no hash to verify a download with, or
        the hash differs.
    DownloadError
        If the download fails.
    """
    folder = find_study(study)
    name, source = _source(folder, folder.config_file.config)
    target = folder.root / name
    expected = _expected(source, sha256, folder.root / DATA_SOURCE_FILE)
    if target.exists():
        return _existing(target, expected)
    if copy is None and expected is None:
        raise InputError(
            f"{target}: its SHA-256 is not recorded, so a download cannot be verified; give it with --sha256, or a "
            "copy of the file that you trust with --from"
        )
    address = str(copy) if copy else url or source.url
    if copy is None and dry_run:
        return Fetched(target, address, expected, source.bytes)
    content = _read(copy) if copy else _download(address, on_progress)
    actual = hashlib.sha256(content).hexdigest()
    if expected not in (None, actual):
        raise InputError(
            f"{address}: is not the file of this study: its SHA-256 is {actual} ({len(content):,} bytes); expected "
            f"{expected}. Nothing was written"
        )
    if not dry_run:
        atomic_files.write_bytes(target, content)
    return Fetched(target, address, actual, len(content))


def _source(folder: StudyFolder, config: StudyConfig) -> tuple[str, DataSource]:
    """The name of the study's data file, and its source."""
    path = folder.root / DATA_SOURCE_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file; this study does not say where its data file comes from")
    sources = _read_sources(path)
    names = DATA_FILES if config.deployment.data_spec_file_name is None else (config.deployment.data_spec_file_name,)
    for name in names:
        if name in sources:
            return name, sources[name]
    raise InputError(f"{path}: has no entry for {' or '.join(names)}; found {', '.join(sources) or 'nothing'}")


def _read_sources(path: Path) -> dict[str, DataSource]:
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a mapping from file names to their sources")
    sources, problems = {}, []
    for name, entry in document.items():
        try:
            sources[str(name)] = DataSource.model_validate(entry)
        except ValidationError as error:
            problems += problems_of(error, describe_unknown_key(DataSource), where=str(name))
    raise_if_any(path, problems)
    return sources


def _expected(source: DataSource, given: str | None, where: Path) -> str | None:
    """The SHA-256 that the file must have, as recorded or given."""
    if given is None:
        return source.sha256
    given = parse_sha256(given)
    if source.sha256 not in (None, given):
        raise InputError(f"--sha256 is {given}, but {where} records {source.sha256}; omit one of them")
    return given


def _existing(target: Path, expected: str | None) -> Fetched:
    content = _read(target)
    sha256 = hashlib.sha256(content).hexdigest()
    if expected not in (None, sha256):
        raise InputError(
            f"{target}: exists with other content (SHA-256 {sha256}; expected {expected}); move it away to get "
            "the recorded file"
        )
    return Fetched(target, None, sha256, len(content))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _download(url: str, on_progress: OnProgress | None) -> bytes:
    return download(url, on_progress=on_progress or (lambda done, total: None))
