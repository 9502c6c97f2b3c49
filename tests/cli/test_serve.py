"""`lwise serve`: the printed links and what they open."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lwise_core.cli import serve as serve_command
from lwise_core.errors import InputError
from tests.experiments.conftest import write_data_set, write_study
from tests.run_cli import COMMAND, succeed
from tests.sessions.conftest import answer

_STUDY: Mapping[str, Any] = {"session_config": [{"test": {"n_trials_per_class_val": 1}}]}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three trials."""
    return write_study(tmp_path / "moths_1", write_data_set(tmp_path / "images", per_class={"val": 1}), _STUDY)


@contextmanager
def _served(study: Path, *options: str) -> Iterator[list[str]]:
    """The lines that `lwise serve` prints at its start."""
    command = [*COMMAND, "serve", str(study), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            assert server.stdout is not None
            printed: list[str] = []
            while not any(line.endswith("Stop with Ctrl-C.") for line in printed):
                line = server.stdout.readline()
                assert line, "the server has exited"
                printed.append(line.rstrip("\n"))
            yield printed
        finally:
            server.terminate()
    assert server.returncode == 0


def _links(printed: list[str]) -> dict[str, str]:
    matches = [re.fullmatch(r"([A-Z][\w' ]+): +(http\S+)", line) for line in printed]
    return {match[1]: match[2] for match in matches if match}


def test_participants_testers_and_the_researcher_have_their_own_links(study: Path, tmp_path: Path) -> None:
    with _served(study) as printed:
        links = _links(printed)
        address, _, token = links["Researcher's page"].partition("/researcher#")
        assert links == {
            "Participant's link": f"{address}/?PLATFORM=inperson",
            "To try it": f"{address}/?PLATFORM=test&TRIALSET_ID=0",
            "Researcher's page": f"{address}/researcher#{token}",
        }
        assert not any("█" in line for line in printed)
        assert httpx.get(f"{address}/researcher").raise_for_status().text.startswith("<!doctype html>")

        ids = {"platform": "inperson", "assignment_id": "one"}
        started = httpx.post(f"{address}/api/sessions", json=ids).raise_for_status().json()
        key = {"Authorization": f"Bearer {started['token']}"}
        httpx.post(f"{address}/api/trials", json={"trials": [answer(0)]}, headers=key).raise_for_status()

        key = {"Authorization": f"Bearer {token}"}
        seen = httpx.get(f"{address}/api/researcher/overview", headers=key).raise_for_status().json()
        assert [(one["n_stored"], one["n_trials"]) for one in seen["sessions"]] == [(1, 3)]
        data = httpx.get(f"{address}/api/researcher/data", headers=key, timeout=60).raise_for_status()
    succeed("data", "export", study / "data", "--out", "tables", folder=tmp_path)
    with zipfile.ZipFile(io.BytesIO(data.content)) as archive:
        received = {name: archive.read(name) for name in archive.namelist()}
    assert received == {path.name: path.read_bytes() for path in (tmp_path / "tables").iterdir()}
    assert token not in (study / "data" / "access.log").read_text(encoding="utf-8")


def test_every_start_creates_a_new_token(study: Path) -> None:
    tokens = set()
    for _ in range(2):
        with _served(study) as printed:
            tokens.add(_links(printed)["Researcher's page"].partition("#")[2])
    assert len(tokens) == 2


def test_on_a_shared_address_the_link_is_a_qr_code_too(study: Path) -> None:
    with _served(study, "--host", "0.0.0.0") as printed:  # noqa: S104
        link = _links(printed)["Participant's link"]
        assert "0.0.0.0" not in link  # noqa: S104
        qr_code = [line for line in printed if "█" in line]
    assert len({len(line) for line in qr_code}) == 1
    assert qr_code == [
        line for line in succeed("links", link.partition("/?")[0], folder=study).splitlines() if "█" in line
    ]


def test_the_participants_link_uses_a_platform_of_the_study(study: Path, tmp_path: Path) -> None:
    config = (study / "config.yaml").read_text(encoding="utf-8")
    (study / "config.yaml").write_text(config + "deployment: {platforms: [prolific]}\n", encoding="utf-8")
    with _served(study, "--host", "0.0.0.0") as printed:  # noqa: S104
        assert "/?PLATFORM=prolific&PID={{%PROLIFIC_PID%}}" in _links(printed)["Participant's link"]
        assert not any("█" in line for line in printed)


def test_missing_pandas_is_reported_with_the_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lwise_core.records.tables", raising=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"need pandas; install it with: pip install 'lwise\[analysis\]'"):
        serve_command._write_tables(None, tmp_path)  # type: ignore[arg-type] - nothing is read
