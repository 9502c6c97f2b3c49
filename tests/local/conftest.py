"""A real server on a free port of this machine, with a small study, real images and a page of two files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.local.rate_limit import Rate, SessionLimits
from lwise_core.local.server import open_study, serving
from tests.experiments.conftest import write_data_set, write_study

PAGE = "<!doctype html><script type=module src=assets/page-1a2b.js></script>"
SCRIPT = "export {};"

_STUDY = {
    "session_config": [
        {"training": {"n_trials_per_class_train": 1, "n_calibration_trials": 2}},
        {"test": {"n_trials_per_class_val": 2, "show_feedback": False, "bonus_usd_if_correct": 0.25}},
    ],
    "site": {"title": "Moths"},
}


@dataclass(frozen=True)
class Server:
    """A running server: its address, and what it serves from where."""

    url: str
    compiled: CompiledStudy
    data: Path
    site: Path

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0


@contextmanager
def picture_away(picture: Path) -> Iterator[None]:
    """While someone moves a picture away."""
    elsewhere = picture.rename(picture.with_suffix(".away"))
    try:
        yield
    finally:
        elsewhere.rename(picture)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which everything of a module's server lies."""
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def compiled(place: Path) -> CompiledStudy:
    """Five training trials, two of them attention checks, and six test trials."""
    data_set = write_data_set(place / "images", per_class={"train": 2, "val": 2})
    folder = write_study(place / "moths_1", data_set, _STUDY)
    (folder / "instructions").mkdir()
    (folder / "instructions" / "task.md").write_text("Look at the *wings*.", encoding="utf-8")
    return compile_study(folder)


@pytest.fixture(scope="module")
def site(place: Path) -> Path:
    """A built page."""
    folder = place / "site"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "assets" / "page-1a2b.js").write_text(SCRIPT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(compiled: CompiledStudy, site: Path, place: Path) -> Iterator[Server]:
    """The running server; the tests of a module share it, as participants do, and may send as fast as they can."""
    data, no_limit = place / "data", Rate(at_once=1_000_000, per_second=1)
    limits = SessionLimits(no_limit, no_limit)
    with open_study(compiled, data, site=site, limits=limits) as local, serving(local.app) as url:
        yield Server(url, compiled, data, site)


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A participant's browser."""
    with httpx.Client(base_url=server.url, timeout=30) as browser:
        yield browser
