"""The links with which participants of each platform open a study. Only this module writes the link's parameters; the
page's `link.ts` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from lwise_core.errors import InputError
from lwise_core.experiments.study import TEST_PLATFORM

IN_PERSON = "inperson"
PROLIFIC = "prolific"
MTURK = "mturk"
_KNOWN = (PROLIFIC, MTURK, IN_PERSON)

_PARAMETERS = {
    PROLIFIC: "&PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
    TEST_PLATFORM: "&TRIALSET_ID=0",
}
_PURPOSES = {
    PROLIFIC: "for the field “What is the URL of your study?”; Prolific fills in the ids",
    MTURK: "for the ExternalURL of the HIT; Mechanical Turk adds the ids",
    IN_PERSON: "for the people in the room; every visit is a new participant",
    TEST_PLATFORM: "to try the study out; left out of every analysis",
}
_OWN_PURPOSE = "a platform of your own; add PID and SESSION_ID"


@dataclass(frozen=True)
class PlatformLink:
    """The link for participants of one platform, and what to do with it."""

    platform: str
    url: str
    purpose: str


def platform_links(address: str, platforms: Sequence[str] = ()) -> list[PlatformLink]:
    """The links of a study at `address`: for the given platforms (default: all known ones), and one to try it.

    Raises
    ------
    InputError
        If the address is not that of a web page, or has a query or fragment.
    """
    base = _checked(address)
    named = [platform for platform in platforms if platform != TEST_PLATFORM] or _KNOWN
    return [
        PlatformLink(
            platform,
            f"{base}/?{urlencode({'PLATFORM': platform})}{_PARAMETERS.get(platform, '')}",
            _PURPOSES.get(platform, _OWN_PURPOSE),
        )
        for platform in (*named, TEST_PLATFORM)
    ]


def _checked(address: str) -> str:
    expected = "expected one like https://study.example.org"
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_web = False
    if not is_web or not address.isprintable() or " " in address:
        raise InputError(f"{address!r} is not the address of a study; {expected}")
    if "?" in address or "#" in address:
        raise InputError(f"{address!r} has a query or fragment; {expected}, without ? and #")
    return address.rstrip("/")
