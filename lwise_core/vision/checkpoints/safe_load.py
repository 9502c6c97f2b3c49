"""Read a third-party model file without running anything in it. Knows nothing of networks.

PyTorch files are pickles, which can run any program when they are loaded. By default only tensors and plain values are
read (PyTorch's `weights_only`, and four more names that do nothing); a file with anything else is rejected. On request,
everything else is replaced by inert stand-ins and the tensors are used.
"""

from __future__ import annotations

import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch.serialization import safe_globals

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.inert_pickle import HARMLESS, Inert, InertPickle

MAX_BYTES = 16_000_000_000
"""Four times the largest robust network with its optimiser state and moving averages."""

_MAX_PICKLE_BYTES = 200_000_000
"""Names and shapes; the numbers are stored separately."""
_MAGIC_BEFORE_1_6 = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
_SHOWN = 10


@dataclass(frozen=True)
class Content:
    """The content of a file.

    Attributes
    ----------
    document : name -> tensor for safetensors; else the pickled object, usually nested dictionaries.
    format : for people.
    metadata : text entries of a safetensors file.
    refused : names of functions and classes that the file requested and that were not loaded.
    """

    document: Any
    format: str
    metadata: Mapping[str, str]
    refused: tuple[str, ...]


def read(path: Path, *, trust_pickle: bool = False) -> Content:
    """Read a model file: safetensors, PyTorch's zip or its format before 1.6, also if written with dill.

    Parameters
    ----------
    trust_pickle : accept a file that names functions or classes; these are still not loaded.

    Raises
    ------
    InputError
        If the file is missing, empty, too large, damaged or of another kind; or if it holds more than tensors and plain
        values and `trust_pickle` is false.
    """
    kind = _kind(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    try:
        return Content(_load_plain(path, zipped=kind == "zip"), _FORMATS[kind], {}, ())
    except Exception as error:  # PyTorch raises anything for a damaged or malformed file.
        document, refused = _load_inert(path, zipped=kind == "zip")
        if isinstance(document, Inert):
            raise InputError(_whole_object(path, document.of)) from None
        if not trust_pickle:
            raise InputError(_more_than_weights(path, refused, error)) from None
    return Content(document, _FORMATS[kind], {}, tuple(refused))


_FORMATS = {"zip": "PyTorch", "before 1.6": "PyTorch before 1.6"}


def _kind(path: Path) -> str:
    """The format by the first bytes, whatever the file's name."""
    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise InputError(f"{path}: empty file (0 bytes)")
    if n_bytes > MAX_BYTES:
        raise InputError(f"{path}: {n_bytes:,} bytes; at most {MAX_BYTES:,} bytes are read")
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        _check_zip(path)
        return "zip"
    if start.startswith(_MAGIC_BEFORE_1_6) and not tarfile.is_tarfile(path):
        return "before 1.6"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < n_bytes:
        return "safetensors"
    if start.lstrip().startswith(b"<"):
        raise InputError(f"{path}: is a web page, not a model; the download failed, download the file again")
    raise InputError(
        f"{path}: not a known kind of model file; expected safetensors or what torch.save writes (PyTorch 0.4 or newer)"
    )


def _check_zip(path: Path) -> None:
    """Reject archives of several files, programs, and files that would be too large when unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged file ({error}); download it again") from None
    names = {member.filename.rpartition("/")[2] for member in members}
    if "data.pkl" not in names:
        raise InputError(f"{path}: is an archive of {len(members)} files, not a model; unpack it and give one of them")
    if "constants.pkl" in names:
        raise InputError(
            f"{path}: is a TorchScript program, not weights; save the state_dict() of the original network"
        )
    for member in members:
        limit = _MAX_PICKLE_BYTES if member.filename.endswith(".pkl") else MAX_BYTES
        if member.file_size > limit:
            raise InputError(f"{path}: its entry {member.filename} has {member.file_size:,} bytes; at most {limit:,}")
    if (total := sum(member.file_size for member in members)) > MAX_BYTES:
        raise InputError(f"{path}: has {total:,} bytes when unpacked; at most {MAX_BYTES:,} are read")


def _read_safetensors(path: Path) -> Content:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path}: damaged safetensors file ({error}); download it again") from None
    return Content(tensors, "safetensors", metadata, ())


def _load_plain(path: Path, *, zipped: bool) -> Any:
    with safe_globals(list(HARMLESS)):
        # Memory-mapped, so that the optimiser state, which is not used, is never read from disk.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _load_inert(path: Path, *, zipped: bool) -> tuple[Any, list[str]]:
    inert = InertPickle()
    try:
        with warnings.catch_warnings(action="ignore"):
            document = torch.load(path, map_location="cpu", pickle_module=inert, weights_only=False, mmap=zipped)
    except Exception as error:  # As above.
        raise InputError(f"{path}: damaged model file ({_one_line(error)}); download it again") from None
    return document, inert.refused


def _more_than_weights(path: Path, refused: list[str], error: Exception) -> str:
    command = f"`lwise checkpoints convert {path} --out MODEL.safetensors --trust-pickle`"
    if not refused:
        return f"{path}: cannot be read as plain weights ({_one_line(error)}); {command} loads its tensors alone"
    shown = ", ".join(refused[:_SHOWN]) + (f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else "")
    return (
        f"{path}: holds more than weights: it names {shown}, and a file that names functions can run code when it is "
        f"loaded. Nothing in it was run. {command} loads its tensors and none of these"
    )


def _whole_object(path: Path, name: str) -> str:
    return (
        f"{path}: holds a pickled object ({name}), whose weights cannot be loaded without running its code; if you "
        "trust it, open it with the program that wrote it, save its state_dict(), and convert that"
    )


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
