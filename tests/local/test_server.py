"""Ports, data folders and restarts of the local server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from lwise_core.authoring.compile import CompiledStudy
from lwise_core.errors import InputError
from lwise_core.local.server import BUNDLE_FILE, SESSIONS_FILE, listen, open_records, open_study, serving
from lwise_core.sessions.store import PlatformIds
from tests.local.conftest import Server
from tests.run_cli import COMMAND
from tests.sessions.conftest import answer

_IDS = {"platform": "inperson", "assignment_id": "session 1"}


# --- ports


def test_port_is_bound_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"port {port} of 127\.0\.0\.1 cannot be used .* choose another with --port"
        ):
            listen("127.0.0.1", port)
    listen("127.0.0.1", port).close()


def test_port_of_a_running_server_is_in_use(server: Server) -> None:
    with pytest.raises(InputError, match=f"port {server.port} of"):
        listen("127.0.0.1", server.port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("no such host", 0), ("203.0.113.1", 0)])
def test_error_names_a_foreign_address(host: str, port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} of {host} cannot be used"):
        listen(host, port)


def test_responses_are_sent_without_nagles_delay() -> None:
    """asyncio sets TCP_NODELAY only on connections whose socket says that it is TCP."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            with closing(connection):
                assert connection.proto == socket.IPPROTO_TCP


def test_page_closed_while_sending_is_no_error(
    compiled: CompiledStudy, site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    request = b"POST /api/trials HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    with open_study(compiled, tmp_path / "data", site=site) as local, serving(local.app) as url:
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=30) as page:
            page.sendall(request)
            # The server waits for the body now.
            assert page.recv(100).startswith(b"HTTP/1.1 100")
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert capfd.readouterr().err == ""


# --- data folders


def test_unbuilt_page_is_reported_first(compiled: CompiledStudy, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        pytest.raises(InputError, match="the participant's page is not built; run `make site`"),
        open_study(compiled, data, site=tmp_path / "nowhere"),
    ):
        pass
    assert not data.exists()


def test_session_resumes_after_a_server_restart(compiled: CompiledStudy, site: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for first_missing in (0, 1, 2):
        with open_study(compiled, data, site=site) as local, serving(local.app) as url:
            started = httpx.post(f"{url}/api/sessions", json=_IDS).json()
            assert (started["trialset"]["trialset_id"], started["next_trial"]) == (0, first_missing)
            key = {"Authorization": f"Bearer {started['token']}"}
            httpx.post(f"{url}/api/trials", json={"trials": [answer(first_missing)]}, headers=key).raise_for_status()


def test_token_survives_a_server_restart(compiled: CompiledStudy, site: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_study(compiled, data, site=site) as local:
        token = local.service.start(PlatformIds(**_IDS)).token
    with open_study(compiled, data, site=site) as local:
        assert local.service.record(token, [answer(0)]) == ([0], 1)


def test_another_version_of_the_study_leaves_the_data_unchanged(
    compiled: CompiledStudy, site: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with open_study(compiled, data, site=site):
        before = (data / BUNDLE_FILE).read_bytes()
    changed = replace(compiled, study=replace(compiled.study, seed=99))
    with pytest.raises(InputError, match="another version of this study"), open_study(changed, data, site=site):
        pass
    assert (data / BUNDLE_FILE).read_bytes() == before


def test_records_are_read_from_the_data_folder_alone(server: Server) -> None:
    token = httpx.post(f"{server.url}/api/sessions", json=_IDS).json()["token"]
    key = {"Authorization": f"Bearer {token}"}
    httpx.post(f"{server.url}/api/trials", json={"trials": [answer(0)]}, headers=key).raise_for_status()
    with open_records(server.data) as service:
        assert [record["obs"] for record in service.trial_records()] == [0]
        assert service.study == server.compiled.study


@pytest.mark.parametrize("missing", [BUNDLE_FILE, SESSIONS_FILE])
def test_error_names_a_folder_without_records(
    compiled: CompiledStudy, site: Path, tmp_path: Path, missing: str
) -> None:
    data = tmp_path / "data"
    with open_study(compiled, data, site=site):
        pass
    (data / missing).unlink()
    with pytest.raises(InputError, match=missing), open_records(data):
        pass


def test_git_ignores_participants_data(server: Server) -> None:
    folder = server.data.parent
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    seen = subprocess.run(
        ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=all", "--", str(server.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (server.data / SESSIONS_FILE).exists()
    assert seen.stdout == ""


# --- the end


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_stopping_server_finishes_requests_in_progress(
    compiled: CompiledStudy, place: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    """SIGTERM is how service managers stop a program, SIGINT is Ctrl-C."""
    data, body = tmp_path / "data", json.dumps(_IDS).encode()
    command = [*COMMAND, "serve", str(place / "moths_1"), "--data", str(data), "--port", "0"]
    head = f"POST /api/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            assert server.stdout is not None
            link = next(line for line in server.stdout if line.startswith("Participant's link: "))
            port = httpx.URL(link.split()[-1]).port
            with socket.create_connection(("127.0.0.1", port), timeout=30) as page:
                page.sendall(head.encode())
                # The server waits for the body now.
                assert page.recv(100).startswith(b"HTTP/1.1 100")
                server.send_signal(stop)
                _wait_until_nobody_is_let_in(port)
                page.sendall(body)
                answered = page.makefile("rb").read()
            assert answered.startswith(b"HTTP/1.1 200")
            assert server.wait(timeout=30) == 0
        finally:
            server.kill()
    assert not list(data.glob("*-wal"))
    with open_records(data) as service:
        assert [record["assignment_id"] for record in service.session_records()] == [_IDS["assignment_id"]]


def _wait_until_nobody_is_let_in(port: int | None) -> None:
    """A server that has understood that it shall stop takes no new connections."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the server still lets people in")
