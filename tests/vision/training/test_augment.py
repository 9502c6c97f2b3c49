"""Augmentation applies the transforms of its file with random numbers from the image's seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lwise_core.errors import InputError
from lwise_core.vision.training.augment import augmentation, presets


def _image(side: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_presets_are_documented() -> None:
    assert presets() == ["ham10000", "histology", "imagenet", "none", "small"]


@pytest.mark.parametrize("name", ["ham10000", "histology", "imagenet", "small"])
def test_preset_depends_on_the_seed_alone(name: str) -> None:
    made = augmentation(name, size=48)
    image = _image(made.loaded_size)
    first, again = (made.apply(image, seed=7) for _ in range(2))
    others = [made.apply(image, seed=seed) for seed in range(8, 14)]
    assert first.shape == (3, 48, 48)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not all(torch.equal(first, other) for other in others)


def test_none_does_not_change_an_image() -> None:
    image = _image(48)
    assert torch.equal(augmentation("none", size=48).apply(image, seed=1), image)


def test_custom_file_with_percentages_of_the_side(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("margin: 1.5\ntransforms:\n- CenterCrop: {size: [100%, 50%]}\n- Resize: {size: [100%, 100%]}\n")
    made = augmentation(str(path), size=48)
    assert made.loaded_size == 72
    assert made.transforms[0].size == [48, 24]
    assert made.apply(_image(72), seed=0).shape == (3, 48, 48)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("transforms: [", "not a YAML file"),
        ("- RandomCrop", "expected `margin: 1.0` and `transforms:`"),
        ("margin: 0.5\ntransforms: []", "margin is 0.5; expected a number from 1 to 4"),
        ("transforms: 3", "transforms is 3; expected a list"),
        ("transforms: [Nonsense: {}]", "'Nonsense': .* is not a transform"),
        ("transforms: [functional: {}]", "is not a transform"),
        ("transforms: [RandomCrop: {width: 3}]", "RandomCrop does not accept"),
        ("transforms: [RandomCrop: {size: 50%}]", r"into torch.uint8 \(3, 24, 24\)"),
        ("transforms: [RandomCrop: {size: 200%}]", "cannot transform an image"),
    ],
)
def test_invalid_file_is_rejected(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint) as refusal:
        augmentation(str(path), size=48)
    assert str(refusal.value).startswith(f"{path}: ")


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"augment is 'smal'; expected one of ham10000, histology, .*\.yaml file"):
        augmentation("smal", size=48)
