"""The code of the session function imports nothing heavy, and imports between rooms point one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parent.parent
_SERVING = "lwise_core.experiments.bundle lwise_core.experiments.payloads lwise_core.sessions.service"
_HEAVY = "torch torchvision numpy pandas pydantic yaml scipy matplotlib starlette typer rich aws_cdk boto3"


def test_serving_trials_needs_the_standard_library_only() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(_REPOSITORY)!r})\n"
        f"for name in {_SERVING!r}.split(): __import__(name)\n"
        f"print(*sorted(set({_HEAVY!r}.split()) & set(sys.modules)))"
    )
    # -I and -S: neither the user's settings nor installed packages; only this repository is added.
    found = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("module", ["lwise_core.cli.main", "lwise_core.vision.image_folder"])
def test_startup_imports_nothing_slow(module: str) -> None:
    program = f"import sys, {module}; print(*sorted({{'torch', 'pandas', 'matplotlib'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_arrows_point_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([lint, "--no-cache"], cwd=_REPOSITORY, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
