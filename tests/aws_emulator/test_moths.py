"""`cdk deploy ExperimentStack-moths-0` into an empty account, a participant in a real browser, and what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lwise_core.sessions.service import SessionService
from lwise_core.simulation.learners import LearnerModel, take_part
from tests.aws_emulator.deployed_sessions import deployed_sessions
from tests.aws_emulator.edge import Edge
from tests.aws_emulator.lwise_command import download, lwise
from tests.aws_emulator.stand_in import StandIn

pytestmark = pytest.mark.browser

_STACK = "ExperimentStack-moths-0"
_STUDY = Path(__file__).parents[2] / "experiment_site" / "experiments" / "moths_0"
_N_TRIALS = 52
_PATIENCE_SECONDS = 200
_BUTTONS = ("consent-agree", "start", "continue", "test-start", "next", "choice-1")
"""What a participant presses when it can be seen."""


@dataclass(frozen=True)
class Deployed:
    """The study's stack, and the place from which browsers see it."""

    stand_in: StandIn
    edge: Edge
    assembly: Path

    @property
    def service(self) -> SessionService:
        """The sessions, read from the deployed tables."""
        return deployed_sessions(self.stand_in, _STACK, _STUDY)


@pytest.fixture
def deployed(moths: Path, stand_in: StandIn) -> Iterator[Deployed]:
    stand_in.cdk("deploy", _STACK, app=moths)
    with stand_in.edge(_STACK) as edge:
        yield Deployed(stand_in, edge, moths)
        assert edge.troubles == []


def _go_through(page: Page) -> list[int]:
    """Press what is offered until the end; the indices of the trials that were answered, in their order."""
    answered: list[int] = []
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while not page.get_by_test_id("done").is_visible():
        assert time.monotonic() < give_up_at, page.locator("main").inner_text()
        offered = next((name for name in _BUTTONS if page.get_by_test_id(name).is_visible()), None)
        if offered is None:
            page.wait_for_timeout(20)
            continue
        if offered == "choice-1":
            index = int(page.locator(".trial").get_attribute("data-trial-index") or -1)
            if index not in answered:
                answered.append(index)
        page.get_by_test_id(offered).click(force=True)
    return answered


def test_a_participant_takes_part_in_the_deployed_study(deployed: Deployed, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(deployed.edge.here(deployed.stand_in.outputs(_STACK)["LinkInperson"]))
    answered = _go_through(page)
    expect(page.get_by_test_id("done")).to_contain_text("Thank you")
    context.close()
    assert complaints == []
    assert answered == list(range(_N_TRIALS))
    (session,) = deployed.service.session_records()
    assert (session["platform"], session["state"], session["n_stored"]) == ("inperson", "completed", _N_TRIALS)
    trials = list(deployed.service.trial_records())
    assert [trial["obs"] for trial in trials] == answered
    assert {trial["i_choice"] for trial in trials} == {1}


def test_data_are_downloaded_survive_another_deployment_and_outlive_the_stack(
    deployed: Deployed, tmp_path: Path
) -> None:
    take_part(deployed.edge.url, assignment_id="one", model=LearnerModel(), seed=1)
    stand_in = deployed.stand_in
    outputs = stand_in.outputs(_STACK)
    before = download(stand_in, _STUDY.name, tmp_path / "before")
    assert [int(row["obs"]) for row in before] == list(range(_N_TRIALS))
    stand_in.cdk("deploy", _STACK, app=deployed.assembly)
    assert download(stand_in, _STUDY.name, tmp_path / "between") == before
    said = lwise(stand_in, "teardown", "moths_0", "--yes", "--download", str(tmp_path / "last"))
    assert "1 finished so far" in said
    assert f"{_STACK} is gone" in said
    functions = [one["FunctionName"] for one in stand_in.client("lambda").list_functions()["Functions"]]
    assert [name for name in functions if not name.startswith("AccountStack-")] == []
    assert set(stand_in.client("dynamodb").list_tables()["TableNames"]) == {
        outputs["SessionTable"],
        outputs["CounterTable"],
    }
    assert outputs["DataBucket"] in {bucket["Name"] for bucket in stand_in.client("s3").list_buckets()["Buckets"]}
    assert f"--bucket {outputs['DataBucket']}" in said
    assert download(stand_in, _STUDY.name, tmp_path / "after", "--bucket", outputs["DataBucket"]) == before
    # What was kept does not stand in the way of another beginning.
    stand_in.cdk("deploy", _STACK, app=deployed.assembly)
    assert download(stand_in, _STUDY.name, tmp_path / "anew") == []
    assert download(stand_in, _STUDY.name, tmp_path / "still", "--bucket", outputs["DataBucket"]) == before


def test_many_learners_take_part_at_once(deployed: Deployed) -> None:
    def learn(number: int) -> str:
        ending = take_part(deployed.edge.url, assignment_id=f"learner {number}", model=LearnerModel(), seed=number)
        return str(ending["state"])

    with ThreadPoolExecutor(20) as crowd:
        assert set(crowd.map(learn, range(40))) == {"completed"}
    records = deployed.service.session_records()
    assert sorted(record["trialset_id"] for record in records) == list(range(40))
    assert {record["n_stored"] for record in records} == {_N_TRIALS}
