"""Reads pickles without importing or running anything they name: tensors are kept, all else becomes an inert stand-in.

A pickle is a program that imports functions by name and calls them. This reader answers every name that is not needed
for tensors with a class that does nothing, and notes the name. It does not keep a file from asking for much memory.
"""

from __future__ import annotations

import argparse
import functools
import pickle
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar as numpy_scalar

HARMLESS: tuple[tuple[Any, str], ...] = (
    (numpy_scalar, "numpy._core.multiarray.scalar"),
    (numpy_scalar, "numpy.core.multiarray.scalar"),
    (np.dtype, "numpy.dtype"),
    (np.dtypes.Float64DType, "numpy.dtypes.Float64DType"),
    (argparse.Namespace, "argparse.Namespace"),
)
"""What checkpoints commonly hold beside tensors, and which does nothing but hold values; `numpy.core` is of numpy 1."""

_NEEDED: dict[str, Any] = {
    # Bytes, as the second version of pickle writes them.
    "_codecs.encode": str.encode,
    "collections.OrderedDict": OrderedDict,
    "torch.Size": torch.Size,
    "torch._utils._rebuild_tensor": torch._utils._rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": torch._utils._rebuild_parameter,
    **{f"torch.{dtype}": getattr(torch, dtype) for dtype in ("float16", "bfloat16", "float32", "float64", "int64")},
}
_ALLOWED = {**_NEEDED, **{name: thing for thing, name in HARMLESS}}


class Inert:
    """Stands for an object that was not built; takes whatever a pickle does to objects, and does nothing."""

    of = ""
    """Name of the class or function that it stands for."""

    def __new__(cls, *arguments: Any, **named: Any) -> Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> Inert:
        return Inert()

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """As a list in a pickle is filled."""

    def extend(self, items: Any) -> None:
        """As a list in a pickle is filled."""

    def add(self, item: Any) -> None:
        """As a set in a pickle is filled."""


class InertPickle:
    """What `torch.load` takes as its `pickle_module`; `refused` are the names that were answered by stand-ins."""

    __name__ = "inert_pickle"

    def __init__(self) -> None:
        self.refused: list[str] = []
        refused = self.refused

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str, /) -> Any:
                full = f"{module}.{name}"
                if full in _ALLOWED:
                    return _unshared(_ALLOWED[full])
                if full not in refused:
                    refused.append(full)
                return type(name, (Inert,), {"of": full})

            def __setattr__(self, name: str, value: Any) -> None:
                super().__setattr__(name, _without_source_code(value) if name == "persistent_load" else value)

        self.Unpickler = Unpickler

    def load(self, file: Any, **options: Any) -> Any:
        """Read one pickle from an open file."""
        return self.Unpickler(file, **options).load()


def _unshared(thing: Any) -> Any:
    """The same for the pickle, which can set attributes on what it is given, but nothing that others use."""
    if isinstance(thing, FunctionType):
        return functools.partial(thing)
    return type("Namespace", (argparse.Namespace,), {}) if thing is argparse.Namespace else thing


def _without_source_code(persistent_load: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """PyTorch's reader of what lies outside of the pickle, but for the source code of classes in files before 1.6.

    PyTorch compares that code with the installed one, and may write the difference to a file that the pickle names.
    """

    def load(saved_id: Any) -> Any:
        if isinstance(saved_id, tuple) and saved_id[0] in ("module", b"module"):
            return saved_id[1]
        return persistent_load(saved_id)

    return load
