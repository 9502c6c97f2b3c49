"""Fixtures shared by all tests: a real Chromium, an emulated AWS account, and small seeded images."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from lwise_core.simulation.moths import write_moths
from tests.aws import CREDENTIALS, REGION, StandIn, aws_stand_in
from tests.browser import ARGUMENTS, chromium
from tests.run_cli import COMMAND, succeed
from tests.skip_or_fail import skip_or_fail

CLASSES = ("red", "green", "blue")
_SLOWEST_FILES = ("test_crowd.py", "test_demo.py", "test_docs.py", "test_on_machines.py", "test_to_a_study.py")
SMALL_DEMO = ("--no-serve", "--learners", 2, "--seed", 5)


def coloured_noise(channel: int, *, size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A noisy image in which one colour channel is brighter: an easy but not trivial class."""
    pixels = random.normal(110, 30, (size, size, 3))
    pixels[..., channel] += random.normal(35, 15)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_photographs(root: Path, *, per_class: dict[str, int], size: int = 32, seed: int = 0) -> Path:
    """An ImageFolder tree `root/<split>/<class>/<number>.png` of three classes."""
    random = np.random.default_rng(seed)
    for split, count in per_class.items():
        for channel, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(coloured_noise(channel, size=size, random=random)).save(folder / f"{number:03d}.png")
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the test fails where `CI` is set and is skipped elsewhere."""
    executable = chromium()
    if executable is None:
        skip_or_fail("no Chromium on this machine: run `make test`, which installs one")
    # Chromium does not run its sandbox as root.
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=list(arguments))
        yield opened
        opened.close()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three classes, 30 training and 10 validation images each, 32 x 32 pixels."""
    return write_photographs(tmp_path / "photographs", per_class={"train": 30, "val": 10})


def shared_once(name: str, factory: pytest.TempPathFactory, build: Callable[[Path], object]) -> Path:
    """The folder that `build` fills, once per test run: the first process to ask builds it, the others wait for it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # a worker's own folder lies in that of the run
    folder, complete = root / "shared" / name, root / "shared" / f"{name}.complete"
    folder.parent.mkdir(exist_ok=True)
    with (root / "shared" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed here
            folder.mkdir()
            build(folder)
            complete.touch()
    return folder


@pytest.fixture(scope="session")
def few_moths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Just enough moths for a study, 32 x 32 pixels."""

    def build(folder: Path) -> None:
        write_moths(folder / "photographs", n_per_species={"train": 12, "val": 5}, seed=0, size=32)

    return shared_once("moths", tmp_path_factory, build) / "photographs"


@pytest.fixture(scope="session")
def small_demo(few_moths: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of `lwise demo` for few moths and two learners. Read only: all tests share it."""

    def build(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as environment:
            # Sets and dictionaries of text come in this order; test_same_seed.py takes another.
            environment.setenv("PYTHONHASHSEED", "1")
            succeed("demo", *SMALL_DEMO, "--images", few_moths, folder=folder, timeout=300, command=COMMAND)

    return shared_once("demo", tmp_path_factory, build) / "demo"


@pytest.fixture(scope="session")
def aws() -> Iterator[StandIn]:
    """One stand-in for all tests; each test has its own resources in it."""
    with aws_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def account(aws: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """An account without stacks, which this process and the commands that it runs are configured to use."""
    settings = {name.upper(): value for name, value in CREDENTIALS.items()}
    for name, value in {
        **settings,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": aws.url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    yield aws
    cloudformation = aws.client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        cloudformation.delete_stack(StackName=stack["StackName"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first, so that no worker is alone with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in _SLOWEST_FILES)
