"""Convert an L-WISE experiment folder into a study of this project.

config.yaml and the data file are copied unchanged; what L-WISE takes from command-line flags and its HTML page is added
as sections of config.yaml and as instruction pages to rewrite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from lwise_core import atomic_files
from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.config_file import OWN_SECTIONS
from lwise_core.authoring.folder import CONFIG_FILE, TRIALSETS_FILE, StudyFolder, find_study, is_prespecified
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.authoring.template import write_instructions
from lwise_core.errors import InputError
from lwise_core.file_names import DIRMAP_FILE

_STUDY_ID = re.compile(r"(?P<name>.+)_(?P<number>\d+)")


@dataclass(frozen=True)
class Imported:
    """The study folder that was written (or would be, in a dry run), and the study in it."""

    folder: Path
    compiled: CompiledStudy


def import_study(
    source: Path,
    out: Path,
    *,
    n_conditions: int | None,
    seed: int,
    name: str | None = None,
    number: int | None = None,
    dry_run: bool = False,
) -> Imported:
    """Write a study folder: `out` itself or, if it exists or a name is given, `<name>_<number>` inside it.

    Parameters
    ----------
    n_conditions : default: the number in the files.
    name, number : default: those of the folder `source`.

    Raises
    ------
    InputError
        If `source` is invalid or the study's folder exists; then nothing is written.
    """
    original = find_study(source)
    config_file = original.config_file
    target = _target(original, out, name, number)
    if target.exists() or (target != out and (out / CONFIG_FILE).exists()):
        raise InputError(f"{out} already contains a study; choose another folder with --out, --name or --number")
    data_name = TRIALSETS_FILE if is_prespecified(original.data_file) else DIRMAP_FILE
    config = _with_own_sections(original, n_conditions, seed)
    with atomic_files.new_folder(target, keep=not dry_run) as new:
        atomic_files.write_text(new / CONFIG_FILE, config)
        atomic_files.write_bytes(new / data_name, original.data_file.read_bytes())
        write_instructions(new)
        try:
            compiled = compile_study(new)
        except InputError as error:
            raise InputError(str(error).replace(str(new), str(source))) from None
    study = replace(compiled.study, study_id=target.resolve().name)
    warnings = tuple(dict.fromkeys((*config_file.warnings, *compiled.warnings)))
    return Imported(target, replace(compiled, study=study, warnings=warnings))


def _target(original: StudyFolder, out: Path, name: str | None, number: int | None) -> Path:
    if name is None and number is None and not out.exists():
        return out
    match = _STUDY_ID.fullmatch(original.study_id)
    name = name or (match["name"] if match else None)
    number = number if number is not None or match is None else int(match["number"])
    if name is None or number is None:
        raise InputError(f"{original.study_id!r} is not <name>_<number>; name the study with --name NAME --number N")
    if any(sign in name for sign in "/\\:") or name.startswith("."):
        raise InputError(f"--name is {name!r}; expected a name without path separators")
    return out / f"{name}_{number}"


def _with_own_sections(original: StudyFolder, n_conditions: int | None, seed: int) -> str:
    """The unchanged text of config.yaml, followed by the sections that L-WISE does not have."""
    text = original.config.read_text(encoding="utf-8-sig")
    config = original.config_file.config
    present = [section for section in OWN_SECTIONS if section in original.config_file.sections]
    if present:
        raise InputError(
            f"{original.config}: has the section {present[0]}, so it is already a study of this project; copy its "
            "folder instead"
        )
    deployment: dict[str, object] = {"seed": seed}
    if n_conditions is not None:
        deployment["num_conditions"] = n_conditions
    elif config.n_conditions > 1:
        deployment["num_conditions"] = config.n_conditions
    sections: dict[str, object] = {"deployment": deployment}
    if config.hit_config is not None:
        sections["site"] = {"title": config.hit_config.title}
    added = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)
    return f"{text.rstrip()}\n\n# What L-WISE takes from command-line flags and its HTML page.\n{added}"
