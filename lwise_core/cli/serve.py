"""`lwise serve`: a study on this machine, for in-person participants and to try it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.links import in_person_link, print_qr
from lwise_core.cli.progress import say
from lwise_core.cli.study_arguments import STUDY, compile_with_warnings
from lwise_core.errors import InputError
from lwise_core.sessions.links import platform_links

if TYPE_CHECKING:
    from lwise_core.sessions.service import SessionService

DEFAULT_PORT = 8000


def serve(
    study: Path = STUDY,
    data: Path | None = typer.Option(None, help="Folder for the sessions (default: STUDY/data)."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 allows other machines."),
    port: int = typer.Option(DEFAULT_PORT, min=0, max=65535, help="Port; 0: any free one."),
) -> None:
    """Serve a study until Ctrl-C and print the links for participants and for the researcher.

    Example: `lwise serve demo/study`
    """
    from lwise_core.authoring.folder import find_study

    serve_study(study, data or find_study(study).root / "data", host=host, port=port)


def serve_study(study: Path, data: Path, *, host: str, port: int) -> None:
    """Compile and serve in the foreground. Shared by `lwise serve` and `lwise demo`."""
    from lwise_core.local.lan_address import address_of, others_reach
    from lwise_core.local.researcher import Researcher
    from lwise_core.local.server import listen, open_study
    from lwise_core.local.server import serve as serve_app

    # Service managers send SIGTERM: end as with Ctrl-C, so that the data file is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    researcher = Researcher(_write_tables)
    with listen(host, port) as listener:
        compiled = compile_with_warnings(study)
        with open_study(compiled, data, researcher=researcher) as local, contextlib.suppress(KeyboardInterrupt):
            address = address_of(host, listener.getsockname()[1])
            _print_links(address, compiled.study.platforms, researcher.token, with_qr=others_reach(host))
            say(f"Sessions are stored in {data}. Stop with Ctrl-C.")
            serve_app(local.app, listener)


def _print_links(address: str, platforms: Sequence[str], token: str, *, with_qr: bool) -> None:
    links = platform_links(address, platforms)
    in_person, trying = in_person_link(links), links[-1]
    for what, url in (
        ("Participant's link:", (in_person or links[0]).url),
        ("To try it:         ", trying.url),
        ("Researcher's page: ", f"{address}/researcher#{token}"),
    ):
        say(f"{what} {url}")
    if with_qr and in_person is not None:
        print_qr(in_person.url)


def _write_tables(service: SessionService, folder: Path) -> None:
    try:
        from lwise_core.records.tables import write_tables
    except ModuleNotFoundError as error:
        raise InputError(
            f"the tables need {error.name}; install it with: pip install 'lwise[analysis]', and restart the server"
        ) from None
    write_tables(service.trial_records(), service.session_records(), folder)
