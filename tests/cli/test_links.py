"""`lwise links`: links to copy, a QR code to scan."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import segno
import yaml

from tests.run_cli import lwise, succeed

_ADDRESS = "http://192.168.1.20:8000"
_IN_PERSON = f"{_ADDRESS}/?PLATFORM=inperson"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study that only people from Prolific may take part in; links need no pictures."""
    folder = tmp_path / "moths_1"
    folder.mkdir()
    config = {"session_config": [{"test": {"n_trials_per_class_val": 1}}], "deployment": {"platforms": ["prolific"]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def _modules(url: str) -> list[str]:
    """The QR code of a link as the terminal shows it: two rows of modules in a line of text, light ones drawn."""
    drawn = io.StringIO()
    segno.make_qr(url, error="m").terminal(drawn, compact=True)
    return drawn.getvalue().splitlines()


def test_every_link_is_on_its_own_line_with_the_in_person_qr_code(tmp_path: Path) -> None:
    lines = succeed("links", _ADDRESS, folder=tmp_path).splitlines()
    assert [line.strip() for line in lines if line.startswith("  http")] == [
        f"{_ADDRESS}/?PLATFORM=prolific&PID={{{{%PROLIFIC_PID%}}}}&STUDY_ID={{{{%STUDY_ID%}}}}&SESSION_ID={{{{%SESSION_ID%}}}}",
        f"{_ADDRESS}/?PLATFORM=mturk",
        _IN_PERSON,
        f"{_ADDRESS}/?PLATFORM=test&TRIALSET_ID=0",
    ]
    assert lines[-len(_modules(_IN_PERSON)) :] == _modules(_IN_PERSON)


def test_a_study_without_inperson_has_no_qr_code(study: Path, tmp_path: Path) -> None:
    printed = succeed("links", _ADDRESS, "--study", study, folder=tmp_path)
    assert re.findall(r"PLATFORM=(\w+)", printed) == ["prolific", "test"]
    assert "█" not in printed


def test_a_script_gets_the_links_as_json(tmp_path: Path) -> None:
    links = json.loads(succeed("links", _ADDRESS, "--json", folder=tmp_path))
    assert [link["platform"] for link in links] == ["prolific", "mturk", "inperson", "test"]
    assert links[2]["url"] == _IN_PERSON
    assert all(set(link) == {"platform", "url", "purpose"} for link in links)


def test_the_qr_image_is_the_printed_code(tmp_path: Path) -> None:
    succeed("links", _ADDRESS, "--svg", "room.svg", folder=tmp_path)
    drawn = (tmp_path / "room.svg").read_bytes()
    expected = io.BytesIO()
    segno.make_qr(_IN_PERSON, error="m").save(expected, kind="svg", scale=8, light="white", title=_IN_PERSON)
    assert drawn == expected.getvalue()
    root = ElementTree.fromstring(drawn)  # noqa: S314 - written here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_code_that_a_study_does_not_want_is_refused(study: Path, tmp_path: Path) -> None:
    refused = lwise("links", _ADDRESS, "--study", study, "--svg", "room.svg", folder=tmp_path)
    assert refused.returncode == 2
    assert "deployment.platforms does not name inperson" in refused.stderr
    assert not (tmp_path / "room.svg").exists()


@pytest.mark.parametrize("address", ["192.168.1.20:8000", f"{_ADDRESS}/?PLATFORM=test"])
def test_an_invalid_address_is_bad_input(tmp_path: Path, address: str) -> None:
    refused = lwise("links", address, folder=tmp_path)
    assert (refused.returncode, refused.stderr.startswith("error: ")) == (2, True)
