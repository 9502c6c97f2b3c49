"""What ships inside the function that serves participants runs on the standard library alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lwise_core

_REPOSITORY = Path(lwise_core.__file__).parents[1]
_SERVED = (
    "lwise_core.experiments.study",
    "lwise_core.experiments.trialset",
    "lwise_core.experiments.conditions",
    "lwise_core.sessions.service",
    "lwise_core.sessions.sqlite",
)


def _loaded_modules(*flags: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after importing what is served."""
    code = (
        f"import sys; sys.path.insert(0, {str(_REPOSITORY)!r}); import {', '.join(_SERVED)}; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    fresh = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True)
    return set(fresh.stdout.split())


def test_serving_loads_nothing_heavy() -> None:
    heavy = {"torch", "pandas", "numpy", "pydantic", "yaml", "aws_cdk", "starlette", "boto3"}
    assert heavy.isdisjoint(_loaded_modules())


def test_serving_needs_no_installed_package() -> None:
    assert _loaded_modules("-I", "-S") - set(sys.stdlib_module_names) == {"__main__", "lwise_core"}
