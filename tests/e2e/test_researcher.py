"""The researcher's page in a real browser, while people take part."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.local.researcher import Researcher
from lwise_core.local.server import open_study, serving
from lwise_core.records.tables import write_tables
from lwise_core.sessions.service import SessionService
from tests.e2e.axe import expect_accessible
from tests.sessions.conftest import answer

pytestmark = pytest.mark.browser

_N_TRIALS = 19


@dataclass(frozen=True)
class Desk:
    """A study that is being served, and the link of its researcher."""

    address: str
    link: str
    service: SessionService

    def arrive(self, name: str) -> httpx.Client:
        """Somebody starts a session."""
        ids = {"platform": "prolific", "assignment_id": f"session of {name}", "worker_id": name}
        token = httpx.post(f"{self.address}/api/sessions", json=ids).raise_for_status().json()["token"]
        return httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
def desk(short_study: Path, tmp_path: Path) -> Iterator[Desk]:
    researcher = Researcher(
        lambda service, folder: write_tables(service.trial_records(), service.session_records(), folder)
    )
    compiled = compile_study(short_study)
    with (
        open_study(compiled, tmp_path / "data", researcher=researcher) as local,
        serving(local.app) as address,
    ):
        yield Desk(address, f"{address}/researcher#{researcher.token}", local.service)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which nothing may go wrong: no error of a script, nothing that the server's rules forbid."""
    tab, complaints = context.new_page(), list[str]()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    yield tab
    assert complaints == []


def _number(page: Page, name: str, value: str) -> None:
    expect(page.get_by_test_id(f"number-{name}").locator(".value")).to_have_text(value, timeout=15_000)


def test_a_study_is_watched_while_people_take_part(desk: Desk, page: Page) -> None:
    page.goto(desk.link)
    _number(page, "finished", "0")
    expect(page.get_by_text("Nobody has started yet.")).to_be_visible()
    assert desk.link.partition("#")[2] not in page.url

    with desk.arrive("anna") as anna, desk.arrive("ben"):
        _number(page, "under_way", "2")
        anna.post("/api/trials", json={"trials": [answer(index) for index in range(_N_TRIALS)]}).raise_for_status()
        problem = {"kind": "picture_missing", "message": "a1b2.png did not come", "trial_index": 4}
        anna.post("/api/problems", json=problem).raise_for_status()
        anna.post("/api/finish", json={}).raise_for_status()
    _number(page, "finished", "1")
    _number(page, "under_way", "1")
    _number(page, "problems", "1")
    expect(page).to_have_title("1 finished – Colours")
    expect(page.locator("table.conditions tbody tr")).to_have_count(2)

    page.get_by_role("button", name="1 problem").click()
    expect(page.get_by_text("Image missing at trial 5")).to_be_visible()
    expect(page.get_by_text("a1b2.png did not come")).to_be_visible()

    page.reload()
    _number(page, "finished", "1")


def test_a_place_is_released_after_confirmation(desk: Desk, page: Page) -> None:
    def released() -> list[str | None]:
        return [record["released"] for record in desk.service.session_records()]

    desk.arrive("anna").close()
    page.goto(desk.link)
    page.get_by_role("button", name="Give back").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert released() == [None]

    page.get_by_role("button", name="Give back").click()
    page.get_by_role("button", name="Give the place back").click()
    # Nothing happens before it is said why.
    assert released() == [None]
    page.get_by_role("radio", name="Timed out").check()
    page.get_by_role("button", name="Give the place back").click()
    expect(page.get_by_text("Done: recorded as timed out.")).to_be_visible()
    assert released() == ["timed_out"]
    page.get_by_role("button", name="Close").click()
    _number(page, "dropped_out", "1")
    expect(page.get_by_role("button", name="Give back")).to_have_count(0)


def test_all_data_come_as_one_file(desk: Desk, page: Page) -> None:
    with desk.arrive("anna") as anna:
        anna.post("/api/trials", json={"trials": [answer(0)]}).raise_for_status()
    page.goto(desk.link)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the data").click()
    assert download.value.suggested_filename == "study.zip"
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        tables = {name: archive.read(name).decode().splitlines() for name in archive.namelist()}
    assert {name: len(lines) for name, lines in tables.items()} == {"sessions.csv": 2, "trials.csv": 2}


def test_a_link_is_copied_with_a_click(desk: Desk, context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(desk.link)
    page.get_by_role("button", name="Copy the link for inperson").click()
    expect(page.get_by_role("button", name="Copy the link for inperson")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{desk.address}/?PLATFORM=inperson"


def test_the_page_shows_an_unreachable_server_and_recovers(desk: Desk, page: Page) -> None:
    page.goto(desk.link)
    _number(page, "under_way", "0")
    page.route("**/api/researcher/overview", lambda route: route.abort())
    expect(page.get_by_role("status").first).to_have_text("The server cannot be reached; trying again", timeout=15_000)
    expect(page.get_by_test_id("number-under_way")).to_be_visible()
    desk.arrive("anna").close()
    page.unroute("**/api/researcher/overview")
    _number(page, "under_way", "1")
    expect(page.get_by_role("status").first).to_have_text("Live")


def test_a_wrong_link_shows_nothing_and_the_right_one_works_in_the_same_tab(desk: Desk, page: Page) -> None:
    desk.arrive("anna").close()
    for wrong in ("", "#wrong"):
        page.goto(f"{desk.address}/researcher{wrong}")
        expect(page.get_by_role("heading", name="This link does not open the page")).to_be_visible()
        expect(page.get_by_text("Colours")).to_have_count(0)
    page.goto(desk.link)
    _number(page, "under_way", "1")


def test_neither_page_loads_anything_of_the_other(desk: Desk, page: Page) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{desk.address}/")
    expect(page.get_by_test_id("preview")).to_be_visible()
    participants = {url for url in loaded if "/assets/" in url}
    loaded.clear()
    page.goto(desk.link)
    _number(page, "finished", "0")
    researchers = {url for url in loaded if "/assets/" in url}
    shared = {url.rpartition("/")[2].partition("-")[0] for url in participants & researchers}
    assert shared <= {"dom"}
    assert len(participants) >= 2
    assert len(researchers) >= 2


@pytest.mark.parametrize("width", [390, 1240])
def test_no_width_needs_scrolling_sideways(desk: Desk, page: Page, width: int) -> None:
    desk.arrive("anna").close()
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(desk.link)
    _number(page, "under_way", "1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everyone_can_read_and_use_it(desk: Desk, browser: Browser, colours: Literal["light", "dark"]) -> None:
    with desk.arrive("anna") as anna:
        problem = {"kind": "page_error", "message": "broken", "trial_index": None}
        anna.post("/api/problems", json=problem).raise_for_status()
    context = browser.new_context(bypass_csp=True, color_scheme=colours, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(desk.link)
    page.get_by_role("button", name="1 problem").click()
    expect_accessible(page)
    page.route("**/api/researcher/overview", lambda route: route.abort())
    expect(page.get_by_text("The server cannot be reached")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Give back").click()
    expect_accessible(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.unroute("**/api/researcher/overview")
    page.goto(f"{desk.address}/researcher#wrong")
    expect(page.get_by_role("heading", name="This link does not open the page")).to_be_visible()
    expect_accessible(page)
    context.close()
