"""`lwise links`: the links under which participants open a study, and a QR code for the people in the room."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from lwise_core import atomic_files
from lwise_core.cli.progress import say
from lwise_core.cli.study_arguments import AS_JSON, print_json
from lwise_core.errors import InputError
from lwise_core.sessions.links import IN_PERSON, PlatformLink, platform_links

if TYPE_CHECKING:
    import segno


def links(
    served: str = typer.Argument(
        help="Where the study is served, e.g. http://192.168.1.20:8000, or a deployed study: its folder or id."
    ),
    study: Path | None = typer.Option(
        None, help="Study folder, config file or id: only links of the platforms that may take part."
    ),
    svg: Path | None = typer.Option(None, help="Also write the QR code as an image."),
    as_json: bool = AS_JSON,
) -> None:
    """Print the link for every platform, and the QR code of the link for people in the room.

    Example: `lwise links http://192.168.1.20:8000 --svg door-sign.svg`
    """
    address, platforms = (served, ()) if ":" in served else _deployed(Path(served))
    found = platform_links(address, platforms if study is None else _platforms(study))
    in_person = in_person_link(found)
    if svg is not None:
        if in_person is None:
            raise InputError(f"{study}: deployment.platforms does not name {IN_PERSON}, whose link the QR code holds")
        write_qr_svg(in_person.url, svg)
    if as_json:
        print_json([asdict(link) for link in found])
        return
    for link in found:
        say(f"{link.platform}: {link.purpose}")
        say(f"  {link.url}")
    if in_person is not None:
        print_qr(in_person.url)


def in_person_link(links: list[PlatformLink]) -> PlatformLink | None:
    """The link for the people in the room, if they may take part."""
    return next((link for link in links if link.platform == IN_PERSON), None)


def print_qr(url: str) -> None:
    """Draw a link as a QR code: dark on light on a terminal of any colours, plain blocks in a log."""
    drawn = io.StringIO()
    _qr(url).terminal(drawn, compact=True)
    for line in drawn.getvalue().splitlines():
        say(Text(line, style="#ffffff on #000000"))


def write_qr_svg(url: str, path: Path) -> None:
    """Write a link as a QR code of 8 px a module; SVG is sharp at every size."""
    image = io.BytesIO()
    _qr(url).save(image, kind="svg", scale=8, light="white", title=url)
    atomic_files.write_bytes(path, image.getvalue())


def _qr(url: str) -> segno.QRCode:
    import segno

    return segno.make_qr(url, error="m")


def _platforms(study: Path) -> Sequence[str]:
    from lwise_core.authoring.folder import find_study

    return find_study(study).config_file.config.deployment.platforms or []


def _deployed(study: Path) -> tuple[str, Sequence[str]]:
    """Address and platforms of a study in the cloud."""
    from lwise_core.cloud.deployed import find_deployed

    found = find_deployed(study)
    return found.address, found.platforms
