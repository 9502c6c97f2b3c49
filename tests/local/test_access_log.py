"""What the access log has of every request, and what it never has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.experiments.study import CodeReferences
from lwise_core.local.access_log import ACCESS_LOG_FILE, open_access_log
from lwise_core.local.researcher import Researcher
from lwise_core.local.server import open_study, serving
from tests.local.conftest import Server, picture_away
from tests.sessions.conftest import answer

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ([A-Z?]+) (\S+) (\d{3}|-) \d+\.\d")


@dataclass(frozen=True)
class Logged:
    """A running server with its own access log."""

    server: Server
    researcher: Researcher
    running: ExitStack

    def lines(self) -> list[str]:
        """The whole log. The server is stopped for it: it writes a line when the caller has the answer already."""
        self.running.close()
        return (self.server.data / ACCESS_LOG_FILE).read_text(encoding="utf-8").splitlines()

    def requests(self) -> list[tuple[str, ...]]:
        """(method, path, status) of each line; every line has to be understood."""
        matches = [(line, _LINE.fullmatch(line)) for line in self.lines()]
        assert [line for line, match in matches if match is None] == []
        return [match.groups() for _, match in matches if match]


@pytest.fixture
def logged(compiled: CompiledStudy, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    """The study has a completion code."""
    monkeypatch.setenv("DONE_CODE", "CDONE42")
    compiled = replace(compiled, study=replace(compiled.study, codes=CodeReferences("env:DONE_CODE", None)))
    researcher = Researcher(lambda _, folder: None)
    (site / "researcher.html").write_text("<!doctype html>", encoding="utf-8")
    data = tmp_path / "data"
    with ExitStack() as running:
        local = running.enter_context(open_study(compiled, data, site=site, researcher=researcher))
        url = running.enter_context(serving(local.app))
        yield Logged(Server(url, compiled, data, site), researcher, running)


def test_every_request_is_logged(logged: Logged) -> None:
    name = next(iter(logged.server.compiled.files))
    with httpx.Client(base_url=logged.server.url) as browser:
        browser.get("/?PLATFORM=prolific&PID=p1&STUDY_ID=s1&SESSION_ID=a1")
        browser.get(f"/stimuli/{name}")
        browser.head(f"/stimuli/{name}", headers={"Range": "bytes=0-0"})
        browser.post("/api/sessions", json={"platform": "prolific", "assignment_id": "a1"})
        browser.post("/api/finish", json={})
    # A line is written when an answer has been sent, which may be after the next one has begun.
    assert sorted(logged.requests()) == sorted(
        [
            ("GET", "/", "200"),
            ("GET", f"/stimuli/{name}", "200"),
            ("HEAD", f"/stimuli/{name}", "206"),
            ("POST", "/api/sessions", "200"),
            ("POST", "/api/finish", "401"),
        ]
    )


def test_log_of_a_whole_session_has_no_id_token_or_code(logged: Logged) -> None:
    ids = {"platform": "prolific", "assignment_id": "ASSIGN77", "worker_id": "WORKER77", "study_id": "STUDY77"}
    secrets = [*ids.values(), "CDONE42", logged.researcher.token, "secret@example.org", "SECRETMESSAGE"]
    search = {"PLATFORM": "prolific", "PID": "WORKER77", "STUDY_ID": "STUDY77", "SESSION_ID": "ASSIGN77"}
    with httpx.Client(base_url=logged.server.url, timeout=30) as browser:
        browser.get("/", params=search)
        browser.get("/api/study", params=search)
        started = browser.post("/api/sessions", json=ids, params=search).raise_for_status().json()
        browser.headers["Authorization"] = f"Bearer {started['token']}"
        browser.headers["Referer"] = f"{logged.server.url}/?SESSION_ID=ASSIGN77"
        browser.cookies.set("worker", "WORKER77")
        for name in logged.server.compiled.files:
            browser.get(f"/stimuli/{name}").raise_for_status()
        browser.post("/api/trials", json={"trials": [answer(index) for index in range(11)]}).raise_for_status()
        browser.post("/api/heartbeat", json={}).raise_for_status()
        problem = {"kind": "page_error", "message": "SECRETMESSAGE", "trial_index": None}
        browser.post("/api/problems", json=problem).raise_for_status()
        browser.post("/api/contact", json={"email": "secret@example.org"})
        assert browser.post("/api/finish", json={}).raise_for_status().json()["code"] == "CDONE42"
        browser.post("/api/trials", content=b'{"trials": "WORKER77')
        # What people and robots make of a link.
        for path in (
            "/PLATFORM=prolific&PID=WORKER77",
            "/api/WORKER77",
            "/stimuli/ASSIGN77",
            "/WORKER77/../",
            "/%0aWORKER77",
        ):
            for method in ("GET", "POST", "WORKER77"):
                browser.request(method, path)
        key = {"Authorization": f"Bearer {logged.researcher.token}"}
        browser.get(f"/researcher?token={logged.researcher.token}", headers=key)
        overview = browser.get("/api/researcher/overview", headers=key).raise_for_status().json()
    text = "\n".join(logged.lines())
    assert len(logged.requests()) > 20
    (session,) = overview["sessions"]
    for secret in [*secrets, started["token"], session["participant"], "127.0.0.1"]:
        if secret != "prolific":  # noqa: S105 - the name of a platform
            assert secret not in text


def test_request_cannot_inject_log_lines(logged: Logged) -> None:
    httpx.get(f"{logged.server.url}/x%0a2026-01-31T12:00:00.000Z%20GET%20/forged%20200%201.0")
    assert logged.requests() == [("GET", "?", "404")]


def test_exception_is_logged_with_traceback_but_without_request_data(
    capfd: pytest.CaptureFixture[str], logged: Logged
) -> None:
    name, path = next(iter(logged.server.compiled.files.items()))
    with picture_away(path):
        assert httpx.get(f"{logged.server.url}/stimuli/{name}").status_code == 500
    first, *middle, last = logged.lines()
    assert first.endswith(" Traceback (most recent call last):")
    assert "RuntimeError" in middle
    assert any("starlette" in line for line in middle)
    assert str(path) not in "\n".join(logged.lines())
    assert last.split()[1:4] == ["GET", f"/stimuli/{name}", "500"]
    # The terminal has it in full.
    assert str(path) in capfd.readouterr().err


def test_log_rotates_and_old_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lwise_core.local.access_log._BYTES_PER_FILE", 1000)
    with open_access_log(tmp_path / ACCESS_LOG_FILE) as log:
        for number in range(500):
            log.info("%d", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [ACCESS_LOG_FILE, *(f"{ACCESS_LOG_FILE}.{number}" for number in range(1, 6))]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / ACCESS_LOG_FILE).read_text().splitlines()[-1].endswith(" 499")


def test_studies_in_one_process_have_separate_logs(tmp_path: Path) -> None:
    with open_access_log(tmp_path / "a") as first, open_access_log(tmp_path / "b") as second:
        first.info("one")
        second.info("two")
    assert (tmp_path / "a").read_text().endswith(" one\n")
    assert (tmp_path / "b").read_text().endswith(" two\n")
