"""What a model file of others holds, read without running anything in it. Knows nothing of networks.

Files of PyTorch are pickles, which can run any program when they are read. By default only tensors and plain values are
read (PyTorch's `weights_only`, and four more names that do nothing); the rest is refused by name. On request the
refused things are replaced by inert stand-ins and the tensors are taken.
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
"""Four times the largest robust network with its optimiser's state and moving averages."""

_MAX_PICKLE_BYTES = 200_000_000
"""Names and shapes; the numbers lie beside them."""
_MAGIC_BEFORE_1_6 = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
_SHOWN = 10


@dataclass(frozen=True)
class Content:
    """What was in a file.

    Attributes
    ----------
    document : of safetensors: name -> tensor; else what was pickled, usually nested dictionaries.
    format : in words.
    words : plain text that a safetensors file says about itself.
    refused : names of functions and classes that the file asked for and did not get.
    """

    document: Any
    format: str
    words: Mapping[str, str]
    refused: tuple[str, ...]


def read(path: Path, *, trust_pickle: bool = False) -> Content:
    """Read a model file: safetensors, PyTorch's zip or its format before 1.6, also if written by dill.

    Parameters
    ----------
    trust_pickle : take the tensors of a file that names functions or classes; these are still not built.

    Raises
    ------
    InputError
        If there is no such file, it is empty, too large, damaged, or of another kind; or if it holds more than tensors
        and plain values and `trust_pickle` is false.
    """
    kind = _kind(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    try:
        return Content(_load_plain(path, zipped=kind == "zip"), _FORMATS[kind], {}, ())
    except Exception as error:  # Whatever a damaged or strange file makes PyTorch raise.
        document, refused = _load_inert(path, zipped=kind == "zip")
        if isinstance(document, Inert):
            raise InputError(_whole_object(path, document.of)) from None
        if not trust_pickle:
            raise InputError(_more_than_weights(path, refused, error)) from None
    return Content(document, _FORMATS[kind], {}, tuple(refused))


_FORMATS = {"zip": "PyTorch", "before 1.6": "PyTorch before 1.6"}


def _kind(path: Path) -> str:
    """Which of the formats; the first bytes decide, whatever the file's name."""
    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise InputError(f"{path}: empty file (0 bytes)")
    if n_bytes > MAX_BYTES:
        raise InputError(f"{path}: {n_bytes:,} bytes; models of at most {MAX_BYTES:,} bytes are read")
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
        raise InputError(f"{path}: is a web page, no model; the download went wrong, get the file anew")
    raise InputError(
        f"{path}: not a model file that is known; expected safetensors or what torch.save writes (PyTorch 0.4 or newer)"
    )


def _check_zip(path: Path) -> None:
    """Refuse archives of several files, programs, and what would swell when unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged file ({error}); get it anew") from None
    names = {member.filename.rpartition("/")[2] for member in members}
    if "data.pkl" not in names:
        raise InputError(f"{path}: is an archive of {len(members)} files, no model; unpack it and give one of them")
    if "constants.pkl" in names:
        raise InputError(
            f"{path}: is a TorchScript program, no weights; save the state_dict() of the network that it was made of"
        )
    for member in members:
        limit = _MAX_PICKLE_BYTES if member.filename.endswith(".pkl") else MAX_BYTES
        if member.file_size > limit:
            raise InputError(f"{path}: {member.filename} in it takes {member.file_size:,} bytes; at most {limit:,}")
    if (total := sum(member.file_size for member in members)) > MAX_BYTES:
        raise InputError(f"{path}: would take {total:,} bytes when unpacked; at most {MAX_BYTES:,} are read")


def _read_safetensors(path: Path) -> Content:
    try:
        with safe_open(path, framework="pt") as file:
            words = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path}: damaged safetensors file ({error}); get it anew") from None
    return Content(tensors, "safetensors", words, ())


def _load_plain(path: Path, *, zipped: bool) -> Any:
    with safe_globals(list(HARMLESS)):
        # Mapped, so that an optimiser's state, which nobody asks for, is never read from the disk.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _load_inert(path: Path, *, zipped: bool) -> tuple[Any, list[str]]:
    inert = InertPickle()
    try:
        with warnings.catch_warnings(action="ignore"):
            document = torch.load(path, map_location="cpu", pickle_module=inert, weights_only=False, mmap=zipped)
    except Exception as error:  # As above.
        raise InputError(f"{path}: damaged model file ({_one_line(error)}); get it anew") from None
    return document, inert.refused


def _more_than_weights(path: Path, refused: list[str], error: Exception) -> str:
    command = f"`lwise checkpoints convert {path} --out MODEL.safetensors --trust-pickle`"
    if not refused:
        return f"{path}: cannot be read as plain weights ({_one_line(error)}); {command} takes its tensors alone"
    shown = ", ".join(refused[:_SHOWN]) + (f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else "")
    return (
        f"{path}: holds more than weights: it names {shown}, and a file that names functions can run programs when it "
        f"is opened. Nothing of it was run. {command} takes its tensors and builds none of these"
    )


def _whole_object(path: Path, name: str) -> str:
    return (
        f"{path}: holds a whole pickled object ({name}), whose weights cannot be had without running its code; where "
        "you trust it, open it with the program that wrote it, save its state_dict(), and convert that"
    )


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
