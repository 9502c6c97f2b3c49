"""The moth study of the paper, deployed with its real dirmap. Its pictures lie elsewhere and are not asked for here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.folder import EXPERIMENTS
from lwise_core.experiments.study import Study
from tests.aws_emulator.edge import Edge
from tests.aws_emulator.lwise_command import download, read_table
from tests.aws_emulator.participant import Participant
from tests.aws_emulator.stand_in import StandIn
from tests.aws_emulator.variations import IDAEA, IDAEA_DIRMAP, Variations
from tests.experiments.conftest import trials_of

pytestmark = pytest.mark.skipif(not IDAEA_DIRMAP.is_file(), reason=f"no published dirmap at {IDAEA_DIRMAP}")

_STACK = "ExperimentStack-idaea4-10"
_CODE_PARAMETER, _CODE = "/lwise/idaea4_10/completion_code", "C0DE-0F-IDAEA"
_N_TRIALS, _N_TEST_PICTURES, _N_CONDITIONS = 201, 40, 7
_AT_ONCE = 50
"""Answers that the server takes with one call."""


@dataclass(frozen=True)
class Deployed:
    """The study in its account, as browsers see it, and as it was compiled here."""

    stand_in: StandIn
    edge: Edge
    study: Study

    def link(self, platform: str) -> str:
        """Where people of a platform are sent."""
        return self.stand_in.outputs(_STACK)[f"Link{platform.title()}"]


@pytest.fixture
def deployed(stand_in: StandIn, variations: Variations) -> Iterator[Deployed]:
    stand_in.client("ssm").put_parameter(Name=_CODE_PARAMETER, Value=_CODE, Type="SecureString")
    stand_in.cdk("deploy", _STACK, app=variations.assembly)
    study = compile_study(variations.project / EXPERIMENTS / IDAEA).study
    with stand_in.edge(_STACK) as edge:
        yield Deployed(stand_in, edge, study)
        assert edge.troubles == []


def _told(trialset: dict[str, Any], column: str) -> list[Any]:
    """What the page is told of every trial."""
    at = trialset["columns"].index(column)
    return [row[at] for row in trialset["rows"]]


def test_its_links_are_those_of_its_address(deployed: Deployed) -> None:
    outputs = deployed.stand_in.outputs(_STACK)
    address = f"https://{deployed.edge.domain_name}"
    assert outputs["Address"] == address
    assert {name: url for name, url in outputs.items() if name.startswith("Link")} == {
        "LinkProlific": (
            f"{address}/?PLATFORM=prolific&PID={{{{%PROLIFIC_PID%}}}}&STUDY_ID={{{{%STUDY_ID%}}}}"
            "&SESSION_ID={{%SESSION_ID%}}"
        ),
        "LinkMturk": f"{address}/?PLATFORM=mturk",
        "LinkInperson": f"{address}/?PLATFORM=inperson",
        "LinkTest": f"{address}/?PLATFORM=test&TRIALSET_ID=0",
    }
    page = httpx.get(deployed.edge.here(outputs["LinkProlific"])).raise_for_status()
    assert page.text.lstrip().lower().startswith("<!doctype html>")


def test_its_page_may_load_its_pictures(deployed: Deployed) -> None:
    policy = httpx.get(deployed.edge.url).raise_for_status().headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    wanted: set[str] = set()
    for number in range(_N_CONDITIONS):
        with Participant(deployed.edge.url, f"viewer {number}") as participant:
            trialset = participant.start()["trialset"]
        icons = [url for offer in trialset["offers"] for url in offer["choice_image_urls"]]
        addresses = [*trialset["folders"], *icons]
        assert all(address.startswith("https://") for address in addresses)
        wanted |= {f"https://{urlsplit(address).netloc}" for address in addresses}
    assert len(wanted) == 1 + 1 + 6  # natural pictures, icons, and six enhancements that taper off
    for directive in ("img-src", "connect-src"):
        assert wanted <= set(directives[directive].split())


def test_a_participant_of_prolific_takes_part(deployed: Deployed, variations: Variations, tmp_path: Path) -> None:
    """Makes every call that a page can make, and chooses what is right each time."""
    url, study = deployed.edge.url, deployed.study
    filled_in = deployed.link("prolific")
    for name, value in (("PROLIFIC_PID", "person"), ("STUDY_ID", "study"), ("SESSION_ID", "submission")):
        filled_in = filled_in.replace(f"{{{{%{name}%}}}}", value)
    ids = {name: values[0] for name, values in parse_qs(urlsplit(filled_in).query).items()}
    told = httpx.get(f"{url}/api/study").raise_for_status().json()
    assert (told["study_id"], told["title"]) == (IDAEA, "Learn to tell moths apart")
    with Participant(
        url, ids["SESSION_ID"], platform=ids["PLATFORM"], worker_id=ids["PID"], study_id=ids["STUDY_ID"]
    ) as participant:
        trialset = participant.start()["trialset"]
        trials = trials_of(study, trialset["trialset_id"])
        right = [trial["i_correct_choice"] for trial in trials]
        assert len(right) == _N_TRIALS
        # The server has dealt the trials that the study has here, and tells the right answer where feedback does.
        assert _told(trialset, "i_correct_choice") == [
            trial["i_correct_choice"] if trial["show_feedback"] else None for trial in trials
        ]
        shown = [
            file and trialset["folders"][folder] + file
            for folder, file in zip(_told(trialset, "folder"), _told(trialset, "file"), strict=True)
        ]
        assert shown == [trial["stimulus_image_url"] for trial in trials]
        assert participant.call("heartbeat", {}) == {}
        assert participant.call("problems", {"kind": "picture_missing", "message": "a picture", "trial_index": 0}) == {}
        for first in range(0, _N_TRIALS, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, _N_TRIALS))
            stored = participant.answer({index: right[index] for index in some})
            assert stored == {"stored": list(some), "next_trial": some.stop}
        assert participant.call("screening", {}) == {"passed": True}
        ending = participant.call("finish", {})
        assert participant.call("contact", {"email": "someone@example.org"}) == {}
    assert ending == {
        "state": "completed",
        "code": _CODE,
        "n_trials": _N_TEST_PICTURES,
        "n_correct": _N_TEST_PICTURES,
        "accuracy": 1.0,
        "bonus_usd": 20.0,
    }

    rows = download(deployed.stand_in, IDAEA, tmp_path / "data", project=variations.project)
    assert [(int(row["obs"]), int(row["i_choice"]), row["perf"]) for row in rows] == [
        (index, choice, "1") for index, choice in enumerate(right)
    ]
    assert [row["stimulus_image_url"] for row in rows] == [trial["stimulus_image_url"] or "" for trial in trials]
    (session,) = read_table(tmp_path / "data" / "sessions.csv")
    assert {name: session[name] for name in ("platform", "worker_id", "study_id", "assignment_id", "state")} == {
        "platform": "prolific",
        "worker_id": "person",
        "study_id": "study",
        "assignment_id": "submission",
        "state": "completed",
    }


def test_seven_participants_are_in_seven_conditions(deployed: Deployed, variations: Variations, tmp_path: Path) -> None:
    for number in range(_N_CONDITIONS):
        with Participant(deployed.edge.url, f"participant {number}") as participant:
            assert participant.start()["next_trial"] == 0
    download(deployed.stand_in, IDAEA, tmp_path, project=variations.project)
    sessions = read_table(tmp_path / "sessions.csv")
    assert sorted(int(session["condition_idx"]) for session in sessions) == list(range(_N_CONDITIONS))
