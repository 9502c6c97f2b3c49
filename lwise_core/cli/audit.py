"""`lwise experiments audit`: count what many participants would get, as tables and a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.table import Table

from lwise_core.cli.progress import console, say, step
from lwise_core.cli.study_arguments import AS_JSON, STUDY_OR_BUNDLE, print_json, study_or_bundle

if TYPE_CHECKING:
    from lwise_core.authoring.audit import Audit, Spread, TrialGroup


def audit(
    study: Path = STUDY_OR_BUNDLE,
    n: int = typer.Option(1000, "--n", min=1, max=1_000_000, help="Number of trial sets, from id 0 on."),
    out: Path = typer.Option(Path("audit.png"), "--out", "-o", help="Where to write the figure (.png, .pdf or .svg)."),
    as_json: bool = AS_JSON,
) -> None:
    """Build many trial sets and count what participants would get, before money is spent.

    Example: `lwise experiments audit demo/study --n 1000 --out audit.png`
    """
    from lwise_core.authoring.audit import audit as count
    from lwise_core.records.audit_figure import write_audit_figure

    compiled = study_or_bundle(study)
    with step(f"Building {n} trial sets") as on_progress:
        counted = count(compiled, n, on_progress=on_progress)
    with step("Drawing the figure"):
        write_audit_figure(out, counted)
    if as_json:
        print_json(_as_json(counted))
        return
    for table in (_trials_table(counted), _exposure_table(counted), _calibration_table(counted)):
        if table.row_count:
            console.print(table)
    for sentence in _sentences(counted):
        say(sentence)
    say(f"{out}: the same as a figure")


def _trials_table(counted: Audit) -> Table:
    table = Table(title="Trials per trial set", title_justify="left")
    for heading in ("blocks", "conditions", "trial type", "split", "per class", "total"):
        table.add_column(heading, overflow="fold")
    for row in _trials_rows(counted):
        table.add_row(*row)
    return table


class _Numbers(NamedTuple):
    """The numbers in a row, which its blocks and conditions share."""

    trial_type: str
    split: str
    per_class: str
    total: str


def _trials_rows(counted: Audit) -> Iterator[tuple[str, ...]]:
    """One row for all blocks and conditions with the same trials of a type."""
    conditions_by_row: dict[_Numbers, dict[int, list[int]]] = {}
    for (block, condition, trial_type, split), groups in groupby(counted.groups.items(), key=_group):
        spreads = {group.class_name: spread for group, spread in groups}
        total = spreads.pop(None)
        least, most = min(spread.least for spread in spreads.values()), max(spread.most for spread in spreads.values())
        numbers = _Numbers(trial_type, split or "", _span(least, most), _span(*total))
        conditions_by_row.setdefault(numbers, {}).setdefault(block, []).append(condition)
    for numbers, conditions_of in conditions_by_row.items():
        for conditions in dict.fromkeys(map(tuple, conditions_of.values())):
            blocks = [block for block, own in conditions_of.items() if tuple(own) == conditions]
            yield (_block_ranges(counted, blocks), _ranges(conditions), *numbers)


def _group(item: tuple[TrialGroup, Spread]) -> tuple[int, int, str, str | None]:
    group, _ = item
    return (group.block, group.condition_idx, group.trial_type, group.split)


def _exposure_table(counted: Audit) -> Table:
    table = Table(title="How often an image is shown (main trials)", title_justify="left")
    for heading in ("split", "class", "images", "never", "least", "median", "most"):
        is_name = heading in ("split", "class")
        table.add_column(heading, justify="left" if is_name else "right", overflow="fold")
    for (split, name), counts in _exposures(counted).items():
        never = sum(count == 0 for count in counts)
        numbers = (len(counts), never, min(counts), round(median(counts)), max(counts))
        table.add_row(split, name, *map(str, numbers))
    return table


def _exposures(counted: Audit) -> dict[tuple[str, str], list[int]]:
    counts: dict[tuple[str, str], list[int]] = {}
    for image, count in zip(counted.study.images, counted.exposures, strict=True):
        counts.setdefault((image.split or "", counted.study.classes[image.class_num]), []).append(count)
    return counts


def _calibration_table(counted: Audit) -> Table:
    table = Table(title="Positions of attention checks in a block", title_justify="left")
    for heading in ("block", "total", "first third", "middle", "last third"):
        table.add_column(heading, justify="left" if heading == "block" else "right")
    for block, counts in counted.calibration_positions.items():
        total, n = sum(counts), len(counts)
        thirds = (counts[: n // 3], counts[n // 3 : n - n // 3], counts[n - n // 3 :])
        table.add_row(counted.study.block_name(block), str(total), *(f"{sum(third) / total:.0%}" for third in thirds))
    return table


def _sentences(counted: Audit) -> Iterable[str]:
    at_end, worst = counted.imbalance
    counts = [counted.arrivals.count(condition) for condition in range(counted.study.conditions.count)]
    yield (
        f"Conditions after {counted.n_trialsets} participants: {', '.join(map(str, counts))}; they differ by "
        f"{at_end} at the end, and by at most {worst} on the way."
    )
    runs = [length for length, times in counted.longest_runs.items() for _ in range(times)]
    yield f"Longest run of one class: {round(median(runs))} in a typical trial set, at most {max(runs)}."
    if counted.repeated:
        why = "combine_and_shuffle moves images between blocks" if counted.study.blocks else "as given in trialsets.csv"
        yield f"In {counted.repeated} of {counted.n_trialsets} trial sets a block shows an image twice ({why})."


def _as_json(counted: Audit) -> Mapping[str, Any]:
    study = counted.study
    at_end, worst = counted.imbalance
    return {
        "study_id": study.study_id,
        "sha256": study.sha256,
        "n_trialsets": counted.n_trialsets,
        "conditions": [counted.arrivals.count(condition) for condition in range(study.conditions.count)],
        "imbalance": {"at_the_end": at_end, "worst": worst},
        "trials": [
            {**group._asdict(), "block_name": study.block_name(group.block), **spread._asdict()}
            for group, spread in counted.groups.items()
        ],
        "exposures": [
            {"im_path": image.im_path, "split": image.split, "class": study.classes[image.class_num], "shown": count}
            for image, count in zip(study.images, counted.exposures, strict=True)
        ],
        "longest_runs": {str(length): times for length, times in counted.longest_runs.items()},
        "calibration_places": {study.block_name(block): list(p) for block, p in counted.calibration_positions.items()},
        "trialsets_with_an_image_twice_in_a_block": counted.repeated,
    }


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}–{most}"


def _ranges(numbers: Iterable[int]) -> str:
    """E.g. 0–2, 5 for 0, 1, 2, 5."""
    return ", ".join(_span(first, last) for first, last in _spans(numbers))


def _block_ranges(counted: Audit, blocks: Iterable[int]) -> str:
    name = counted.study.block_name
    return ", ".join(
        name(first) if first == last else f"{name(first)} – {name(last)}" for first, last in _spans(blocks)
    )


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last number of each run of consecutive numbers."""
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
