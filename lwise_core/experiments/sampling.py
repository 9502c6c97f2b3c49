"""Draw the images of a session: without replacement, and from the easiest under the difficulty curriculum.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lwise_core.errors import InputError
from lwise_core.experiments import feasibility
from lwise_core.experiments.study import Cell, Study
from lwise_core.keyed_random import RandomStream


@dataclass(frozen=True)
class SessionImages:
    """Indices into `Study.images`: the images of each (split, class_num) per block, and the repeat image."""

    of_blocks: Sequence[Mapping[Cell, Sequence[int]]]
    repeat: int | None


def draw_images(study: Study, condition: int, stream: RandomStream) -> SessionImages:
    """Draw the images of a session.

    The repeat image is drawn first, uniformly over the classes of its split that can spare one, so that a curriculum
    does not affect it. Next are the blocks that draw without replacement from all images, and last the curriculum
    blocks, from what remains: a curriculum block shares images only with other curriculum blocks, and shows none twice.

    Raises
    ------
    InputError
        If the data set has too few images.
    """
    n_curriculum = feasibility.curriculum_length(study, condition)
    remaining = {
        cell: list(study.pools.get(cell, ()))
        for block in study.blocks
        for cell, _ in feasibility.required_images(study, block)
    }
    repeat = _draw_repeat_image(study, condition, stream) if feasibility.has_repeats(study) else None
    if repeat is not None:
        image = study.images[repeat]
        cell = (image.split or "", image.class_num)
        remaining[cell] = [index for index in remaining.get(cell, ()) if index != repeat]
    try:
        later = [
            {cell: stream.take(remaining[cell], count) for cell, count in feasibility.required_images(study, block)}
            for block in study.blocks[n_curriculum:]
        ]
        curriculum = _draw_curriculum(study, condition, remaining, repeat, stream)
    except (ValueError, IndexError):
        raise InputError("; ".join(feasibility.shortages(study, condition))) from None
    return SessionImages([*curriculum, *later], repeat)


def _draw_repeat_image(study: Study, condition: int, stream: RandomStream) -> int:
    candidates = [
        index
        for class_num in feasibility.repeat_classes(study, condition)
        for index in study.pools[study.repeat_split, class_num]
    ]
    if not candidates:
        raise InputError("; ".join(feasibility.shortages(study, condition)))
    return stream.pick(candidates)


def _draw_curriculum(
    study: Study, condition: int, remaining: Mapping[Cell, Sequence[int]], repeat: int | None, stream: RandomStream
) -> Sequence[Mapping[Cell, Sequence[int]]]:
    ranked: dict[Cell, list[int]] = {}
    blocks = []
    for block in study.blocks[: feasibility.curriculum_length(study, condition)]:
        chosen = {}
        for cell, count in feasibility.required_images(study, block):
            if cell not in ranked:
                candidates = {*remaining[cell], repeat}
                ranked[cell] = [index for index in study.ranked_pools.get(cell, ()) if index in candidates]
            fraction = block.conditions[condition].easiest_fraction
            chosen[cell] = stream.sample(feasibility.easiest_images(ranked[cell], fraction, repeat=repeat), count)
        blocks.append(chosen)
    return blocks
