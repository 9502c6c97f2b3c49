"""Pages and images: what can be downloaded, what cannot, and the response headers."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from lwise_core.authoring.compile import CompiledStudy
from lwise_core.local.server import open_study, serving
from tests.local.conftest import PAGE, SCRIPT, Server, picture_away


def _raw_get(server: Server, path: str) -> tuple[int, bytes]:
    """Status and body for a path sent unchanged; httpx would resolve the dots."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_page_is_at_the_root(client: httpx.Client) -> None:
    page = client.get("/?PLATFORM=inperson")
    assert (page.text, page.headers["content-type"]) == (PAGE, "text/html; charset=utf-8")
    script = client.get("/assets/page-1a2b.js")
    assert script.text == SCRIPT
    assert script.headers["content-type"].startswith("text/javascript")


def test_images_are_served_under_opaque_names(client: httpx.Client, server: Server) -> None:
    assert len(server.compiled.files) == 12
    for name, path in server.compiled.files.items():
        picture = client.get(f"/stimuli/{name}")
        assert picture.content == path.read_bytes()
        assert picture.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path",
    [
        "/stimuli/train/aversata/000.png",
        "/stimuli/natural/train/aversata/000.png",
        "/stimuli/../images/natural/train/aversata/000.png",
        "/stimuli/..%2Fimages%2Fnatural%2Ftrain%2Faversata%2F000.png",
        "/stimuli/%2e%2e/%2e%2e/data/sessions.sqlite3",
        "/stimuli/",
        "/stimuli",
        "/../data/sessions.sqlite3",
        "/..%2fdata%2fsessions.sqlite3",
        "/%2e%2e/data/bundle.json",
        "/assets/../../data/bundle.json",
        "/assets/..%5c..%5cdata%5cbundle.json",
        "//etc/hostname",
        "/%2fetc/hostname",
        "/index.html%00.png",
        "/%ff%fe",
        "/" + "x" * 5000,
    ],
)
def test_no_other_file_can_be_downloaded(server: Server, path: str) -> None:
    status, body = _raw_get(server, path)
    assert (status, b"error" in body) == (404, True)


def test_byte_range_of_an_image_is_served(client: httpx.Client, server: Server) -> None:
    name, path = next(iter(server.compiled.files.items()))
    whole = path.read_bytes()
    part = client.get(f"/stimuli/{name}", headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole)}"
    assert client.get(f"/stimuli/{name}", headers={"Range": "bytes=-4"}).content == whole[-4:]
    beyond = client.get(f"/stimuli/{name}", headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=5",
        "bytes=-",
        "bytes=5-2",
        "bytes=0-1,x",
        "lines=0-1",
        "bytes=0-1;",
        "é",
    ],
)
@pytest.mark.parametrize("where", ["picture", "page"])
def test_invalid_range_gets_the_whole_file(client: httpx.Client, server: Server, value: str, where: str) -> None:
    name, path = next(iter(server.compiled.files.items()))
    address, whole = {"picture": (f"/stimuli/{name}", path.read_bytes()), "page": ("/", PAGE.encode())}[where]
    answered = client.get(address, headers={"Range": value.encode()})
    assert (answered.status_code, answered.content) == (200, whole)


def test_cache_headers_of_images_pages_and_api_responses(client: httpx.Client, server: Server) -> None:
    picture = client.get(f"/stimuli/{next(iter(server.compiled.files))}")
    assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    started = client.post("/api/sessions", json={"platform": "test", "assignment_id": "a"})
    assert started.headers["cache-control"] == "no-store"


def test_every_response_has_the_security_headers(client: httpx.Client, server: Server) -> None:
    name = next(iter(server.compiled.files))
    page = client.get("/")
    answers = [
        page,
        client.get("/", headers={"If-None-Match": page.headers["etag"]}),
        client.get("/assets/page-1a2b.js"),
        client.get(f"/stimuli/{name}"),
        client.head(f"/stimuli/{name}"),
        client.post("/api/sessions", json={"platform": "test", "assignment_id": "a"}),
        client.post("/api/sessions", content="{"),
        client.post("/api/finish", json={}),
        client.get("/nowhere"),
        client.get("/api/finish"),
    ]
    with picture_away(server.compiled.files[name]):
        answers.append(client.get(f"/stimuli/{name}"))
    assert [answer.status_code for answer in answers] == [200, 304, 200, 200, 200, 200, 400, 401, 404, 405, 500]
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert "unsafe-inline" not in answers[0].headers["content-security-policy"].partition("style-src")[0]


def test_only_mechanical_turk_may_frame_the_page_if_the_study_names_it(
    compiled: CompiledStudy, site: Path, tmp_path: Path
) -> None:
    def policy(*platforms: str) -> dict[str, str]:
        study = replace(compiled, study=replace(compiled.study, platforms=platforms))
        with open_study(study, tmp_path / "-".join(platforms), site=site) as local, serving(local.app) as url:
            header = httpx.get(url).headers["content-security-policy"]
        return dict(rule.split(" ", 1) for rule in header.split("; "))

    for others in ((), ("prolific", "inperson")):
        rules = policy(*others)
        assert (rules["frame-ancestors"], rules["form-action"]) == ("'self'", "'none'")
    rules = policy("mturk", "inperson")
    assert rules["frame-ancestors"] == "'self' https://*.mturk.com"
    assert rules["form-action"] == "https://www.mturk.com https://workersandbox.mturk.com"


def test_internal_error_has_no_details_and_the_server_continues(client: httpx.Client, server: Server) -> None:
    name, path = next(iter(server.compiled.files.items()))
    with picture_away(path):
        broken = client.get(f"/stimuli/{name}")
    assert broken.status_code == 500
    assert broken.json() == {"error": "something went wrong on the server; its log says what"}
    assert client.get("/healthz").status_code == 200
