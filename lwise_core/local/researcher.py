"""The researcher's page and its calls: an overview of the study, releasing slots, the data as one file.

Checks the token, which is new each time the server starts. The numbers come from the session service, the tables from a
function that the command line passes.
"""

from __future__ import annotations

import secrets
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lwise_core.errors import InputError
from lwise_core.local.endpoints import bearer_token, endpoint
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.links import PlatformLink, platform_links
from lwise_core.sessions.service import SessionService
from lwise_core.wire_schema import ReleaseReason

RESEARCHER_PAGE = "researcher.html"
_NO_STORE = {"Cache-Control": "no-store"}
_CHUNK_BYTES = 64 * 1024

WriteTables = Callable[[SessionService, Path], None]
"""Writes the tables of all sessions into a folder; raises `InputError` if it cannot."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Researcher:
    """Access to a running study: for everyone with `token`, 256 random bits, new at every start."""

    write_tables: WriteTables
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))


def researcher_page(site: Path) -> Route:
    """The page itself, without data; it sends the token from the fragment of its address."""

    async def page(_: Request) -> Response:
        return FileResponse(site / RESEARCHER_PAGE)

    return Route("/researcher", page)


def researcher_calls(service: SessionService, researcher: Researcher) -> list[Route]:
    """The page's calls, each of which needs the token."""

    def only_with_token(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            token = bearer_token(request).encode()
            if not secrets.compare_digest(token, researcher.token.encode()):
                return JSONResponse({"error": "this is not the researcher's token"}, status_code=401)
            return await endpoint(request)

        return guarded

    async def overview(request: Request) -> Response:
        # With the address at which the researcher reaches the server.
        links = platform_links(str(request.base_url), service.study.platforms)
        return JSONResponse(await run_in_threadpool(_overview, service, links), headers=_NO_STORE)

    def release(body: dict[str, Any], _: str) -> dict[str, Any]:
        platform, assignment_id, reason = (body.get(key) for key in ("platform", "assignment_id", "reason"))
        if not isinstance(platform, str) or not isinstance(assignment_id, str):
            raise InvalidRequest("platform and assignment_id must be text")
        if reason not in get_args(ReleaseReason):
            raise InvalidRequest(f"reason is not one of {', '.join(get_args(ReleaseReason))}")
        return {"released": service.release(platform, assignment_id, reason=cast(ReleaseReason, reason))}

    async def data(_: Request) -> Response:
        try:
            archive = await run_in_threadpool(_archive, service, researcher.write_tables)
        except InputError as error:
            return JSONResponse({"error": str(error)}, status_code=500)
        return StreamingResponse(_chunks(archive), media_type="application/zip", headers=_NO_STORE)

    return [
        Route("/researcher/overview", only_with_token(overview)),
        Route("/researcher/release", only_with_token(endpoint(release)), methods=["POST"]),
        Route("/researcher/data", only_with_token(data)),
    ]


def _overview(service: SessionService, links: list[PlatformLink]) -> dict[str, Any]:
    return {
        "study_id": service.study.study_id,
        "title": service.study.title,
        "links": [asdict(link) for link in links],
        **asdict(service.overview()),
    }


def _archive(service: SessionService, write_tables: WriteTables) -> IO[bytes]:
    """A ZIP file of the tables of all sessions, deleted from the disk when it is closed."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(service, Path(folder))
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in sorted(Path(folder).iterdir()):
                archive.write(table, table.name)
    file.seek(0)
    return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
