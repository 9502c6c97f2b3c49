"""The bundle: a study survives the round trip, and a changed bundle is rejected."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import BUNDLE_FORMAT, load_bundle, to_bundle
from lwise_core.experiments.study import (
    BonusTier,
    Conditions,
    PageSettings,
    Returning,
    Slots,
    Study,
    canonical_json,
)


@pytest.fixture
def bundle(taper: CompiledStudy, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_text(to_bundle(taper.study), encoding="utf-8")
    return path


def _small(study: Study) -> Study:
    """Few images, so that every byte of the bundle has a fair chance to be the one that changes."""
    return replace(study, images=study.images[:2], blocks=study.blocks[-1:], pages={})


def test_a_study_survives_the_round_trip_through_a_bundle(taper: CompiledStudy, bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert loaded == taper.study
    assert loaded.sha256 == taper.study.sha256
    assert to_bundle(loaded) == bundle.read_text(encoding="utf-8")


def test_a_bundle_s_version_is_the_hash_of_its_content(bundle: Path) -> None:
    """The loader takes the hash from the file after checking the text; hashing the study again gives the same."""
    loaded = load_bundle(bundle)
    assert replace(loaded).sha256 == loaded.sha256


def test_key_order_does_not_change_the_bundle(taper: CompiledStudy) -> None:
    turned = replace(taper.study, settings=dict(reversed(list(taper.study.settings.items()))))
    assert to_bundle(turned) == to_bundle(taper.study)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 12},
        {"title": "Moths!"},
        {"study_id": "moths_2"},
        {"pages": {}},
        {"conditions": Conditions(2, "blocked", 8)},
        {"slots": Slots(100, reuse=False)},
        {"platforms": ("prolific",)},
        {"bonus_tiers": (BonusTier(0.75, 5.0),)},
        {"repeat_split": "train"},
        {"returning": Returning("block", 24.0)},
        {"page": PageSettings(desktop_only=False, min_window_px=0, full_screen=True)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_part_of_the_version_and_survives_the_bundle(
    taper: CompiledStudy, tmp_path: Path, change: dict[str, object]
) -> None:
    changed = replace(taper.study, **change)  # type: ignore[arg-type]
    assert changed.sha256 != taper.study.sha256
    path = tmp_path / "changed.json"
    path.write_text(to_bundle(changed), encoding="utf-8")
    assert load_bundle(path) == changed


@settings(max_examples=500)
@given(data=st.data())
def test_a_changed_byte_is_detected_or_harmless(
    taper: CompiledStudy, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    study = _small(taper.study)
    content = bytearray(to_bundle(study).encode())
    # Bytes that matter in JSON come up as often as any others.
    values = st.sampled_from(b'"{}[],:eE+-.019 \\') | st.integers(0, 255)
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(values)
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert load_bundle(path) == study


def test_golden_differences_are_described(bundle: Path) -> None:
    bundle.write_text(bundle.read_text(encoding="utf-8").replace("aversata", "averseta", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"bundle\.json: was changed after it was compiled"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    "text", ["", "[]", '"bundle"', "{}", "null", '{"format": 1, "sha256": "", "stduy": {}}', "[" * 100_000]
)
def test_a_file_that_is_not_a_bundle_is_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"bundle\.json: not a study bundle"):
        load_bundle(path)


@pytest.mark.parametrize("other", [1, BUNDLE_FORMAT + 1, "3", None])
def test_a_bundle_of_another_format_is_rejected(bundle: Path, other: int) -> None:
    bundle.write_text(json.dumps(json.loads(bundle.read_text(encoding="utf-8")) | {"format": other}), encoding="utf-8")
    with pytest.raises(InputError, match=f"bundle format {other}; this version reads format {BUNDLE_FORMAT}, compile"):
        load_bundle(bundle)


def test_trials_sha256_covers_what_determines_the_trials(taper: CompiledStudy) -> None:
    study = taper.study
    assert study.slots == Slots(None, reuse=False)
    for mended in (
        *({"pages": {}}, {"title": "x"}, {"platforms": ("a",)}, {"page": PageSettings(min_window_px=0)}),
        {"slots": Slots(100, reuse=False)},
    ):
        assert replace(study, **mended).trials_sha256 == study.trials_sha256  # type: ignore[arg-type]
    others = (
        *({"seed": study.seed + 1}, {"conditions": Conditions(2, "alternating", 2)}, {"repeat_split": "train"}),
        *({"images": study.images[:-1]}, {"blocks": study.blocks[:-1]}, {"slots": Slots(3, reuse=True)}),
    )
    for other in others:
        assert replace(study, **other).trials_sha256 != study.trials_sha256  # type: ignore[arg-type]


def test_settings_added_later_do_not_change_a_study_s_version(taper: CompiledStudy) -> None:
    """A data folder is bound to a version, and must go on after the program was brought up to date."""
    assert (
        not {"returning", "page", "screening", "codes", "lease_minutes", "allow_repeats"} & taper.study.content().keys()
    )
    assert "page" in replace(taper.study, page=PageSettings(full_screen=True)).content()


def test_a_bundle_with_unknown_fields_is_rejected(taper: CompiledStudy, tmp_path: Path) -> None:
    later = {**taper.study.content(), "eye_tracking": True}
    sha256 = hashlib.sha256(canonical_json(later).encode()).hexdigest()
    path = tmp_path / "bundle.json"
    path.write_text(f'{{"format":2,"sha256":"{sha256}","study":{canonical_json(later)}}}\n', encoding="utf-8")
    with pytest.raises(InputError, match="has eye_tracking, which this version does not know; use a newer lwise"):
        load_bundle(path)


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_an_unreadable_bundle_says_how_to_make_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lwise experiments compile"):
        load_bundle(tmp_path / name)
