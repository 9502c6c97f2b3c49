"""Run the server: in the foreground for participants, or in a thread beside the caller."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from lwise_core import atomic_files
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.study import CodeReferences
from lwise_core.local.access_log import ACCESS_LOG_FILE, AccessLog, open_access_log
from lwise_core.local.app import create_app
from lwise_core.local.group_commit import SharedCommit
from lwise_core.local.rate_limit import SessionLimits
from lwise_core.local.researcher import Researcher
from lwise_core.sessions.service import CompletionCodes, SessionService
from lwise_core.sessions.stores.sqlite.store import SqliteStore

SITE = Path(__file__).parent / "site"
BUNDLE_FILE = "bundle.json"
SESSIONS_FILE = "sessions.sqlite3"
_COLLECT_EVERY = 20_000
"""New objects between two collections; Python's own number is 700."""


@dataclass(frozen=True)
class LocalStudy:
    """A study ready to be served, with the service that keeps its sessions."""

    app: ASGIApp
    service: SessionService


@contextmanager
def open_study(
    compiled: CompiledStudy,
    data: Path,
    *,
    site: Path = SITE,
    limits: SessionLimits | None = None,
    researcher: Researcher | None = None,
) -> Iterator[LocalStudy]:
    """Open the data folder of a study for serving; the study's bundle and the access log lie beside its sessions.

    Raises
    ------
    InputError
        If the page was not built, a picture is not on this machine, a code is not where the study says, or `data`
        cannot be written or holds sessions of another version of the study.
    """
    if not (site / "index.html").is_file():
        raise InputError(f"{site}: the participant's page is not built; run `make site`")
    _refuse_without_pictures(compiled)
    codes = completion_codes(compiled.study.codes, os.environ)
    store = SqliteStore(data / SESSIONS_FILE)
    try:
        service = SessionService(compiled.study, store, codes=codes)
        atomic_files.write_text(data / BUNDLE_FILE, to_bundle(compiled.study))
        # Participants' data do not belong into a study's version control.
        atomic_files.write_text(data / ".gitignore", "*\n")
        app = create_app(
            service,
            files=compiled.files,
            site=site,
            limits=limits or SessionLimits(),
            run=SharedCommit(store.transaction).run,
            researcher=researcher,
        )
        with open_access_log(data / ACCESS_LOG_FILE) as log:
            yield LocalStudy(AccessLog(app, log), service)
    finally:
        store.close()


def _refuse_without_pictures(compiled: CompiledStudy) -> None:
    """Pictures that were put online for studies in the cloud need not be here."""
    shown = {name for image in compiled.study.images for name in image.objects.values()}
    if lacking := len(shown - compiled.files.keys()):
        raise InputError(
            f"{lacking} of {len(shown)} pictures are online only; give the folder of variants as stimuli.root to show "
            "them from this machine"
        )


def completion_codes(references: CodeReferences, environment: Mapping[str, str]) -> CompletionCodes:
    """The codes that the study refers to. One in a parameter of AWS is for the deployed study alone.

    Raises
    ------
    InputError
        If an environment variable is not set.
    """
    found: dict[str, str | None] = {}
    for outcome, reference in (("completed", references.completion), ("screened_out", references.screen_out)):
        kind, _, variable = (reference or "").partition(":")
        name = variable if kind == "env" else None
        if name is not None and not environment.get(name):
            raise InputError(f"environment variable {name} is not set; the study takes the code for {outcome} from it")
        found[outcome] = None if name is None else environment[name]
    return CompletionCodes(**found)


@contextmanager
def open_records(data: Path) -> Iterator[SessionService]:
    """Open the data folder of a study for reading its records."""
    study = load_bundle(data / BUNDLE_FILE)
    store = SqliteStore(data / SESSIONS_FILE, must_exist=True)
    try:
        yield SessionService(study, store)
    finally:
        store.close()


def listen(host: str, port: int) -> socket.socket:
    """Take a port (0: any free one), so that it is known to be ours before anything is printed.

    Raises
    ------
    InputError
        If the port is in use or may not be taken.
    """
    # asyncio turns off Nagle's algorithm, which costs 40 ms an answer, only on a socket that says it is TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Only a listening socket keeps others off its port; early callers wait until the server answers.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"port {port} of {host} cannot be used ({error}); choose another with --port") from None
    return listener


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM); answers in progress are finished first."""
    # All answers wait while Python's collector goes through everything in memory, a fifth of a second when a thousand
    # take part. With its usual settings it does so every few seconds, for what requests under way hold for a moment.
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)
    _server(app).run(sockets=[listener])


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve on a free port of this machine while the block runs; yields the server's address."""
    listener = listen("127.0.0.1", 0)
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _server(app: ASGIApp) -> uvicorn.Server:
    # uvicorn's own access log has addresses as they were asked for, with participants' ids.
    return uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=10))
