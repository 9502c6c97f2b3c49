"""Settings that several kinds of work on images have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

ClassNumCol = Annotated[
    str | None,
    Field(description="Column with the numbers of the model's logits (default: classes are found by their names)."),
]
Superclasses = Annotated[
    str | Mapping[str, list[int]] | None,
    Field(
        description="For classes that are several of the model's: a YAML file, class: [logits], or a known data set."
    ),
]
SkipBad = Annotated[bool, Field(description="Leave out what cannot be read instead of stopping.")]
