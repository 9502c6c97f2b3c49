"""Whether a data set has enough images for a study, by counting alone, before anything is drawn.

How many images a block needs and how many remain for it depends on the condition, never on the random draws. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lwise_core.experiments.study import Block, Cell, Study


def required_images(study: Study, block: Block) -> Iterator[tuple[Cell, int]]:
    """The (split, class_num) cells that a block draws from, in a fixed order, and how many images it needs of each."""
    for split, count in sorted(block.n_per_class.items()):
        if count:
            for class_num in range(len(study.classes)):
                yield (split, class_num), count


def curriculum_length(study: Study, condition: int) -> int:
    """Number of blocks, from the first, that follow the difficulty curriculum in this condition."""
    return study.curriculum.n_blocks if condition in study.curriculum.conditions else 0


def easiest_images(ranked: Sequence[int], fraction: float, *, repeat: int | None) -> list[int]:
    """The easiest `fraction` of the images (count rounded), without the repeat image.

    The fraction holds both with and without the repeat image among the candidates.
    """
    share = ranked[: round(len(ranked) * fraction)]
    if repeat is None or repeat not in ranked:
        return list(share)
    return [index for index in share if index != repeat][: round((len(ranked) - 1) * fraction)]


def shortages(study: Study, condition: int) -> list[str]:
    """Every block that cannot be filled in this condition: what it needs and what remains for it."""
    problems = list(_shortages(study, condition, _counts(study)))
    if not problems and has_repeats(study) and not repeat_classes(study, condition):
        problems.append(
            f"n_repeats_of_one_stim: no image of split {study.repeat_split!r} remains to be the repeat image; add "
            "images or ask for fewer trials"
        )
    return problems


def has_repeats(study: Study) -> bool:
    """Whether any block shows the repeat image."""
    return any(block.n_repeats for block in study.blocks)


def repeat_classes(study: Study, condition: int) -> list[int]:
    """The classes that can spare an image of the repeat split without leaving a block short."""
    counts = _counts(study)
    return [
        class_num
        for class_num in range(len(study.classes))
        if counts.get((study.repeat_split, class_num))
        and next(_shortages(study, condition, counts, spared=(study.repeat_split, class_num)), None) is None
    ]


def _counts(study: Study) -> dict[Cell, int]:
    return {cell: len(pool) for cell, pool in study.pools.items()}


def _shortages(
    study: Study, condition: int, counts: Mapping[Cell, int], *, spared: Cell | None = None
) -> Iterator[str]:
    remaining = dict(counts)
    if spared is not None:
        remaining[spared] -= 1
    n_curriculum = curriculum_length(study, condition)
    for block in study.blocks[n_curriculum:]:
        for cell, count in required_images(study, block):
            available = remaining.get(cell, 0)
            if available < count:
                yield _shortage(study, block, cell, count, f"{available} are left")
            remaining[cell] = max(0, available - count)
    for block in study.blocks[:n_curriculum]:
        fraction = block.conditions[condition].easiest_fraction
        for cell, count in required_images(study, block):
            available = remaining.get(cell, 0)
            # The spared image may be among the easiest.
            candidates = _fewest_candidates(available, fraction, is_spared=cell == spared)
            if candidates < count:
                yield _shortage(
                    study,
                    block,
                    cell,
                    count,
                    f"the easiest {fraction:.3g} of the {available} that are left are {candidates}",
                )


def _fewest_candidates(available: int, fraction: float, *, is_spared: bool) -> int:
    if not is_spared:
        return round(available * fraction)
    return min(round((available + 1) * fraction) - 1, round(available * fraction))


def _shortage(study: Study, block: Block, cell: Cell, count: int, available: str) -> str:
    split, class_num = cell
    return (
        f"block {block.name!r} needs {count} images of class {study.classes[class_num]!r} from {split}, but "
        f"{available}; add images, ask for fewer trials, or raise max_difficulty_selection"
    )
