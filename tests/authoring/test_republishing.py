"""Publishing again: other variants keep their rows, and a name keeps its meaning unless the author overwrites it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.authoring.republishing import Publication, merged, read_publication, write_publication
from lwise_core.errors import InputError

_MANIFEST = Path("stimuli.csv")
_EPS4, _EPS8 = {"epsilon": 4.0}, {"epsilon": 8.0}


def _rows(variant: str, *names: str) -> dict[tuple[str, str], str]:
    return {(variant, f"{number}.png"): name for number, name in enumerate(names)}


def test_the_same_variant_again_and_another_one_are_merged() -> None:
    before = Publication(_rows("eps4", "a"), {"eps4": _EPS4})
    new = Publication({**_rows("eps4", "a", "b"), **_rows("eps8", "c")}, {"eps4": _EPS4, "eps8": _EPS8})
    assert merged(before, new, overwrite=False, manifest=_MANIFEST) == new


@pytest.mark.parametrize(
    "new",
    [Publication(_rows("eps4", "a"), {"eps4": _EPS8}), Publication(_rows("eps4", "z"), {"eps4": _EPS4})],
    ids=["provenance", "image"],
)
def test_a_variant_that_differs_is_rejected_alone(new: Publication) -> None:
    before = Publication({**_rows("eps4", "a"), **_rows("eps8", "c")}, {"eps4": _EPS4, "eps8": _EPS8})
    both = Publication({**new.rows, **_rows("eps8", "c")}, {**new.provenance, "eps8": _EPS8})
    with pytest.raises(InputError) as rejection:
        merged(before, both, overwrite=False, manifest=_MANIFEST)
    assert str(rejection.value).startswith("stimuli.csv: eps4: a different variant of this name was published before")
    assert "renames the old one to eps4@1" in str(rejection.value)


def test_unknown_provenance_may_become_known() -> None:
    before = Publication(_rows("eps4", "a"), {})
    new = Publication(_rows("eps4", "a"), {"eps4": _EPS4})
    assert merged(before, new, overwrite=False, manifest=_MANIFEST) == new


def test_provenance_without_rows_reserves_no_name() -> None:
    before = Publication({}, {"eps4": _EPS4})
    new = Publication(_rows("eps4", "a"), {"eps4": _EPS8})
    assert merged(before, new, overwrite=False, manifest=_MANIFEST) == new


def test_overwriting_keeps_the_old_variant_under_the_next_version() -> None:
    before = Publication({**_rows("eps4", "b"), **_rows("eps4@1", "a")}, {"eps4": _EPS4, "eps4@1": _EPS8})
    new = Publication(_rows("eps4", "c"), {"eps4": _EPS8})
    after = merged(before, new, overwrite=True, manifest=_MANIFEST)
    assert after.rows == {**_rows("eps4", "c"), **_rows("eps4@1", "a"), **_rows("eps4@2", "b")}
    assert after.provenance == {"eps4": _EPS8, "eps4@1": _EPS8, "eps4@2": _EPS4}


def test_a_publication_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = tmp_path / "stimuli.csv"
    assert read_publication(manifest) == Publication({}, {})
    publication = Publication(_rows("eps4", f"{'0a' * 16}.png"), {"eps4": _EPS4, "natural": {}})
    write_publication(manifest, publication)
    assert read_publication(manifest) == Publication(publication.rows, {"eps4": _EPS4})
