"""The built-in descriptions hold the right numbers, and an invalid file is rejected with every problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision.models._meta import _IMAGENET_CATEGORIES

from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.data.description import known_descriptions, load_dataset_description
from lwise_core.vision.guide import IMAGENET, GuideDescription, Normalisation
from lwise_core.vision.targets import targets_for
from lwise_core.vision.training.augment import presets
from tests.skip_or_fail import skip_or_fail

_LWISE = Path(__file__).parents[4] / "shared" / "data" / "lwise"
_MINE = "about: mine\nmean: [0.5, 0.5, 0.5]\nstd: [0.2, 0.2, 0.2]\n"


@pytest.mark.parametrize(
    ("name", "n_classes", "normalisation"),
    [
        ("imagenet", 1000, IMAGENET),
        ("imagenet16", 16, IMAGENET),
        ("inat2021", 10_000, IMAGENET),
        ("idaea4", 4, IMAGENET),
        ("ham10000", 7, Normalisation((0.76498, 0.57012, 0.59907), (0.12553, 0.14498, 0.15726))),
        ("ham4", 4, Normalisation((0.76498, 0.57012, 0.59907), (0.12553, 0.14498, 0.15726))),
        ("mhist", 2, Normalisation((0.73781, 0.64858, 0.77524), (0.19725, 0.24366, 0.17031))),
        ("cifar10", 10, Normalisation((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))),
    ],
)
def test_built_in_descriptions_load(name: str, n_classes: int, normalisation: Normalisation) -> None:
    description = load_dataset_description(name)
    assert description.number_of_classes == n_classes
    assert description.normalisation == normalisation
    assert name in known_descriptions()


def test_imagenet_classes_equal_torchvisions() -> None:
    assert list(load_dataset_description("imagenet").class_names or ()) == _IMAGENET_CATEGORIES


_ANIMALS = {
    "house_cat": "tabby|tiger cat|Persian cat|Siamese cat|Egyptian cat",
    "frog": "bullfrog|tree frog|tailed frog",
    "turtle": "loggerhead|leatherback turtle|mud turtle|terrapin|box turtle",
    "bird": "black grouse|ptarmigan|ruffed grouse|prairie chicken|peacock|quail|partridge|African grey|macaw|"
    "sulphur-crested cockatoo|lorikeet|coucal|bee eater|hornbill|hummingbird|jacamar|toucan|drake|"
    "red-breasted merganser|goose|black swan|white stork|black stork|spoonbill|flamingo|little blue heron|"
    "American egret|bittern|crane bird|limpkin|European gallinule|American coot|bustard|ruddy turnstone|"
    "red-backed sandpiper|redshank|dowitcher|oystercatcher|pelican|king penguin|albatross",
    "monkey": "siamang|guenon|patas|baboon|macaque|langur|colobus|proboscis monkey|marmoset|capuchin|howler monkey|"
    "titi|spider monkey|squirrel monkey",
    "fish": "tench|goldfish|barracouta|coho|rock beauty|anemone fish|sturgeon|gar|lionfish|puffer",
    "crab": "Dungeness crab|rock crab|fiddler crab|king crab",
    "insect": "tiger beetle|ladybug|ground beetle|long-horned beetle|leaf beetle|dung beetle|rhinoceros beetle|weevil|"
    "fly|bee|ant|grasshopper|cricket|walking stick|cockroach|mantis|cicada|leafhopper|lacewing|dragonfly|damselfly",
    "lizard": "banded gecko|common iguana|American chameleon|whiptail|agama|frilled lizard|alligator lizard|"
    "Gila monster|green lizard|African chameleon|Komodo dragon",
    "snake": "thunder snake|ringneck snake|hognose snake|green snake|king snake|garter snake|water snake|vine snake|"
    "night snake|boa constrictor|rock python|Indian cobra|green mamba|sea snake|horned viper|diamondback|sidewinder",
    "spider": "black and gold garden spider|barn spider|garden spider|black widow|tarantula|wolf spider",
    "big_cat": "cougar|lynx|leopard|snow leopard|jaguar|lion|tiger|cheetah",
    "bear": "brown bear|American black bear|ice bear|sloth bear",
    "rodent": "wood rabbit|hare|Angora|hamster|fox squirrel|marmot|guinea pig",
    "antelope": "hartebeest|impala|gazelle",
}
"""The classes of each animal, checked by hand. Dogs are a range: the breeds, up to the wolves."""


def test_sixteen_animals_have_the_right_classes() -> None:
    superclasses = load_dataset_description("imagenet16").superclasses
    assert superclasses is not None
    names = {animal: [_IMAGENET_CATEGORIES[member] for member in members] for animal, members in superclasses.items()}
    dogs = names.pop("dog")
    assert names == {animal: listed.split("|") for animal, listed in _ANIMALS.items()}
    first, last = _IMAGENET_CATEGORIES.index("Chihuahua"), _IMAGENET_CATEGORIES.index("timber wolf")
    assert dogs == _IMAGENET_CATEGORIES[first:last]
    assert len(dogs) == 118


def test_built_in_descriptions_name_an_augmentation_preset() -> None:
    assert {load_dataset_description(name).augment for name in known_descriptions()} <= set(presets())


def _published(study: str) -> list[DirmapRow]:
    path = _LWISE / study / "dataset_dirmap.csv"
    if not path.is_file():
        skip_or_fail(f"{path} is not on this machine")
    return read_dirmap(path)


@pytest.mark.parametrize(("name", "study"), [("imagenet16", "imagenet_animals_main_10"), ("idaea4", "idaea4_learn_10")])
def test_superclasses_agree_with_published_dirmap(name: str, study: str) -> None:
    description = load_dataset_description(name)
    assert description.superclasses is not None
    names = description.class_names or ()
    for row in _published(study):
        assert names[row.class_num] == row.class_name
        assert int(row.extra["orig_class_num"]) in description.superclasses[row.class_name]


def test_published_dirmap_has_every_animal_class_except_some_dogs() -> None:
    superclasses = load_dataset_description("imagenet16").superclasses or {}
    seen = {int(row.extra["orig_class_num"]) for row in _published("imagenet_animals_main_10")}
    missing = {name: len(set(members) - seen) for name, members in superclasses.items() if set(members) - seen}
    assert missing == {"dog": 12}


def test_superclasses_are_targets_for_a_model_of_the_larger_data_set() -> None:
    superclasses = load_dataset_description("ham4").superclasses
    rows = [DirmapRow("val", name, number, f"{name}.jpg") for number, name in enumerate(("bcc", "bkl", "mel", "nv"))]
    seven = load_dataset_description("ham10000").class_names or ()
    targets = targets_for(GuideDescription("small_resnet", seven, 32), rows, superclasses=superclasses)
    assert [seven[member] for (member,) in targets.members or ()] == [row.class_name for row in rows]


def test_custom_description_loads(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(_MINE + "superclasses: {red: [3, 5-7], blue: ['8']}\nsize: 96\n", encoding="utf-8")
    description = load_dataset_description(str(path))
    assert description.name == "mine"
    assert description.class_names == ("red", "blue")
    assert description.superclasses == {"red": (3, 5, 6, 7), "blue": (8,)}
    assert description.size == 96


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'imagenet17' is not a known data set.* cifar10, .*imagenet16.*\.yaml"):
        load_dataset_description("imagenet17")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a\n- b\n", "expected keys and values"),
        ("classes: [a, b\n", "not a YAML file"),
        (_MINE, "expected one of classes, class_of, superclasses and n_classes"),
        (_MINE + "classes: [a, b]\nn_classes: 3\n", "n_classes is 3, but 2 classes are named"),
        (_MINE + "classes: [a, a]\n", "named twice"),
        (_MINE + "classes: [a, b]\nclass_of: {x: c}\n", "class_of names 'c', which is not one of the classes"),
        (_MINE + "classes: [a, b]\nmeans: 3\n", r"means: unknown key; did you mean mean\?"),
        (_MINE + "part_of: imagenet\nclasses: [a, b]\n", "with part_of, superclasses"),
        (_MINE + "superclasses: {a: [1-3], b: [3]}\n", "occurs twice in superclasses"),
        (_MINE + "superclasses: {a: [-1], b: [3]}\n", r"superclasses\.a\.0: expected 0 or more"),
        (_MINE + "classes: [a, b]\nstd: [1, 1, 1]\n", "duplicate key 'std', the second one in line"),
        (_MINE + "class_of: {x: a, y: b, x: b}\n", "duplicate key 'x'"),
        (_MINE.replace("0.2, 0.2, 0.2", "0.2, 0.2, 0") + "classes: [a, b]\n", r"std\.2: expected more than 0"),
        (_MINE.replace("0.5, 0.5, 0.5", "0.5") + "classes: [a, b]\n", "mean: "),
    ],
)
def test_invalid_description_is_rejected(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        load_dataset_description(str(path))


def test_missing_description_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_dataset_description(str(tmp_path / "none.yaml"))


def test_superclass_number_beyond_the_larger_data_set_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(_MINE + "part_of: ham10000\nsuperclasses: {bad: [0, 2], good: [7]}\n", encoding="utf-8")
    with pytest.raises(InputError, match="superclasses, good has the number 7; ham10000 has 0 to 6"):
        _ = load_dataset_description(str(path)).whole


def test_part_of_a_part_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(_MINE + "part_of: ham4\nsuperclasses: {bad: [0, 2], good: [3]}\n", encoding="utf-8")
    with pytest.raises(InputError, match="part_of is ham4, which is a part itself; expected ham10000"):
        _ = load_dataset_description(str(path)).whole
