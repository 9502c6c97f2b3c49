"""What is sent of a trial set: every field to researchers, no answers to participants.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NotRequired, TypedDict

from lwise_core.experiments.interning import InternTable
from lwise_core.experiments.study import ImageSource, Study, StudyImage, TrialKind
from lwise_core.experiments.trialset import Trial, Trialset
from lwise_core.wire_schema import Shape

STIMULUS_FOLDER = "stimuli"
S3_HOST = ".s3.amazonaws.com"

NOT_FOR_PAGES = frozenset(
    {
        "difficulty_curriculum",
        "max_difficulty_selection",
        "combine_and_shuffle",
        "choice_image_bucket_name",
        "choice_url_suffix",
        "feedback_correct_url",
        "feedback_incorrect_url",
    }
)
"""Settings that the participant's page does not need; some would reveal the design of the study."""

_ICON_SETTINGS = ("choice_image_bucket_name", "choice_url_suffix", "keypress_fj_response")


class Offer(TypedDict):
    """The choices of a trial, in ring order."""

    choice_names: list[str]
    """Shown names; on calibration trials two of them are shapes."""
    choice_image_urls: NotRequired[list[str]]
    """An image for each choice; omitted where the page draws the names."""


class TrialRow(TypedDict):
    """What a trial set says of one trial; `kind`, `folder` and `offer` are indices into the trial set's lists."""

    block: int
    kind: int
    folder: int | None
    """The stimulus's URL is folder + file; both are null on calibration trials."""
    file: str | None
    shape: Shape | None
    offer: int
    i_correct_choice: int | None
    """null: withheld."""


class TrialsetPayload(TypedDict):
    """The trials of a session, compact: what several of them share is given once."""

    trialset_id: int
    settings: dict[str, Any]
    """Settings of every trial, unless its kind has its own."""
    kinds: list[dict[str, Any]]
    folders: list[str]
    offers: list[Offer]
    columns: list[str]
    """The names of the values of a row, in order."""
    rows: list[list[Any]]
    """A row per trial, in the order shown."""


ROW_COLUMNS = tuple(TrialRow.__annotations__)


def expanded(study: Study, trialset: Trialset) -> list[dict[str, Any]]:
    """Every trial with every field, under L-WISE's names; docs/formats/trialsets.md describes them."""
    shared = {trial.kind: _of_kind(study, study.kinds[trial.kind]) for trial in trialset.trials}
    return [_fields(study, trialset, index, shared[trial.kind]) for index, trial in enumerate(trialset.trials)]


def expanded_trial(study: Study, trialset: Trialset, index: int) -> dict[str, Any]:
    """One trial as in `expanded`."""
    kind = study.kinds[trialset.trials[index].kind]
    return _fields(study, trialset, index, _of_kind(study, kind))


def provenance_fields(study: Study, trial: Trial) -> dict[str, Any]:
    """Provenance of the variant that a trial shows; never for participants."""
    source = None if trial.source is None else study.sources[trial.source]
    known = None if source is None or source.variant is None else study.provenance_of.get(source.variant)
    return {
        "variant_epsilon": None if known is None else known.epsilon,
        "variant_method": None if known is None else known.method,
        "variant_model_sha256": None if known is None else known.model_sha256,
        "variant_lwise_version": None if known is None else known.package_version,
    }


def participant_view(study: Study, trialset: Trialset) -> TrialsetPayload:
    """The trial set for the participant's page: no classes, paths or condition, and answers only with feedback.

    Compact: settings that all trials share once (`settings`), those of each kind of trial once (`kinds`), and one row
    per trial. A row's `kind`, `folder` and `offer` are indices into the lists of these names.
    """
    kinds, folders, offers = InternTable[dict[str, Any]](), InternTable[str](), InternTable[Offer]()
    shared = {index: _of_page(study, study.kinds[index]) for index in {trial.kind for trial in trialset.trials}}
    rows = []
    for trial in trialset.trials:
        of_kind = shared[trial.kind]
        folder, file = _folder_and_file(study, trial)
        rows.append(
            [
                trial.block,
                kinds.index_of(of_kind.differences, key=of_kind.key),
                None if folder is None else folders.index_of(folder),
                file,
                trial.stimulus_name if trial.image is None else None,
                offers.index_of(_offer(of_kind, trial), key=(trial.choice_names, of_kind.icons, trial.image is None)),
                trial.i_correct_choice if of_kind.tells_answer else None,
            ]
        )
    return {
        "trialset_id": trialset.trialset_id,
        "settings": {key: value for key, value in study.settings.items() if key not in NOT_FOR_PAGES},
        "kinds": kinds.entries,
        "folders": folders.entries,
        "offers": offers.entries,
        "columns": list(ROW_COLUMNS),
        "rows": rows,
    }


def image_url(image: StudyImage, source: ImageSource) -> str:
    """Address of an image: relative to the study's page, or absolute."""
    folder, file = _address(image, source)
    return folder + file


def icon_urls(settings: Mapping[str, Any], names: tuple[str, ...], *, is_calibration: bool) -> tuple[str, ...] | None:
    """Addresses of the choices' icons in the S3 bucket `choice_image_bucket_name`; None where the page draws them.

    A file is named by the shown name with underscores for spaces, then `choice_url_suffix`; on attention checks that
    are answered by key, the key comes before the suffix.
    """
    return _icon_urls(*(settings[key] for key in _ICON_SETTINGS), names, is_calibration)


@lru_cache(maxsize=4096)
def _icon_urls(
    bucket: str | None, suffix: str, is_by_key: bool, names: tuple[str, ...], is_calibration: bool
) -> tuple[str, ...] | None:
    if bucket is None:
        return None
    keys = ("_F", "_J") if is_by_key and is_calibration and len(names) == 2 else ("",) * len(names)
    return tuple(
        f"https://{bucket}{S3_HOST}/{name.replace(' ', '_')}{key}{suffix}"
        for name, key in zip(names, keys, strict=True)
    )


def external_origins(study: Study) -> list[str]:
    """Web origins other than the study's own from which its page loads images."""
    urls = {
        _address(image, source)[0]
        for source in study.sources
        if source.variant is None
        for image in study.images
        if image.url is not None
    }
    buckets = {
        bucket
        for settings in (study.settings, *(kind.settings for kind in study.kinds))
        if (bucket := settings.get("choice_image_bucket_name"))
    }
    return sorted({_origin(url) for url in urls} | {f"https://{bucket}{S3_HOST}" for bucket in buckets})


def _fields(study: Study, trialset: Trialset, index: int, of_kind: Mapping[str, Any]) -> dict[str, Any]:
    trial = trialset.trials[index]
    return {
        **of_kind,
        "index": index,
        "block": trial.block,
        "block_name": study.block_name(trial.block),
        "condition_idx": trialset.condition_idx,
        "calibration": int(trial.image is None),
        **_of_image(study, trial),
        "stimulus_name": trial.stimulus_name,
        "choice_names": list(trial.choice_names),
        "choice_image_urls": _icons(of_kind, trial),
        "i_correct_choice": trial.i_correct_choice,
    }


def _of_kind(study: Study, kind: TrialKind) -> dict[str, Any]:
    return {
        **study.settings,
        **kind.settings,
        "trial_type": kind.trial_type,
        "source_block": kind.block,
    }


def _of_image(study: Study, trial: Trial) -> dict[str, Any]:
    if trial.image is None or trial.source is None:
        nothing = ("split", "im_path", "variant", "stimulus_image_url", "difficulty", "robust_gt_logit")
        return {"class": trial.stimulus_name, **dict.fromkeys(nothing)}
    image, source = study.images[trial.image], study.sources[trial.source]
    return {
        "class": study.classes[image.class_num],
        "split": image.split,
        "im_path": image.im_path,
        "variant": source.name,
        "stimulus_image_url": image_url(image, source),
        "difficulty": image.difficulty,
        "robust_gt_logit": image.robust_gt_logit,
    }


@dataclass(frozen=True)
class _OfPage:
    """What a page may know of a kind of trial; `icons` holds the settings that determine the choices' icons."""

    differences: dict[str, Any]
    key: str
    settings: Mapping[str, Any]
    icons: tuple[Any, ...]
    tells_answer: bool


def _of_page(study: Study, kind: TrialKind) -> _OfPage:
    settings = {**study.settings, **kind.settings}
    differences = {key: value for key, value in kind.settings.items() if key not in NOT_FOR_PAGES}
    icons = tuple(settings[key] for key in _ICON_SETTINGS)
    return _OfPage(differences, repr(differences), settings, icons, settings["show_feedback"])


def _offer(of_kind: _OfPage, trial: Trial) -> Offer:
    icons = _icons(of_kind.settings, trial)
    names = list(trial.choice_names)
    return Offer(choice_names=names, choice_image_urls=icons) if icons else Offer(choice_names=names)


def _icons(settings: Mapping[str, Any], trial: Trial) -> list[str] | None:
    urls = icon_urls(settings, trial.choice_names, is_calibration=trial.image is None)
    return None if urls is None else list(urls)


def _folder_and_file(study: Study, trial: Trial) -> tuple[str | None, str | None]:
    if trial.image is None or trial.source is None:
        return None, None
    return _address(study.images[trial.image], study.sources[trial.source])


def _address(image: StudyImage, source: ImageSource) -> tuple[str, str]:
    """The address of an image in two parts; many images share the first."""
    if source.variant is not None:
        return f"{STIMULUS_FOLDER}/", image.objects[source.variant]
    url = image.url or ""
    if source.bucket is not None:
        return f"https://{source.bucket}{S3_HOST}", url.partition(S3_HOST)[2]
    origin = _origin(url)
    return origin, url.removeprefix(origin)


def _origin(url: str) -> str:
    # Not urlsplit: this runs for every trial, and compiling has checked that the address has these parts.
    return "/".join(url.split("/", 3)[:3])
