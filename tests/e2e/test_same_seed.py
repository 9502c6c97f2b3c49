"""The same seed gives byte-identical pictures, scores and trial sets; another seed gives others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lwise_core.simulation.moths import write_moths
from tests.command_line import succeed

_MADE = ("dirmap.csv", "guide.safetensors", "variants", "study")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moths(
        tmp_path_factory.mktemp("moths") / "photographs", n_per_species={"train": 12, "val": 5}, seed=3, size=32
    )


def _demo(folder: Path, photographs: Path, seed: int) -> dict[str, str]:
    """SHA-256 of everything made before the learners come, by relative path, and of their trial sets."""
    folder.mkdir()
    options = ["--no-serve", "--learners", 1, "--seed", seed, "--images", photographs]
    succeed("demo", *options, folder=folder, timeout=300)
    out = folder / "demo"
    roots = [out / name for name in _MADE]
    files = [path for root in roots for path in (root, *root.rglob("*")) if path.is_file()]
    found = {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    trialsets = succeed("experiments", "trialset", out / "study", "--ids", "0-9", folder=folder)
    return {**found, "trial sets": hashlib.sha256(trialsets.encode()).hexdigest()}


def test_same_seed_same_bytes(tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = _demo(tmp_path / "first", photographs, seed=5)
    # Sets and dictionaries of text come in another order now.
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    assert _demo(tmp_path / "again", photographs, seed=5) == first
    other = _demo(tmp_path / "other", photographs, seed=6)
    for name in ("dirmap.csv", "guide.safetensors", "trial sets"):
        assert other[name] != first[name]
