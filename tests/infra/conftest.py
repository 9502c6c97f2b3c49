"""The app synthesised once: a study that keeps its data, one that does not, and one that cannot be deployed."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "20"  # before the CDK is imported

from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra import app as cdk_app
from lwise_core.authoring import config_file
from lwise_core.authoring.folder import StudyFolder
from lwise_core.yaml_files import read_yaml
from tests.experiments.conftest import write_data_set, write_study

ACCOUNT, REGION = "123456789012", "us-east-1"
_REPOSITORY = Path(__file__).parent.parent.parent
_BLOCK = {"session_config": [{"only": {"n_trials_per_class_val": 1}}]}
_KEPT = {
    "platforms": ["prolific", "mturk", "inperson"],
    "completion_code": "ssm:/lwise/done",
    "screen_out_code": "ssm:out",
    "alarm_email": "lab@example.org",
    "throttle": {"per_second": 50, "at_once": 80},
    "termination_protection": True,
    "tags": {"project": "moths"},
}
_DELETED = {"on_destroy": "delete"}
_OWN = {
    "domain": {"name": "moths.example.edu", "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1a-2b"},
    "allow_origins": ["https://survey.example.edu"],
    "aws_prefix": "lab",
}


@dataclass(frozen=True)
class Synthesised:
    """The app and what became of it."""

    app: App
    templates: dict[str, dict[str, Any]]
    config_reads: Counter[str]

    def stack(self, name: str) -> Stack:
        found = self.app.node.find_child(name)
        assert isinstance(found, Stack)
        return found

    def resources(self, stack: str, type_: str) -> dict[str, dict[str, Any]]:
        """Logical id -> resource, of one type."""
        found = self.templates[stack]["Resources"]
        return {id_: resource for id_, resource in found.items() if resource["Type"] == type_}


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    folder = tmp_path_factory.mktemp("app")
    page = folder / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>", encoding="utf-8")
    (page / "assets" / "page-1a.js").write_text("export {};", encoding="utf-8")
    data_set = write_data_set(folder / "images", per_class={"val": 1})
    studies = [
        write_study(folder / "kept_1", data_set, {**_BLOCK, "deployment": _KEPT}),
        write_study(folder / "deleted_2", data_set, {**_BLOCK, "deployment": _DELETED}),
        write_study(folder / "own_5", data_set, {**_BLOCK, "deployment": _OWN}),
        write_study(folder / "broken_3", data_set, {**_BLOCK, "site": {"titel": "x"}}),
        write_study(folder / "codeless_4", data_set, {**_BLOCK, "deployment": {"completion_code": "env:DONE"}}),
    ]
    context = json.loads((_REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    # Errors of a study that cannot be deployed are the command line's to judge, stack by stack.
    context["@aws-cdk/core:annotationsInValidationReport"] = False
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        environment.setenv("CDK_DEFAULT_REGION", REGION)
        app = App(context=context, outdir=str(folder / "cdk.out"))
        folders = [StudyFolder(study, study / "config.yaml") for study in studies]
        reads = _count_config_reads(environment)
        cdk_app.build(app, folders, page=page, work=folder / "work")
    names = [child.node.id for child in app.node.children if isinstance(child, Stack)]
    return Synthesised(app, {name: Template.from_stack(_stack(app, name)).to_json() for name in names}, reads)


def _count_config_reads(patches: pytest.MonkeyPatch) -> Counter[str]:
    """Study id -> how often its config.yaml is read from now on."""
    reads: Counter[str] = Counter()

    def read(path: Path) -> Any:
        reads[path.parent.name] += 1
        return read_yaml(path)

    patches.setattr(config_file, "read_yaml", read)
    return reads


def _stack(app: App, name: str) -> Stack:
    found = app.node.find_child(name)
    assert isinstance(found, Stack)
    return found
