"""`lwise experiments fetch-dirmap`: the recorded file or nothing, from a real server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from lwise_core.download import MAX_BYTES, is_allowed
from tests.run_cli import lwise, succeed

_CONFIG = """
session_config:
  - only:
      n_trials_per_class_val: 1
"""
_DIRMAP = "split,class,class_num,im_path,url\n" + "".join(
    f"val,{name},{number},{name}.jpg,https://moths.s3.amazonaws.com/{name}.jpg\n"
    for number, name in enumerate(("ajax", "eris", "leda"))
)
_CONTENT = _DIRMAP.encode()
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_OTHER_CONTENT = b"split\n"
_OTHER_SHA256 = hashlib.sha256(_OTHER_CONTENT).hexdigest()


class _Files(BaseHTTPRequestHandler):
    """Serves the dirmap whole, cut off, too large, elsewhere, or not at all; what was asked for is noted."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/dirmap.csv":
            self._answer(_CONTENT, len(_CONTENT))
        elif self.path == "/other.csv":
            self._answer(_OTHER_CONTENT, len(_OTHER_CONTENT))
        elif self.path == "/cut-off.csv":
            self._answer(_CONTENT[:40], len(_CONTENT))
        elif self.path == "/endless.csv":
            self._answer(bytes(MAX_BYTES + 1), MAX_BYTES + 1)
        elif self.path == "/moved.csv":
            self._send_on("/dirmap.csv")
        elif self.path == "/moved-away.csv":
            self._send_on("http://example.org/dirmap.csv")
        elif self.path == "/circle.csv":
            self._send_on("/circle.csv")
        else:
            self.send_error(404)

    def _answer(self, content: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def _send_on(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server with the files above."""
    _Files.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.fixture
def study(tmp_path: Path, server: str) -> Path:
    """A study that is kept without its dirmap."""
    folder = tmp_path / "moths_3"
    folder.mkdir()
    (folder / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    _record(folder, f"{server}/dirmap.csv", _SHA256)
    return folder


def _record(study: Path, url: str, sha256: str | None) -> None:
    known = "" if sha256 is None else f"  sha256: {sha256}\n  bytes: {len(_CONTENT)}\n"
    (study / "data_source.yaml").write_text(f"dirmap.csv:\n  url: {url}\n{known}", encoding="utf-8")


def _refused(study: Path, *options: object, code: int = 2) -> str:
    """Standard error of a command that left the study's folder as it was."""
    before = {path.name: path.read_bytes() for path in study.iterdir()}
    done = lwise("experiments", "fetch-dirmap", study, *options, folder=study.parent)
    assert done.returncode == code, done.stderr
    assert {path.name: path.read_bytes() for path in study.iterdir()} == before
    assert "Traceback" not in done.stderr
    return done.stderr


# --- what works


def test_a_study_without_its_dirmap_says_how_to_get_it_and_is_valid_afterwards(study: Path) -> None:
    for command in ("validate", "compile", "trialset"):
        done = lwise("experiments", command, study, folder=study.parent)
        assert done.returncode == 2
        assert f"get it with `lwise experiments fetch-dirmap {study}`" in done.stderr
    said = succeed("experiments", "fetch-dirmap", study, folder=study.parent)
    assert said.startswith(f"{study / 'dirmap.csv'}: from http://127.0.0.1:")
    assert f"{len(_CONTENT)} bytes; SHA-256 {_SHA256}" in said
    assert (study / "dirmap.csv").read_bytes() == _CONTENT
    assert "valid; 3 classes" in succeed("experiments", "validate", study, folder=study.parent)


def test_an_existing_file_is_not_downloaded_again(study: Path) -> None:
    succeed("experiments", "fetch-dirmap", study, folder=study.parent)
    assert "exists already" in succeed("experiments", "fetch-dirmap", study, folder=study.parent)
    assert _Files.asked == ["/dirmap.csv"]


def test_a_dry_run_prints_the_source_and_makes_no_request(study: Path) -> None:
    before = sorted(study.iterdir())
    said = succeed("experiments", "fetch-dirmap", study, "--dry-run", folder=study.parent)
    assert "would be written; from http://127.0.0.1:" in said
    assert _SHA256 in said
    assert (sorted(study.iterdir()), _Files.asked) == (before, [])


def test_a_redirect_is_followed(study: Path, server: str) -> None:
    succeed("experiments", "fetch-dirmap", study, "--url", f"{server}/moved.csv", folder=study.parent)
    assert (study / "dirmap.csv").read_bytes() == _CONTENT
    assert _Files.asked == ["/moved.csv", "/dirmap.csv"]


def test_a_local_copy_is_accepted(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_bytes(_CONTENT)
    said = succeed("experiments", "fetch-dirmap", study, "--from", copy, folder=study.parent)
    assert f"from {copy}" in said
    assert (study / "dirmap.csv").read_bytes() == _CONTENT
    assert _Files.asked == []


def test_without_a_recorded_hash_the_hash_is_given_or_printed(study: Path, server: str, tmp_path: Path) -> None:
    _record(study, f"{server}/dirmap.csv", None)
    assert "give it with --sha256, or a copy of the file that you trust with --from" in _refused(study)
    assert f"expected {'0' * 64}" in _refused(study, "--sha256", "0" * 64)
    succeed("experiments", "fetch-dirmap", study, "--sha256", _SHA256.upper(), folder=study.parent)
    (study / "dirmap.csv").unlink()
    copy = tmp_path / "copy.csv"
    copy.write_bytes(_CONTENT)
    assert _SHA256 in succeed("experiments", "fetch-dirmap", study, "--from", copy, folder=study.parent)


def test_a_config_file_that_names_another_data_file_gets_that_one(study: Path, server: str) -> None:
    config = study / "config_other.yaml"
    config.write_text(_CONFIG + "deployment: {data_spec_file_name: other.csv}\n", encoding="utf-8")
    with (study / "data_source.yaml").open("a", encoding="utf-8") as file:
        file.write(f"other.csv:\n  url: {server}/other.csv\n  sha256: {_OTHER_SHA256}\n")
    assert f"fetch-dirmap {config}`" in lwise("experiments", "validate", config, folder=study.parent).stderr
    succeed("experiments", "fetch-dirmap", config, folder=study.parent)
    assert (study / "other.csv").read_bytes() == _OTHER_CONTENT
    assert not (study / "dirmap.csv").exists()


# --- what is refused, with nothing written


def test_a_file_with_another_hash_is_rejected(study: Path, server: str, tmp_path: Path) -> None:
    complaint = _refused(study, "--url", f"{server}/other.csv")
    assert "is not the file of this study: its SHA-256 is" in complaint
    assert f"expected {_SHA256}. Nothing was written" in complaint
    copy = tmp_path / "copy.csv"
    copy.write_bytes(_CONTENT + b"\n")
    assert f"{copy}: is not the file of this study" in _refused(study, "--from", copy)


def test_an_existing_file_is_never_replaced(study: Path) -> None:
    (study / "dirmap.csv").write_text("mine\n", encoding="utf-8")
    assert "exists with other content" in _refused(study)
    assert _Files.asked == []


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/nowhere.csv", "the server answered 404 Not Found"),
        ("/cut-off.csv", "the transfer failed after 40 bytes"),
        ("/endless.csv", "has more than 50,000,000 bytes"),
        (
            "/moved-away.csv",
            "http://example.org/dirmap.csv: the server redirects to this URL; expected one with https",
        ),
        ("/circle.csv", "the transfer failed"),
    ],
)
def test_a_download_that_fails_leaves_nothing_behind(study: Path, server: str, path: str, complaint: str) -> None:
    assert complaint in _refused(study, "--url", f"{server}{path}", code=1)


def test_a_server_that_does_not_answer_is_named(study: Path) -> None:
    assert "http://127.0.0.1:1/dirmap.csv: the transfer failed" in _refused(
        study, "--url", "http://127.0.0.1:1/dirmap.csv", code=1
    )


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/dirmap.csv", True),
        ("http://localhost:8000/dirmap.csv", True),
        ("http://[::1]:8000/dirmap.csv", True),
        ("http://example.org/dirmap.csv", False),
        ("http://127.0.0.1.example.org/dirmap.csv", False),
        ("ftp://example.org/dirmap.csv", False),
        ("file:///etc/passwd", False),
        ("dirmap.csv", False),
        ("https:///dirmap.csv", False),
    ],
)
def test_downloads_from_other_machines_need_https(url: str, allowed: bool) -> None:
    assert is_allowed(url) is allowed


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--url", "http://example.org/dirmap.csv"], "expected a URL with https"),
        (["--sha256", "abc"], "--sha256 is 'abc'; expected 64 hexadecimal digits"),
        (["--sha256", "0" * 64], "omit one of them"),
        (["--from", "nowhere.csv"], "nowhere.csv: cannot be read (No such file or directory)"),
    ],
)
def test_invalid_options_are_rejected(study: Path, options: list[object], complaint: str) -> None:
    assert complaint in _refused(study, *options)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "no such file; this study does not say where its data file comes from"),
        ("- dirmap.csv\n", "expected a mapping from file names to their sources"),
        ("a: {b\n", "not a YAML file"),
        ("dirmap.csv: {sha256: abc}\n", "dirmap.csv.url: is missing"),
        ("dirmap.csv: {url: https://example.org, size: 3}\n", "dirmap.csv.size: unknown key"),
        (
            "else.csv: {url: https://example.org}\n",
            "has no entry for dirmap.csv or dataset_dirmap.csv or trialsets.csv",
        ),
    ],
)
def test_an_invalid_source_file_is_rejected(study: Path, text: str | None, complaint: str) -> None:
    source = study / "data_source.yaml"
    source.unlink()
    if text is not None:
        source.write_text(text, encoding="utf-8")
    assert complaint in _refused(study)


# --- list


def test_list_says_why_a_study_is_not_ready(study: Path, tmp_path: Path) -> None:
    experiments = tmp_path / "experiment_site" / "experiments"
    experiments.mkdir(parents=True)
    study.rename(experiments / "moths_3")
    assert "no data file" in succeed("experiments", "list", folder=tmp_path)
    succeed("experiments", "fetch-dirmap", "moths_3", folder=tmp_path)
    said = succeed("experiments", "list", folder=tmp_path)
    assert said.splitlines()[1].split() == ["moths_3", "Image", "categories", "1", "3", "yes"]
    (experiments / "moths_3" / "config.yaml").write_text("trial_config: 3\n", encoding="utf-8")
    assert succeed("experiments", "list", folder=tmp_path).splitlines()[1].split()[-1] == "no"
    assert "trial_config" in succeed("experiments", "list", "--json", folder=tmp_path)
    (experiments / "moths_3").rename(tmp_path / "moths_3")
    assert "holds no studies" in lwise("experiments", "list", folder=tmp_path).stderr
