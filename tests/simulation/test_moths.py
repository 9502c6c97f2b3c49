"""The same seed draws the same moths, and their ambiguity and traits are as documented."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import f_oneway, multivariate_normal

from lwise_core.errors import InputError
from lwise_core.simulation.moths import SPECIES, TRAITS, Moth, draw_moth, sample_moths, write_moths

MANY = 2_000


@pytest.fixture(scope="module")
def many() -> list[Moth]:
    return sample_moths(n_per_species={"train": MANY}, seed=11)


def posteriors(moths: list[Moth]) -> NDArray[np.float64]:
    """P(species | traits), (moths, species), for equally frequent species."""
    traits = [moth.traits for moth in moths]
    densities = np.stack([multivariate_normal(species.mean).pdf(traits) for species in SPECIES], axis=1)
    return densities / densities.sum(axis=1, keepdims=True)


def true_species(moths: list[Moth]) -> NDArray[np.int64]:
    names = [species.name for species in SPECIES]
    return np.array([names.index(moth.species) for moth in moths])


def pixels(moth: Moth, *, size: int = 96, seed: int = 0) -> NDArray[np.float64]:
    return np.asarray(draw_moth(moth, size=size, seed=seed)) / 255.0


def digests(root: Path) -> dict[str, str]:
    contents = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    names = [path.relative_to(root).as_posix() for path in contents]
    return dict(zip(names, (hashlib.sha256(data).hexdigest() for data in contents.values()), strict=True))


def test_files_depend_on_the_seed(tmp_path: Path) -> None:
    n_per_species = {"train": 3, "val": 2}
    first, again, other = (
        digests(write_moths(tmp_path / name, n_per_species=n_per_species, seed=seed, size=48))
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())


def test_individual_does_not_depend_on_the_number_or_order_drawn() -> None:
    few = sample_moths(n_per_species={"val": 2}, seed=3)
    more = sample_moths(n_per_species={"train": 4, "val": 5}, seed=3)
    assert set(few) < set(more)
    forwards = [draw_moth(moth, size=48, seed=3).tobytes() for moth in few]
    backwards = [draw_moth(moth, size=48, seed=3).tobytes() for moth in reversed(few)]
    assert forwards == backwards[::-1]


def test_ambiguity_is_the_posterior_probability_of_the_other_species(many: list[Moth]) -> None:
    expected = 1 - posteriors(many)[np.arange(len(many)), true_species(many)]
    np.testing.assert_allclose([moth.ambiguity for moth in many], expected, atol=1e-9)


def test_ideal_observer_is_right_on_nine_moths_in_ten(many: list[Moth]) -> None:
    correct = posteriors(many).argmax(axis=1) == true_species(many)
    assert correct.mean() == pytest.approx(0.893, abs=0.015)  # 4 standard errors of 8,000 moths


def test_most_moths_are_unambiguous_and_some_resemble_another_species(many: list[Moth]) -> None:
    ambiguity = np.array([moth.ambiguity for moth in many])
    assert np.mean(ambiguity < 0.1) > 0.6
    assert 0.08 < np.mean(ambiguity > 0.5) < 0.16
    for species in SPECIES:
        own = ambiguity[[moth.species == species.name for moth in many]]
        assert own.min() < 0.001
        assert own.max() > 0.9


def test_all_pairs_of_species_are_equally_similar() -> None:
    distances = [np.linalg.norm(np.subtract(a.mean, b.mean)) for a in SPECIES for b in SPECIES if a != b]
    np.testing.assert_allclose(distances, distances[0])


def test_table_lists_every_image_once_in_order(tmp_path: Path) -> None:
    n_per_species = {"val": 2, "train": 3}
    root = write_moths(tmp_path / "moths", n_per_species=n_per_species, seed=1, size=32)
    with (root / "ambiguity.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    moths = sample_moths(n_per_species=n_per_species, seed=1)
    places = [(moth.split, moth.species, moth.path) for moth in moths]
    assert list(rows[0]) == ["split", "class", "im_path", *TRAITS, "ambiguity"]
    assert [row["im_path"] for row in rows] == sorted(path for path in digests(root) if path.endswith(".png"))
    assert [(row["split"], row["class"], row["im_path"]) for row in rows] == places
    written = [[float(row[name]) for name in (*TRAITS, "ambiguity")] for row in rows]
    np.testing.assert_allclose(written, [(*moth.traits, moth.ambiguity) for moth in moths], atol=5.1e-7)


def test_images_are_rgb_of_the_requested_size(tmp_path: Path) -> None:
    root = write_moths(tmp_path / "moths", n_per_species={"train": 1}, seed=1, size=40)
    for path in root.rglob("*.png"):
        with Image.open(path) as image:
            assert (image.mode, image.size, image.format) == ("RGB", (40, 40), "PNG")


def test_larger_image_shows_the_same_scene() -> None:
    moth = sample_moths(n_per_species={"train": 1}, seed=2)[0]
    enlarged = pixels(moth, size=192).reshape(48, 4, 48, 4, 3).mean(axis=(1, 3))
    small = pixels(moth, size=96).reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    other = pixels(replace(moth, index=1), size=96).reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(enlarged - small).mean() < 0.02 < np.abs(other - small).mean()


def test_no_moth_is_in_two_splits(tmp_path: Path) -> None:
    root = write_moths(tmp_path / "moths", n_per_species={"train": 4, "val": 4, "test": 4}, seed=0, size=32)
    images = [digest for path, digest in digests(root).items() if path.endswith(".png")]
    assert len(set(images)) == len(images) == 3 * 4 * 4
    moths = sample_moths(n_per_species={"train": 4, "val": 4, "test": 4}, seed=0)
    assert len({moth.traits for moth in moths}) == len(moths)


def test_existing_folder_is_rejected_and_unchanged(tmp_path: Path) -> None:
    root = tmp_path / "moths"
    root.mkdir()
    (root / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="moths exists already; choose another name"):
        write_moths(root, n_per_species={"train": 1}, seed=0)
    assert list(tmp_path.rglob("*")) == [root, root / "mine.txt"]


def test_interrupted_write_leaves_no_files(tmp_path: Path) -> None:
    def interrupt(n_drawn: int, n_moths: int) -> None:
        if n_drawn == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_moths(tmp_path / "moths", n_per_species={"train": 2}, seed=0, size=32, on_progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_progress_counts_up_to_the_number_of_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_moths(
        tmp_path / "moths",
        n_per_species={"train": 2, "val": 1},
        seed=0,
        size=32,
        on_progress=lambda n_drawn, n_moths: seen.append((n_drawn, n_moths)),
    )
    assert seen == [(n, 12) for n in range(1, 13)]


@pytest.mark.parametrize(
    ("n_per_species", "message"),
    [({"train": 0}, "'train': 0 moths"), ({"../up": 1}, "lower-case"), ({"": 1}, "split ''")],
)
def test_impossible_requests_are_rejected(n_per_species: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample_moths(n_per_species=n_per_species, seed=0)


@pytest.mark.parametrize(("trait", "least_change"), [("hue", 0.015), ("band", 0.010), ("spot", 0.007)])
def test_each_trait_changes_the_image_visibly_and_monotonically(trait: str, least_change: float) -> None:
    """Mean absolute change per pixel over 3 sd; measured on 5 moths: hue 0.025, band 0.017, spot 0.011."""
    which = TRAITS.index(trait)
    for moth in sample_moths(n_per_species={"train": 5}, seed=4)[::4]:
        lowest, middle, highest = (
            pixels(replace(moth, traits=tuple(value if i == which else 0.0 for i in range(len(TRAITS)))))
            for value in (-1.5, 0.0, 1.5)
        )
        change = np.abs(highest - lowest).mean()
        assert change > least_change
        assert change > np.abs(middle - lowest).mean() > change / 4
        assert change > np.abs(highest - middle).mean() > change / 4


def test_traits_change_only_the_moth() -> None:
    for moth in sample_moths(n_per_species={"train": 3}, seed=8):
        lowest, highest = (pixels(replace(moth, traits=(value,) * len(TRAITS))) for value in (-3.0, 3.0))
        np.testing.assert_array_equal(lowest[-12:, :12], highest[-12:, :12])


def test_background_does_not_reveal_the_species() -> None:
    """Mean and spread of every colour in the corners of 80 images per species: the smallest p value."""
    moths = sample_moths(n_per_species={"train": 80}, seed=9)
    edge = [0, 1, 2, 3, -4, -3, -2, -1]
    statistics = []
    for moth in moths:
        image = pixels(moth, size=48)
        corners = image[np.ix_(edge, edge)].reshape(-1, 3)
        statistics.append([*corners.mean(axis=0), *corners.std(axis=0)])
    by_species = np.array(statistics).reshape(len(SPECIES), 80, -1)
    assert f_oneway(*by_species).pvalue.min() > 0.01
