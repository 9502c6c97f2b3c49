"""`lwise serve`: a study on this machine, for in-person participants and for trying it out."""

from __future__ import annotations

import contextlib
from pathlib import Path

import typer

from lwise_core.cli.compiling import STUDY, compile_with_warnings
from lwise_core.cli.progress import console

DEFAULT_PORT = 8000


def serve(
    study: Path = STUDY,
    data: Path | None = typer.Option(None, help="Folder for the sessions (default: STUDY/data)."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 lets other machines in."),
    port: int = typer.Option(DEFAULT_PORT, min=0, max=65535, help="0 takes any free port."),
) -> None:
    """Serve a study until Ctrl-C and print the participant's link.

    Example: `lwise serve demo/study`
    """
    from lwise_core.experiments.authoring.folder import find_study

    serve_study(study, data or find_study(study).root / "data", host=host, port=port)


def serve_study(study: Path, data: Path, *, host: str, port: int) -> None:
    """Compile and serve in the foreground. Shared by `lwise serve` and `lwise demo`."""
    from lwise_core.local.server import listen, open_study
    from lwise_core.local.server import serve as serve_app

    with listen(host, port) as listener:
        compiled = compile_with_warnings(study)
        with open_study(compiled, data) as local:
            address = f"http://{'localhost' if host == '127.0.0.1' else host}:{listener.getsockname()[1]}"
            console.print(f"Participant's link: {address}/?PLATFORM=inperson", soft_wrap=True)
            console.print(f"To try it:          {address}/?PLATFORM=test&TRIALSET_ID=0", soft_wrap=True)
            console.print(f"Sessions are kept in {data}. Stop with Ctrl-C.", markup=False, soft_wrap=True)
            with contextlib.suppress(KeyboardInterrupt):
                serve_app(local.app, listener)
