"""The report is one file that opens anywhere, says what the tables say, and gives nobody away."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lwise_core.errors import InputError
from lwise_core.records.report import write_report
from lwise_core.records.statistics import condition_contrast, condition_summary

from .synthetic import ASSIGNMENT_ID, WORKER_ID, Person, learners, study, write_variants

GUIDE = {
    "clean_accuracy": 0.876,
    "robust_accuracy": 0.543,
    "chance": 0.25,
    "n_images": 160,
    "attack": {"epsilon": 1.5, "steps": 20, "step": 0.1},
}
PEOPLE = [
    *learners(0, 0.6, n=6),
    *learners(1, 0.8, n=6),
    Person("quitter-pseudonym", condition=1, training="01", state="started"),
    Person("researcher-pseudonym", condition=0, training="11", test="11", platform="test"),
]
CITATION = "https://arxiv.org/abs/2412.09765"
HOSTILE = "<script>alert('x')</script>"
VOID = frozenset({"meta", "img", "br"})
CELLS = frozenset({"td", "th", "dt", "dd"})


class Page(HTMLParser):
    """What a browser would make of the file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in CELLS:
            self._texts.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self._texts.append(data)

    @property
    def text(self) -> str:
        """The text with every run of ordinary white space as one space; non-breaking ones stay."""
        return re.sub(r"[ \n]+", " ", "".join(self._texts))

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def written(folder: Path, people: list[Person], *, variants: Path | None = None, **changes: Any) -> Page:
    """The report of a study; without `variants`, of natural images alone that are not scored."""
    trials, sessions = study(people)
    if variants is None:
        variants = write_variants(folder / "variants", epsilons=(), scored=False)
    given = {
        "trials": trials,
        "sessions": sessions,
        "dirmap": variants / "dirmap.csv",
        "variants": variants,
        "guide_metrics": GUIDE,
        "title": "Moths",
        "seed": 3,
    }
    return Page(write_report(folder / "report.html", **(given | changes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    """Everything at once: two conditions, scores, two variants, and hostile names."""
    variants = write_variants(folder / "variants", classes=("ajax", "eris"), n_per_class=3)
    dirmap = pd.read_csv(variants / "dirmap.csv")
    dirmap["class"] = dirmap["class"].where(dirmap["class"] == "ajax", HOSTILE)
    dirmap.to_csv(variants / "dirmap.csv", index=False)
    trials, _ = study(PEOPLE)
    trials["trial_type"] = trials["trial_type"].where(trials["trial_type"] != "taper", f"taper{HOSTILE}")
    return written(folder, PEOPLE, variants=variants, trials=trials, title=f"Moths & {HOSTILE}")


class TestSelfContained:
    def test_images_are_inside_the_file(self, page: Page) -> None:
        pictures = page.values("src")
        assert len(pictures) == 7
        for uri in pictures:
            kind, _, data = uri.partition(",")
            assert kind == "data:image/png;base64"
            assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")

    def test_nothing_runs_and_nothing_is_loaded(self, page: Page) -> None:
        tags = {tag for tag, _ in page.tags}
        assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert not re.search(r"@import|url\(", page.html)
        assert "srcset" not in page.html

    def test_links_lead_to_a_section_or_to_the_citation(self, page: Page) -> None:
        anchors = {f"#{name}" for name in page.values("id")}
        assert set(page.values("href")) == anchors | {CITATION}

    def test_every_image_has_alternative_text(self, page: Page) -> None:
        assert len(page.values("src")) == len([alt for alt in page.values("alt") if alt])


class TestSafety:
    def test_title_class_and_condition_are_text_not_markup(self, page: Page) -> None:
        assert f"Moths & {HOSTILE}" in page.text
        assert f"1 · taper{HOSTILE}" in page.text
        assert f"Categories: {HOSTILE}, ajax" in page.text
        assert "<script" not in page.html

    def test_neither_platform_ids_nor_pseudonyms(self, page: Page) -> None:
        for secret in (ASSIGNMENT_ID, WORKER_ID, *(person.name for person in PEOPLE)):
            assert secret not in re.sub(r"base64,[^\"]*", "", page.html)


class TestContent:
    def test_accuracies_of_the_guide_model_clean_and_under_attack(self, page: Page) -> None:
        assert "classifies 87.6\u00a0% of 160 validation images correctly" in page.text
        assert "54.3\u00a0% under an adversarial attack (L2, ε = 1.5, 20 steps of 0.1)" in page.text
        assert "Chance is 25.0\u00a0%" in page.text

    def test_participants_started_excludes_test_sessions(self, page: Page) -> None:
        assert "12completed of 13 who started" in page.text
        assert "1 session on the platform test is excluded" in page.text
        assert "1 participant started without completing" in page.text

    def test_numbers_are_those_of_the_statistics(self, page: Page) -> None:
        for row in condition_summary(*study(PEOPLE), seed=3).to_dict("records"):
            value, low, high = (100 * row[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
            assert f"{value:.1f} [{low:.1f}, {high:.1f}]" in page.text
        contrast = condition_contrast(*study(PEOPLE), seed=3).iloc[0]
        assert f"{contrast['odds_ratio']:.2f}" in page.text

    def test_provenance_of_each_variant(self, page: Page) -> None:
        assert re.search(r"eps4 4\.0 0\.5 8 logit 0a0a0a0a0a0a 6 3\.960 \+4\.00 100\.0\u00a0%", page.text)
        assert "Made with lwise 0.1.0, seed 3." in page.text

    def test_a_value_and_its_percent_sign_do_not_break(self, page: Page) -> None:
        assert not re.findall(r"\d %", page.text)

    def test_same_data_and_seed_give_the_same_bytes(self, tmp_path: Path) -> None:
        assert written(tmp_path, PEOPLE[4:8]).html == written(tmp_path / "again", PEOPLE[4:8]).html


class TestFirstSentence:
    """Test answers of everyone in condition 0 and in condition 1, and the sentence about the difference."""

    @pytest.mark.parametrize(
        ("reference", "other", "expected"),
        [
            (("1100", "1000"), ("1110", "1100"), "were 25.0 percentage points more accurate than those of 0 · natural"),
            (("1110", "1100"), ("1100", "1000"), "were 25.0 percentage points less accurate than those of 0 · natural"),
            (("1110", "1000"), ("1010", "0011"), "were as accurate as those of 0 · natural"),
        ],
    )
    def test_difference_in_words(
        self, tmp_path: Path, reference: tuple[str, str], other: tuple[str, str], expected: str
    ) -> None:
        people = [
            Person(f"{condition}{number}", condition=condition, test=answers)
            for condition, group in enumerate((reference, other))
            for number, answers in enumerate(group)
        ]
        text = written(tmp_path, people).text
        assert f"In the test, learners of condition 1 · natural {expected}" in text
        assert re.search(r"\(95\u00a0% interval of the difference \S+ to \S+; p = [01]\.\d{3}\)\.", text)
        assert "+0.0" not in text


class TestLittleIsKnown:
    def test_no_participants(self, tmp_path: Path) -> None:
        text = written(tmp_path, []).text
        assert "No participant has completed the study yet." in text
        assert "nan" not in text.lower()

    def test_a_study_that_nobody_completed(self, tmp_path: Path) -> None:
        text = written(tmp_path, [replace(person, state="started") for person in PEOPLE[:3]]).text
        assert "3 started." in text
        assert "3 participants started without completing" in text

    def test_one_participant_without_a_test(self, tmp_path: Path) -> None:
        page = written(tmp_path, [Person("a", training="0110")])
        assert "there is no test accuracy" in page.text
        assert "Nothing to compare" in page.text
        assert len(page.values("src")) == 2

    def test_neither_variants_nor_scores_nor_guide(self, tmp_path: Path) -> None:
        text = written(tmp_path, [], guide_metrics={}).text
        assert "There are no enhanced variants" in text
        assert "The images are not scored" in text
        assert "The accuracy of the guide model is not recorded" in text

    def test_some_images_are_not_scored(self, tmp_path: Path) -> None:
        variants = write_variants(tmp_path / "variants", epsilons=())
        dirmap = pd.read_csv(variants / "dirmap.csv")
        dirmap.loc[5:, ["difficulty", "robust_gt_logit"]] = None
        dirmap.to_csv(variants / "dirmap.csv", index=False)
        assert "3 of 8 images are not scored" in written(tmp_path, [], variants=variants).text

    def test_variant_that_was_not_measured(self, tmp_path: Path) -> None:
        variants = write_variants(tmp_path / "variants", epsilons=(2.0,), n_per_class=1, scored=False)
        for name in ("enhanced.csv", "provenance.json"):
            (variants / "eps2" / name).unlink()
        text = written(tmp_path, [], variants=variants).text
        assert "eps2 – – – – – 0 – – –" in text

    def test_simulated_participants_are_labelled(self, tmp_path: Path) -> None:
        people = [Person("a", state="started"), Person("b", state="started", platform="simulated")]
        assert "1 of 2 participants are simulated." in written(tmp_path, people).text


@pytest.mark.parametrize("missing", ["variants", "dirmap"])
def test_a_failed_report_leaves_the_existing_one(tmp_path: Path, missing: str) -> None:
    before = written(tmp_path, []).html
    with pytest.raises(InputError, match="nowhere"):
        written(tmp_path, [], **{missing: tmp_path / "nowhere"})
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "variants"]
