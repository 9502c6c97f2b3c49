"""Runs tests on a copy of the project in which a fault is planted."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from tests.mutants.mutations import Mutant, mutate

_TIMEOUT = 600
_PRELOADED = [
    *("torch", "torchvision", "timm", "pandas", "statsmodels.api"),
    *("boto3", "moto.server", "hypothesis", "pydantic", "pytest"),
]
"""Imported once; each run of tests is forked from there. Nothing of the project, which is what the faults are in."""

_processes = multiprocessing.get_context("forkserver")


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"


class Copy:
    """A copy of the tracked files, with the built site, in a temporary folder."""

    def __init__(self, project: Path) -> None:
        _processes.set_forkserver_preload(_PRELOADED)
        self.root = Path(tempfile.mkdtemp(prefix="mutants-"))
        files = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, check=True).stdout.decode()
        for name in filter(None, files.split("\0")):
            if (project / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(project / name, self.root / name)
        site = Path("lwise_core/local/site")
        shutil.copytree(project / site, self.root / site)
        (self.root / "node_modules").symlink_to(project / "node_modules")
        self._log = self.root / "output.txt"

    def run(self, tests: Sequence[str], *, mutant: Mutant | None = None, timeout: float = _TIMEOUT) -> Outcome:
        """What the tests say of the fault; those that import the module go first."""
        if mutant is None:
            return self._run(tests, timeout)
        path = self.root / mutant.path
        source = path.read_text(encoding="utf-8")
        mutated = mutate(source, mutant.operator, mutant.occurrence)
        assert mutated is not None, mutant
        path.write_text(mutated, encoding="utf-8")
        try:
            return self._run([*self._nearest(mutant, tests), *tests], timeout)
        finally:
            path.write_text(source, encoding="utf-8")

    def output(self) -> str:
        """The last lines that the tests printed."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])

    def _nearest(self, mutant: Mutant, tests: Sequence[str]) -> list[str]:
        module = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        files = (file for test in tests for file in self._files(self.root / test))
        return [str(file.relative_to(self.root)) for file in files if module in file.read_text(encoding="utf-8")]

    @staticmethod
    def _files(test: Path) -> Sequence[Path]:
        return sorted(test.rglob("test_*.py")) if test.is_dir() else [test]

    def _run(self, tests: Sequence[str], timeout: float) -> Outcome:
        process = _processes.Process(target=_pytest, args=(str(self.root), list(tests), str(self._log)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            assert process.pid is not None
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            return Outcome.TIMED_OUT
        return Outcome.SURVIVED if process.exitcode == 0 else Outcome.KILLED


def _pytest(root: str, tests: list[str], log: str) -> None:
    """In a child of its own: run the tests of the copy and exit with pytest's code."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(root)
    # Commands that tests start must find the copy as well.
    os.environ.update(PYTHONPATH=root, PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1")
    sys.dont_write_bytecode = True
    sys.path.insert(0, root)
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "lwise_core", "infra", "lambdas")]:
        del sys.modules[name]
    import pytest

    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not browser", "--durations=0", *tests])
    sys.stdout.flush()
    os.killpg(0, signal.SIGTERM) if code not in (0, 1) else None
    os._exit(int(code))
