"""The same seed gives byte-identical pictures, scores and trial sets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.conftest import SMALL_DEMO
from tests.run_cli import COMMAND, succeed

_MADE = ("dirmap.csv", "guide.safetensors", "variants", "study")


def _digests(demo: Path) -> dict[str, str]:
    """SHA-256 of everything made before the learners come, by relative path, and of ten trial sets."""
    roots = [demo / name for name in _MADE]
    files = [path for root in roots for path in (root, *root.rglob("*")) if path.is_file()]
    found = {str(path.relative_to(demo)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    trialsets = succeed("experiments", "trialset", demo / "study", "--ids", "0-9", folder=demo)
    return {**found, "trial sets": hashlib.sha256(trialsets.encode()).hexdigest()}


def test_same_seed_same_bytes(
    small_demo: Path, few_moths: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    succeed("demo", *SMALL_DEMO, "--images", few_moths, folder=tmp_path, timeout=300, command=COMMAND)
    again = _digests(tmp_path / "demo")
    assert len(again) > 5 * 4 * (12 + 5)
    assert again == _digests(small_demo)
