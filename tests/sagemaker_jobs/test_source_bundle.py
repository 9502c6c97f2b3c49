"""The folder of code that is uploaded with a job."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from lwise_core.aws_names import JobKind
from sagemaker_jobs.source_bundle import REQUIREMENTS_FILE, write_code

_OURS = ("lwise_core", "sagemaker_jobs")


@pytest.fixture(params=get_args(JobKind))
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_code(tmp_path, request.param)


def _imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def _exists(folder: Path, module: str) -> bool:
    path = folder.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_shipped_code_imports_only_what_is_shipped(script: Path) -> None:
    folder = script.parent
    missing = {
        (str(path.relative_to(folder)), module.rpartition(".")[0])
        for path in folder.rglob("*.py")
        for module in _imported_modules(path)
        # A name in a module, or a module in a package.
        if module.startswith(tuple(f"{name}." for name in _OURS))
        and not _exists(folder, module)
        and not _exists(folder, module.rpartition(".")[0])
    }
    assert missing == set()


def test_the_bundle_has_the_entry_point_the_signal_forwarder_and_no_caches(script: Path) -> None:
    folder = script.parent
    assert {path.name for path in folder.iterdir()} == {*_OURS, script.name, REQUIREMENTS_FILE}
    assert (folder / "sagemaker_jobs" / "container" / "signal_forwarder.sh").is_file()
    assert {path.name for path in (folder / "sagemaker_jobs").iterdir()} == {"__init__.py", "container"}
    assert not list(folder.rglob("__pycache__"))
