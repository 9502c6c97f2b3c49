"""Assemblies of the sample app and of studies, each made once, and a fresh AWS account."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_emulator.cdk_command import PROJECT, require_cdk
from tests.aws_emulator.stand_in import JSII_VARIABLES, StandIn
from tests.aws_emulator.variations import Variations, write_variations


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the assemblies `first` and `changed` of the sample app."""
    require_cdk()
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run(
        [sys.executable, "-m", "tests.aws_emulator.sample_app", folder, StandIn.account, StandIn.region],
        cwd=PROJECT,
        env={**os.environ, **JSII_VARIABLES},
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def moths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of the study moths_0 as it comes with the project."""
    require_cdk()
    folder = tmp_path_factory.mktemp("moths") / "assembly"
    with StandIn() as elsewhere:
        elsewhere.cdk("synth", "--quiet", "ExperimentStack-moths-0", "AccountStack", output=folder)
    return folder


@pytest.fixture(scope="session")
def variations(tmp_path_factory: pytest.TempPathFactory) -> Variations:
    """A project with other studies than the repository's, and its assembly."""
    require_cdk()
    folder = tmp_path_factory.mktemp("variations")
    project, assembly = folder / "project", folder / "assembly"
    project.mkdir()
    write_variations(project)
    with StandIn() as elsewhere:
        elsewhere.cdk("synth", "--quiet", output=assembly, project=project)
    return Variations(project, assembly)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """An account that was bootstrapped and is otherwise empty."""
    require_cdk()
    with StandIn() as opened:
        opened.bootstrap()
        yield opened
