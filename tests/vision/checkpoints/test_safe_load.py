"""Files that hold more than weights: read without running anything, or rejected with a helpful message."""

from __future__ import annotations

import argparse
import functools
import os
import pickle
import zipfile
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import dill
import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints import safe_load
from lwise_core.vision.checkpoints.safe_load import read
from tests.vision.checkpoints.wrappings import robustness_file

_WEIGHTS = {"conv.weight": torch.arange(12.0).reshape(3, 4), "conv.bias": torch.tensor([0.5, -1.0, 2.0])}

FORMATS: dict[str, dict[str, Any]] = {
    "zip": {},
    "zip, dill": {"pickle_module": dill},
    "before 1.6": {"_use_new_zipfile_serialization": False},
    "before 1.6, dill": {"_use_new_zipfile_serialization": False, "pickle_module": dill},
}
in_every_format = pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)


def _written(tmp_path: Path, document: Any, options: dict[str, Any]) -> Path:
    path = tmp_path / "model.pt"
    torch.save(document, path, **options)
    return path


def _assert_weights(weights: Any) -> None:
    assert weights.keys() == _WEIGHTS.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in _WEIGHTS.items())


def _cyclic_schedule() -> dict[str, Any]:
    """State of a schedule whose learning rate became a numpy number, as in robustness."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: np.interp([epoch], [0, 4, 15], [0, 1, 0])[0])
    optimiser.step()
    schedule.step()
    return {"optimizer": optimiser.state_dict(), "schedule": schedule.state_dict()}


@in_every_format
def test_plain_values_beside_the_weights_are_read(tmp_path: Path, options: dict[str, Any]) -> None:
    more = {**_cyclic_schedule(), "args": argparse.Namespace(arch="resnet50", lr=0.1)}
    assert type(more["schedule"]["_last_lr"][0]) is np.float64
    content = read(_written(tmp_path, robustness_file(_WEIGHTS, **more), options))
    _assert_weights(content.document["model"])
    assert content.document["args"].arch == "resnet50"
    assert content.refused == ()


def test_numbers_of_numpy_1_are_read(tmp_path: Path) -> None:
    path = _written(tmp_path, robustness_file(_WEIGHTS, **_cyclic_schedule()), FORMATS["before 1.6"])
    content = path.read_bytes()
    assert b"numpy._core.multiarray\n" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    _assert_weights(read(path).document["model"])
    _assert_weights(read(path, trust_pickle=True).document["model"])


@in_every_format
def test_functions_are_rejected_or_replaced_by_stand_ins(tmp_path: Path, options: dict[str, Any]) -> None:
    if "pickle_module" in options:
        arguments: dict[str, Any] = {"custom_lr": lambda epoch: 0.1 * epoch, "eps": 3}
        refused = "dill._dill._create_function"
    else:
        arguments = {"custom_lr": os.path.join, "eps": 3}
        refused = "posixpath.join"
    path = _written(tmp_path, robustness_file(_WEIGHTS, args=arguments), options)
    with pytest.raises(InputError) as refusal:
        read(path)
    assert f"it names {refused}" in str(refusal.value)
    assert "Nothing in it was run" in str(refusal.value)
    assert f"lwise checkpoints convert {path} --out MODEL.safetensors --trust-pickle" in str(refusal.value)
    content = read(path, trust_pickle=True)
    _assert_weights(content.document["model"])
    assert refused in content.refused
    assert content.document["args"]["eps"] == 3


@in_every_format
def test_tensors_load_beside_arbitrary_objects(tmp_path: Path, options: dict[str, Any]) -> None:
    more = {
        **_cyclic_schedule(),
        "numbers": [np.float32(1), np.int64(2), np.arange(3.0), np.array(["a"]), np.bool_(True), np.float64(0.5)],
        "things": [{1, 2}, Path("a"), datetime(2025, 2, 12, tzinfo=UTC), Counter("aa"), deque([1]), Fraction(1, 3)],
        "network": nn.Linear(2, 2),
        "refers": functools.partial(os.path.join, "a"),
    }
    content = read(_written(tmp_path, robustness_file(_WEIGHTS, **more), options), trust_pickle=True)
    _assert_weights(content.document["model"])
    assert content.document["epoch"] == 89
    assert content.document["numbers"][-1] == 0.5
    assert {"fractions.Fraction", "torch.nn.modules.linear.Linear"} <= set(content.refused)


# --- hostile files


class _Runs:
    """Calls a function when its pickle is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _hostile(created: Path) -> dict[str, Any]:
    return {
        "os.system": _Runs(os.system, f"touch {created}"),
        "exec": _Runs(exec, f"open({str(created)!r}, 'w').close()"),
        "open": _Runs(open, str(created), "w"),
        "a path's method": _Runs(Path.touch, created),
    }


@in_every_format
@pytest.mark.parametrize("kind", ["os.system", "exec", "open", "a path's method"])
def test_hostile_file_runs_nothing(tmp_path: Path, options: dict[str, Any], kind: str) -> None:
    created = tmp_path / "created"
    hostile = _hostile(created)[kind]
    path = _written(tmp_path, {"model": _WEIGHTS, "args": [hostile, {"more": hostile}]}, options)
    with pytest.raises(InputError, match="holds more than weights"):
        read(path)
    assert not created.exists()
    content = read(path, trust_pickle=True)
    _assert_weights(content.document["model"])
    assert content.refused
    assert not created.exists()
    # The file is hostile: PyTorch runs it.
    torch.load(path, weights_only=False)
    assert created.exists()


def test_source_code_in_a_file_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Files before 1.6 may hold a class with its source code. PyTorch writes the difference to CLASS.patch if the class
    # has `dump_patches`, and a pickle can set both that and the name on a class that it loads.
    monkeypatch.chdir(tmp_path)
    head = b"".join(
        pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    namespace, created, wish = b"cargparse\nNamespace\n", b"U\x04made", b"U\x0cdump_patches"
    attributes = b"N}(" + wish + b"\x88U\x08__name__" + created + b"u\x86b0"
    source = b"(U\x06module" + namespace + b"U\x04a.pyU\x04codetQ."
    path = tmp_path / "model.pt"
    path.write_bytes(head + b"\x80\x02" + namespace + attributes + source + pickle.dumps([], protocol=2))
    read(path, trust_pickle=True)
    assert argparse.Namespace.__name__ == "Namespace"
    assert not (tmp_path / "made.patch").exists()
    # PyTorch's own reader writes it.
    try:
        with pytest.warns(match="Saved a reverse patch to made.patch"):
            torch.load(path, weights_only=False)
    finally:
        argparse.Namespace.__name__ = "Namespace"
        del argparse.Namespace.dump_patches  # type: ignore[attr-defined]
    assert (tmp_path / "made.patch").exists()


@in_every_format
def test_pickled_network_is_rejected(tmp_path: Path, options: dict[str, Any]) -> None:
    network = models.squeezenet1_1(num_classes=2)
    for trust_pickle in (False, True):
        with pytest.raises(InputError, match=r"a pickled object \(torchvision.models.squeezenet.SqueezeNet\)"):
            read(_written(tmp_path, network, options), trust_pickle=trust_pickle)


# --- not model files


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no such model file"),
        (b"", r"empty file \(0 bytes\)"),
        (b"<!DOCTYPE html><html>", "is a web page, not a model; the download failed"),
        (b"x" * 100, "not a known kind of model file"),
        (pickle.dumps({"model": 3}), "not a known kind of model file"),
        (b"PK\x03\x04" + b"x" * 100, "damaged file"),
        (b"\x10\0\0\0\0\0\0\0{" + b"x" * 30, "damaged safetensors file"),
    ],
)
def test_other_files_are_rejected(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    for trust_pickle in (False, True):
        with pytest.raises(InputError, match=complaint):
            read(path, trust_pickle=trust_pickle)


@in_every_format
def test_truncated_file_is_rejected(tmp_path: Path, options: dict[str, Any]) -> None:
    path = _written(tmp_path, {"model": {"weight": torch.zeros(10_000)}}, options)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match="damaged"):
        read(path)


@pytest.mark.filterwarnings("ignore")
@in_every_format
def test_corrupted_file_is_read_or_rejected(tmp_path: Path, options: dict[str, Any]) -> None:
    path = _written(tmp_path, robustness_file(_WEIGHTS, args={"join": os.path.join}), options)
    whole, random = path.read_bytes(), Random(0)  # noqa: S311
    n_rejected = 0
    for _ in range(100):
        changed = bytearray(whole)
        changed[random.randrange(len(changed))] = random.randrange(256)
        path.write_bytes(changed)
        try:
            read(path, trust_pickle=True)
        except InputError:
            n_rejected += 1
    assert 0 < n_rejected < 100


def test_archive_of_models_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ImageNet_eps3.pt", b"1")
        archive.writestr("MHIST_eps1.pt", b"2")
    with pytest.raises(InputError, match="is an archive of 2 files, not a model; unpack it"):
        read(path)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_program_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    with pytest.raises(InputError, match="is a TorchScript program"):
        read(path, trust_pickle=True)


def test_file_over_the_size_limit_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path, _WEIGHTS, {})
    monkeypatch.setattr(safe_load, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="bytes; at most 100 bytes are read"):
        read(path)


def test_zip_bomb_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", bytes(safe_load._MAX_PICKLE_BYTES + 1))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match=r"entry model/data.pkl has 200,000,001 bytes"):
        read(path, trust_pickle=True)
