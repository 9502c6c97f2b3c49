"""The participant's page understands the links of every platform."""

from __future__ import annotations

import pytest

from lwise_core.errors import InputError
from lwise_core.sessions.links import platform_links


def _urls(address: str, *platforms: str) -> dict[str, str]:
    return {link.platform: link.url for link in platform_links(address, platforms)}


def test_study_open_to_all_has_a_link_per_known_platform() -> None:
    assert _urls("https://moths.example.org") == {
        "prolific": "https://moths.example.org/?PLATFORM=prolific"
        "&PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
        "mturk": "https://moths.example.org/?PLATFORM=mturk",
        "inperson": "https://moths.example.org/?PLATFORM=inperson",
        "test": "https://moths.example.org/?PLATFORM=test&TRIALSET_ID=0",
    }


def test_only_allowed_platforms_have_links_and_the_test_link_is_last() -> None:
    assert list(_urls("http://localhost:8000", "inperson", "prolific")) == ["inperson", "prolific", "test"]
    assert list(_urls("http://localhost:8000", "test", "mturk")) == ["mturk", "test"]


def test_platform_name_is_url_encoded() -> None:
    assert _urls("http://localhost", "class 3b & 4")["class 3b & 4"] == "http://localhost/?PLATFORM=class+3b+%26+4"


@pytest.mark.parametrize("address", ["https://a.example/", "https://a.example"])
def test_trailing_slash_is_ignored(address: str) -> None:
    assert _urls(address)["mturk"] == "https://a.example/?PLATFORM=mturk"


def test_study_address_may_have_a_path() -> None:
    assert _urls("https://a.example/moths/")["mturk"] == "https://a.example/moths/?PLATFORM=mturk"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8000",
        "ftp://a.example",
        "https://",
        "https://a b.example",
        "http://a:99999",
        "http://a:0",
        "http://[::1",
        "a\n",
    ],
)
def test_invalid_study_address_is_rejected(address: str) -> None:
    with pytest.raises(InputError, match="is not the address of a study; expected one like https://"):
        platform_links(address)


@pytest.mark.parametrize("address", ["https://a.example/?PLATFORM=test", "https://a.example/#x"])
def test_study_address_with_query_or_fragment_is_rejected(address: str) -> None:
    with pytest.raises(InputError, match="has a query or fragment"):
        platform_links(address)
