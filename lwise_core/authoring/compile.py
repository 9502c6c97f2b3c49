"""From a study folder to a compiled study: validate everything once, resolve overrides, give images opaque names.

This module has what all studies share; `sampled` and `prespecified` compile studies whose trials are sampled from a
dirmap or given by trialsets.csv.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from markdown_it import MarkdownIt

from lwise_core.authoring.folder import StudyFolder, find_study, is_prespecified
from lwise_core.authoring.prespecified import compile_prespecified
from lwise_core.authoring.sampled import compile_sampled
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.errors import InputError, raise_if_any
from lwise_core.experiments import feasibility
from lwise_core.experiments.study import PAGES, Study
from lwise_core.progress import OnProgress

_TO_FILL_IN = "[FILL IN"
"""Start of the placeholders in the instruction pages that each lab has to fill in."""


def compile_study(study: Path | StudyFolder, *, on_progress: OnProgress | None = None) -> CompiledStudy:
    """Read, validate and resolve a study: `config.yaml`, `dirmap.csv` or `trialsets.csv`, `instructions/*.md`.

    Each file is read once; the validated config is `CompiledStudy.config`.

    Parameters
    ----------
    study : the study's folder, a config file in it, or its id.
    on_progress : called with the number of images done and their total.

    Raises
    ------
    InputError
        Naming the file and every problem in it.
    """
    folder = study if isinstance(study, StudyFolder) else find_study(study)
    config_file = folder.config_file
    compile_data = compile_prespecified if is_prespecified(folder.data_file) else compile_sampled
    pages = _pages(folder.instructions)
    data = compile_data(
        config_file.config,
        folder.data_file,
        study_id=folder.study_id,
        where=folder.config,
        pages=pages,
        on_progress=on_progress or (lambda done, total: None),
    )
    raise_if_any(folder.config, _shortages(data.study))
    return replace(data, warnings=(*config_file.warnings, *_to_fill_in(pages), *data.warnings))


def _shortages(study: Study) -> list[str]:
    """Every shortage of images once, with its conditions unless it affects all of them."""
    conditions_of: dict[str, list[int]] = {}
    for condition in range(study.conditions.count if study.blocks else 0):
        for shortage in feasibility.shortages(study, condition):
            conditions_of.setdefault(shortage, []).append(condition)
    return [
        shortage
        if len(conditions) == study.conditions.count
        else f"condition {', '.join(map(str, conditions))}: {shortage}"
        for shortage, conditions in conditions_of.items()
    ]


def _to_fill_in(pages: Mapping[str, str]) -> list[str]:
    unfilled = [page for page, text in pages.items() if _TO_FILL_IN in " ".join(text.split())]
    if not unfilled:
        return []
    return [
        f"instructions: {', '.join(f'{page}.md' for page in unfilled)}: placeholders {_TO_FILL_IN}: …] are not filled "
        "in; participants would see them"
    ]


def _pages(folder: Path) -> dict[str, str]:
    # Raw HTML in the Markdown is shown as text and script links are dropped, so that a page can run nothing.
    markdown = MarkdownIt("commonmark", {"html": False})
    paths = {page: folder / f"{page}.md" for page in sorted(PAGES)}
    return {page: markdown.render(_text(path)) for page, path in paths.items() if path.is_file()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None
