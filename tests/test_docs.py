"""Commands in the documentation work, links resolve, and generated pages are current."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from docs.reference import PAGES
from lwise_core import __version__
from tests.run_cli import lwise, served

_REPOSITORY = Path(__file__).parent.parent
_PAGES = [*_REPOSITORY.glob("*.md"), *_REPOSITORY.glob("docs/**/*.md")]
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.fixture(scope="module")
def after_the_demo(small_demo: Path, few_moths: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished demo, which the pages assume."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(small_demo, folder / "demo")
    shutil.copytree(few_moths, folder / "demo" / "images")
    return folder


def _commands(text: str) -> list[str]:
    return [line for block in _BLOCK.findall(text) for line in block.splitlines()]


@pytest.mark.parametrize(
    "path", [path for path in _PAGES if _commands(path.read_text(encoding="utf-8"))], ids=lambda path: path.name
)
def test_commands_of_a_page_work_in_order(path: Path, after_the_demo: Path) -> None:
    for line in _commands(path.read_text(encoding="utf-8")):
        command, _, output = line.partition(" > ")
        program, *words = shlex.split(command)
        assert program == "lwise"
        if words[0] == "serve":
            verb, study, data_option, data, *port = words
            assert (verb, data_option, *port) == ("serve", "--data", "--port", "8000")
            with served(after_the_demo / study, after_the_demo / data):
                continue
        done = lwise(*words, folder=after_the_demo)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        if output:
            (after_the_demo / output).write_text(done.stdout, encoding="utf-8")


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: path.name)
def test_links_between_pages_resolve(path: Path) -> None:
    broken = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert not broken


def test_readme_links_to_every_page() -> None:
    reached, waiting = set(), [_REPOSITORY / "README.md"]
    while waiting:
        at = waiting.pop().resolve()
        if at not in reached and at.suffix == ".md":
            reached.add(at)
            waiting += [at.parent / link for link in _LINK.findall(at.read_text(encoding="utf-8"))]
    assert reached >= {path.resolve() for path in _PAGES}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_page_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run: python docs/reference.py"


def test_citation_has_this_version() -> None:
    assert yaml.safe_load((_REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
