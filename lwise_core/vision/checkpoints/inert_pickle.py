"""Reads pickles without importing or running what they name: tensors load, everything else becomes an inert stand-in.

A pickle is a program that imports functions by name and calls them. This reader replaces every name that tensors do not
need by a class that does nothing, and records the name. It does not limit how much memory a file can request.
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
"""What checkpoints commonly hold besides tensors and which only holds values; `numpy.core` is from numpy 1."""

_NEEDED: dict[str, Any] = {
    # How protocol 2 of pickle writes bytes.
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
    """Stand-in for an object that was not built; accepts whatever a pickle does to objects, and does nothing."""

    of = ""
    """Name of the replaced class or function."""

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
        """How a pickle fills a list."""

    def extend(self, items: Any) -> None:
        """How a pickle fills a list."""

    def add(self, item: Any) -> None:
        """How a pickle fills a set."""


class InertPickle:
    """The `pickle_module` for `torch.load`; `refused` are the names replaced by stand-ins."""

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
    """A copy for the pickle, which can set attributes on it, so that no other code sees them."""
    if isinstance(thing, FunctionType):
        return functools.partial(thing)
    return type("Namespace", (argparse.Namespace,), {}) if thing is argparse.Namespace else thing


def _without_source_code(persistent_load: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """PyTorch's `persistent_load`, without the source code of classes that files from before 1.6 contain.

    PyTorch compares that code with the installed one, and may write the difference to a file that the pickle names.
    """

    def load(saved_id: Any) -> Any:
        if isinstance(saved_id, tuple) and saved_id[0] in ("module", b"module"):
            return saved_id[1]
        return persistent_load(saved_id)

    return load
