"""The researcher's calls: nothing without the token; with it the overview, released slots and the data."""

from __future__ import annotations

import io
import itertools
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.errors import InputError
from lwise_core.local.researcher import Researcher
from lwise_core.local.server import open_records, open_study, serving
from lwise_core.records.tables import write_tables
from lwise_core.sessions.service import SessionService
from tests.local.conftest import Server
from tests.sessions.conftest import answer

_NUMBERS = itertools.count()
_CALLS = [("GET", "overview"), ("GET", "data"), ("POST", "release")]


def _tables(service: SessionService, folder: Path) -> None:
    write_tables(service.trial_records(), service.session_records(), folder)


def _not_installed(_: SessionService, __: Path) -> None:
    raise InputError("install it with: pip install 'lwise[analysis]'")


@pytest.fixture(scope="module")
def researcher() -> Researcher:
    """Whoever has started the server."""
    return Researcher(_tables)


@pytest.fixture(scope="module")
def watched(compiled: CompiledStudy, site: Path, place: Path, researcher: Researcher) -> Iterator[Server]:
    """A server with a researcher."""
    (site / "researcher.html").write_text("<!doctype html><title>Researcher</title>", encoding="utf-8")
    data = place / "watched"
    with open_study(compiled, data, site=site, researcher=researcher) as local, serving(local.app) as url:
        yield Server(url, compiled, data, site)


@pytest.fixture
def desk(watched: Server, researcher: Researcher) -> Iterator[httpx.Client]:
    """The researcher's browser."""
    key = {"Authorization": f"Bearer {researcher.token}"}
    with httpx.Client(base_url=f"{watched.url}/api/researcher/", headers=key, timeout=30) as browser:
        yield browser


@pytest.fixture
def ids() -> dict[str, Any]:
    """The ids of a new person."""
    number = next(_NUMBERS)
    return {"platform": "prolific", "assignment_id": f"session {number}", "worker_id": f"person {number}"}


def _start(server: Server, ids: dict[str, Any]) -> httpx.Client:
    token = httpx.post(f"{server.url}/api/sessions", json=ids).raise_for_status().json()["token"]
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def _sessions(desk: httpx.Client, ids: dict[str, Any]) -> list[dict[str, Any]]:
    seen = desk.get("overview").raise_for_status().json()
    return [one for one in seen["sessions"] if one["assignment_id"] == ids["assignment_id"]]


# --- who may ask


@pytest.mark.parametrize(("method", "call"), _CALLS)
def test_calls_need_the_researchers_token(
    watched: Server, researcher: Researcher, ids: dict[str, Any], method: str, call: str
) -> None:
    token = researcher.token
    with _start(watched, ids) as participant:
        of_participant = participant.headers["Authorization"]
    keys = [None, "", "Bearer", f"Bearer {token[:-1]}", f"Bearer {token}x", f"Bearer {token.swapcase()}"]
    for key in [*keys, f"Basic {token}", token, of_participant, b"Bearer \xff\xfe"]:
        headers = {} if key is None else {"Authorization": key}
        body = {"platform": ids["platform"], "assignment_id": ids["assignment_id"], "reason": "returned"}
        refused = httpx.request(
            method,
            f"{watched.url}/api/researcher/{call}",
            headers=headers,  # type: ignore[arg-type] - bytes are no text
            **({"json": body} if method == "POST" else {}),  # type: ignore[arg-type]
        )
        assert (refused.status_code, refused.json()) == (401, {"error": "this is not the researcher's token"})
    with open_records(watched.data) as service:
        released = {one["assignment_id"]: one["released"] for one in service.session_records()}
    assert released[ids["assignment_id"]] is None


def test_token_is_long_random_and_new_at_every_start() -> None:
    tokens = {Researcher(_tables).token for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


def test_researchers_token_opens_no_session(watched: Server, researcher: Researcher) -> None:
    key = {"Authorization": f"Bearer {researcher.token}"}
    assert httpx.post(f"{watched.url}/api/finish", json={}, headers=key).status_code == 401


def test_server_without_researcher_has_neither_page_nor_calls(client: httpx.Client) -> None:
    for path in ("/researcher", "/api/researcher/overview", "/api/researcher/data"):
        assert client.get(path).status_code == 404


def test_page_has_no_data(watched: Server) -> None:
    page = httpx.get(f"{watched.url}/researcher")
    assert page.text == "<!doctype html><title>Researcher</title>"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")


# --- what is seen


def test_overview_follows_a_session_from_start_to_end(watched: Server, desk: httpx.Client, ids: dict[str, Any]) -> None:
    before = desk.get("overview").json()["total"]["finished"]
    with _start(watched, ids) as participant:
        participant.post("/api/trials", json={"trials": [answer(0), answer(1)]}).raise_for_status()
        problem = {"kind": "picture_missing", "message": "a.png: 404", "trial_index": 1}
        participant.post("/api/problems", json=problem).raise_for_status()
        (seen,) = _sessions(desk, ids)
        assert (seen["progress"], seen["n_stored"], seen["n_trials"]) == ("under_way", 2, 11)
        assert [(one["kind"], one["message"], one["trial_index"]) for one in seen["problems"]] == [
            ("picture_missing", "a.png: 404", 1)
        ]
        participant.post("/api/trials", json={"trials": [answer(index) for index in range(2, 11)]}).raise_for_status()
        participant.post("/api/finish", json={}).raise_for_status()
    (seen,) = _sessions(desk, ids)
    assert (seen["progress"], seen["n_stored"], seen["may_be_released"]) == ("finished", 11, False)
    overview = desk.get("overview").json()
    assert overview["total"]["finished"] == before + 1
    assert (overview["study_id"], overview["title"]) == ("moths_1", "Moths")


def test_overview_has_no_worker_ids(watched: Server, desk: httpx.Client, ids: dict[str, Any]) -> None:
    _start(watched, ids).close()
    assert ids["worker_id"] not in desk.get("overview").text


def test_links_use_the_address_of_the_request(watched: Server, desk: httpx.Client) -> None:
    links = desk.get("overview").json()["links"]
    assert [link["platform"] for link in links] == ["prolific", "mturk", "inperson", "test"]
    assert links[2]["url"] == f"{watched.url}/?PLATFORM=inperson"
    elsewhere = desk.get("overview", headers={"Host": "lab.example:8000"}).json()["links"]
    assert elsewhere[2]["url"] == "http://lab.example:8000/?PLATFORM=inperson"


def test_overview_is_not_cached(desk: httpx.Client) -> None:
    for call in ("overview", "data"):
        assert desk.get(call).headers["cache-control"] == "no-store"


# --- giving places back


@pytest.mark.parametrize("reason", ["returned", "timed_out"])
def test_released_slot_goes_to_the_next_arrival(
    watched: Server, desk: httpx.Client, ids: dict[str, Any], reason: str
) -> None:
    def trialset_id(of: dict[str, Any]) -> int:
        started = httpx.post(f"{watched.url}/api/sessions", json=of).raise_for_status().json()
        return int(started["trialset"]["trialset_id"])

    given = trialset_id(ids)
    body = {"platform": "prolific", "assignment_id": ids["assignment_id"], "reason": reason}
    assert desk.post("release", json=body).json() == {"released": True}
    (seen,) = _sessions(desk, ids)
    assert (seen["progress"], seen["released"], seen["may_be_released"]) == ("dropped_out", reason, False)
    assert trialset_id(ids | {"assignment_id": f"next {reason}", "worker_id": f"next {reason}"}) == given


def test_session_that_is_not_under_way_cannot_be_released(desk: httpx.Client) -> None:
    body = {"platform": "prolific", "assignment_id": "nobody", "reason": "returned"}
    assert desk.post("release", json=body).json() == {"released": False}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "platform and assignment_id must be text"),
        ({"platform": "prolific", "assignment_id": 1, "reason": "returned"}, "platform and assignment_id must be text"),
        ({"platform": "prolific", "assignment_id": "a", "reason": "bored"}, "reason is not one of returned, timed_out"),
        ({"platform": "prolific", "assignment_id": "a", "reason": ["returned"]}, "reason is not one of"),
        ([], "expected a JSON object"),
    ],
)
def test_invalid_release_says_why(desk: httpx.Client, body: object, error: str) -> None:
    refused = desk.post("release", json=body)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert error in refused.json()["error"]


# --- the data


def test_downloaded_data_equal_the_export(
    watched: Server, desk: httpx.Client, ids: dict[str, Any], tmp_path: Path
) -> None:
    with _start(watched, ids) as participant:
        participant.post("/api/trials", json={"trials": [answer(0)]}).raise_for_status()
    answered = desk.get("data").raise_for_status()
    assert answered.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answered.content)) as archive:
        received = {name: archive.read(name) for name in archive.namelist()}
    with open_records(watched.data) as service:
        _tables(service, tmp_path)
    assert received == {name: (tmp_path / name).read_bytes() for name in ("sessions.csv", "trials.csv")}


def test_download_leaves_no_copy_on_disk(desk: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with desk.stream("GET", "data") as broken_off:
        assert broken_off.status_code == 200
    desk.get("data").raise_for_status()
    assert list(tmp_path.iterdir()) == []


def test_missing_analysis_packages_are_reported(compiled: CompiledStudy, site: Path, tmp_path: Path) -> None:
    researcher = Researcher(_not_installed)
    key = {"Authorization": f"Bearer {researcher.token}"}
    with (
        open_study(compiled, tmp_path / "data", site=site, researcher=researcher) as local,
        serving(local.app) as url,
    ):
        refused = httpx.get(f"{url}/api/researcher/data", headers=key)
    assert (refused.status_code, refused.json()) == (
        500,
        {"error": "install it with: pip install 'lwise[analysis]'"},
    )
