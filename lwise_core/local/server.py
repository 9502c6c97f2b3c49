"""Run the server: in the foreground for participants, or in a background thread."""

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
"""New objects between two garbage collections; Python's default is 700."""


@dataclass(frozen=True)
class LocalStudy:
    """A study ready to be served, with its session service."""

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
    """Open the data folder of a study for serving; the bundle and the access log are next to its sessions.

    Raises
    ------
    InputError
        If the page is not built, an image is not on this machine, a completion code is not set, or `data` cannot be
        written or holds sessions of another version of the study.
    """
    if not (site / "index.html").is_file():
        raise InputError(f"{site}: the participant's page is not built; run `make site`")
    _check_images(compiled)
    codes = completion_codes(compiled.study.codes, os.environ)
    store = SqliteStore(data / SESSIONS_FILE)
    try:
        service = SessionService(compiled.study, store, codes=codes)
        atomic_files.write_text(data / BUNDLE_FILE, to_bundle(compiled.study))
        # Keep participants' data out of the study's version control.
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


def _check_images(compiled: CompiledStudy) -> None:
    """Raise `InputError` if images are missing; those of a deployed study may be online only."""
    shown = {name for image in compiled.study.images for name in image.objects.values()}
    if n_missing := len(shown - compiled.files.keys()):
        raise InputError(
            f"{n_missing} of {len(shown)} images are online only; set stimuli.root to the folder of variants to show "
            "them from this machine"
        )


def completion_codes(references: CodeReferences, environment: Mapping[str, str]) -> CompletionCodes:
    """The completion codes of the study. Codes in AWS parameters are for deployed studies only.

    Raises
    ------
    InputError
        If an environment variable is not set.
    """
    codes: dict[str, str | None] = {}
    for state, reference in (("completed", references.completion), ("screened_out", references.screen_out)):
        kind, _, variable = (reference or "").partition(":")
        name = variable if kind == "env" else None
        if name is not None and not environment.get(name):
            raise InputError(f"environment variable {name} is not set; the study takes the code for {state} from it")
        codes[state] = None if name is None else environment[name]
    return CompletionCodes(**codes)


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
    """Bind a port (0: any free one) before anything is printed.

    Raises
    ------
    InputError
        If the port is in use or not allowed.
    """
    # asyncio disables Nagle's algorithm, which costs 40 ms per response, only on a socket created with IPPROTO_TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Only a listening socket reserves its port; early clients wait until the server accepts.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"port {port} of {host} cannot be used ({error}); choose another with --port") from None
    return listener


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until interrupted (Ctrl-C or SIGTERM); responses in progress are finished first."""
    # A full garbage collection blocks all responses, for 0.2 s with a thousand participants. By default, short-lived
    # objects of requests would trigger one every few seconds.
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
    # uvicorn's own access log contains full URLs, with participants' ids.
    return uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=10))
