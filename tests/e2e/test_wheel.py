"""What `uv build` makes, installed into a clean environment: the demo runs and the page is there, with no Node."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.run_cli import served, succeed

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("clean")
    _uv("build", "--wheel", "--out-dir", folder, _REPOSITORY)
    (wheel,) = folder.glob("lwise-*.whl")
    _uv("venv", "--python", "3.11", folder / "venv")
    _uv("pip", "install", "--python", folder / "venv", f"lwise[vision,local,analysis] @ {wheel.as_uri()}")
    return folder / "venv" / "bin"


def _uv(*arguments: object) -> None:
    done = subprocess.run(["uv", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_installed_wheel_does_the_whole_way_without_node(
    clean_environment: Path, few_moths: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(clean_environment))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = (str(clean_environment / "lwise"),)
    options = ["--no-serve", "--learners", 2, "--images", few_moths]
    succeed("demo", *options, folder=tmp_path, timeout=300, command=command)
    assert (tmp_path / "demo" / "report.html").is_file()
    with served(tmp_path / "demo" / "study", tmp_path / "demo" / "data", command=command) as address:
        page = httpx.get(address).raise_for_status().text
        script = re.search(r'src="\.?/?(assets/[^"]+\.js)"', page)
        assert script is not None
        assert "jspsych" in httpx.get(f"{address}/{script[1]}").raise_for_status().text.lower()
