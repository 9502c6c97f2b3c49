"""A project whose studies differ from the repository's in what a deployment must cope with. Made anew only once, since
an assembly of all of them takes hardly longer than that of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.aws_emulator.project import copy_study, new_project
from tests.run_cli import succeed

REWORDED = "moths_0"
"""The study of the repository with another text in its instructions."""
NEW_TEXT = "These words were written while people took part."
DELETED = "moths_1"
"""The same study with `on_destroy: delete`, and with everything that it can have in its account."""
IDAEA = "idaea4_10"
"""The study of the paper, where its dirmap is at hand."""
IDAEA_DIRMAP = Path(__file__).parents[3] / "shared" / "data" / "lwise" / "idaea4_learn_10" / "dataset_dirmap.csv"


@dataclass(frozen=True)
class Variations:
    """The project's folder, and its assembly."""

    project: Path
    assembly: Path


def write_variations(project: Path) -> None:
    """Make the project in an empty folder."""
    new_project(project)
    instructions = copy_study("moths_0", project, name=REWORDED) / "instructions" / "task.md"
    instructions.write_text(f"# What to do\n\n{NEW_TEXT}\n", encoding="utf-8")
    deployment = {"on_destroy": "delete", "alarm_email": "lab@example.org"}
    copy_study("moths_0", project, name=DELETED, changes={"deployment": deployment, "site": {"ask_email": True}})
    if IDAEA_DIRMAP.is_file():
        copy_study(IDAEA, project)
        succeed("experiments", "fetch-dirmap", IDAEA, "--from", IDAEA_DIRMAP, folder=project)
