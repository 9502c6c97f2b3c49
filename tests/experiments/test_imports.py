"""What ships inside the function that serves participants runs on the standard library alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lwise_core
from lwise_core.authoring.compile import CompiledStudy
from lwise_core.experiments.bundle import to_bundle
from lwise_core.experiments.payloads import participant_view
from lwise_core.experiments.trialset import build_trialset

_REPOSITORY = Path(lwise_core.__file__).parents[1]
_SERVED = (
    "lwise_core.authoring.audit",
    "lwise_core.experiments.bundle",
    "lwise_core.experiments.conditions",
    "lwise_core.experiments.study",
    "lwise_core.experiments.trialset",
    "lwise_core.experiments.payloads",
    "lwise_core.sessions.service",
    "lwise_core.sessions.stores.sqlite.store",
)
_SERVE_TRIALS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lwise_core.experiments.bundle import load_bundle
from lwise_core.experiments.trialset import build_trialset
from lwise_core.experiments.payloads import participant_view
study = load_bundle(Path(sys.argv[2]))
views = [participant_view(study, build_trialset(study, number)) for number in range(4)]
print(json.dumps({"views": views, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def _other_pythons() -> list[str]:
    """Other versions of Python on this machine that can run the project."""
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 17) if minor != sys.version_info.minor]
    return [path for path in found if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0]


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


def test_a_bundle_is_served_without_any_installed_package(taper: CompiledStudy, tmp_path: Path) -> None:
    """Not only the imports: loading, building and showing run in an interpreter that has the repository and no more."""
    bundle = tmp_path / "bundle.json"
    bundle.write_text(to_bundle(taper.study), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-c", _SERVE_TRIALS, str(_REPOSITORY), str(bundle)]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True)
    served = json.loads(fresh.stdout)
    assert served["views"] == [participant_view(taper.study, build_trialset(taper.study, n)) for n in range(4)]
    assert set(served["modules"]) - set(sys.stdlib_module_names) == {"__main__", "lwise_core"}


def test_every_version_of_python_builds_the_same_trial_sets(taper: CompiledStudy, tmp_path: Path) -> None:
    """The function in the cloud, the laptop and the preregistration need not have the same Python."""
    pythons = _other_pythons()
    if not pythons:
        pytest.skip("no other Python 3.11+ on this machine")
    bundle = tmp_path / "bundle.json"
    bundle.write_text(to_bundle(taper.study), encoding="utf-8")
    here = [participant_view(taper.study, build_trialset(taper.study, n)) for n in range(4)]
    for python in pythons:
        command = [python, "-I", "-S", "-c", _SERVE_TRIALS, str(_REPOSITORY), str(bundle)]
        served = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert json.dumps(served["views"]) == json.dumps(here), python
