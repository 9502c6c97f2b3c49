"""A deployed stack answers browsers and programs as it would behind CloudFront and API Gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.aws_emulator.edge import Edge
from tests.aws_emulator.stand_in import StandIn

STACK = "Deleted"
CSP = "default-src 'self'"


@dataclass(frozen=True)
class Deployed:
    """A deployed stack, and a client of its edge."""

    stand_in: StandIn
    edge: Edge
    http: httpx.Client

    def ask(self, **asked: str) -> httpx.Response:
        """Have the function do something."""
        return self.http.post("/api", json=asked)

    def logs(self, *, of: str) -> str:
        """All lines of a log group, newest last."""
        logs = self.stand_in.client("logs")
        (name,) = (
            group["logGroupName"] for group in logs.describe_log_groups()["logGroups"] if of in group["logGroupName"]
        )
        return "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=name)["events"])


@pytest.fixture(scope="module")
def deployed(assemblies: Path) -> Iterator[Deployed]:
    with StandIn() as stand_in:
        stand_in.bootstrap()
        stand_in.cdk("deploy", STACK, app=assemblies / "first")
        with stand_in.edge(STACK) as edge, httpx.Client(base_url=edge.url, timeout=60) as http:
            yield Deployed(stand_in, edge, http)


def test_the_page_is_served_with_its_headers(deployed: Deployed) -> None:
    page = deployed.http.get("/")
    assert (page.status_code, page.text) == (200, "<h1>version 1</h1>")
    headers = page.headers
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("text/html", "no-cache")
    assert headers["Content-Security-Policy"] == CSP
    assert deployed.http.get("/pictures/a.svg").headers["Content-Type"] == "image/svg+xml"


def test_what_is_not_there_is_forbidden(deployed: Deployed) -> None:
    missing = deployed.http.get("/nothing.html")
    assert (missing.status_code, missing.headers["Content-Security-Policy"]) == (403, CSP)


def test_nothing_is_written_through_the_edge(deployed: Deployed) -> None:
    assert deployed.http.put("/index.html", content=b"other").status_code == 403
    assert deployed.http.get("/index.html").text == "<h1>version 1</h1>"


def test_parts_and_copies_that_are_still_good(deployed: Deployed) -> None:
    part = deployed.http.get("/", headers={"Range": "bytes=4-10"})
    assert (part.status_code, part.text, part.headers["Content-Range"]) == (206, "version", "bytes 4-10/18")
    unchanged = deployed.http.get("/", headers={"If-None-Match": part.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = deployed.http.head("/")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "18")


def test_the_function_is_told_of_the_request(deployed: Deployed) -> None:
    answer = deployed.http.get("/api/items/a%20b?x=1&x=2", headers={"Authorization": "Bearer secret"})
    assert (answer.status_code, answer.headers["X-Version"]) == (200, "1")
    event = answer.json()["event"]
    assert event["httpMethod"] == "GET"
    assert (event["resource"], event["path"]) == ("/api/items/{item}", "/api/items/a%20b")
    assert event["pathParameters"] == {"item": "a b"}
    assert event["queryStringParameters"] == {"x": "2"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert {name.lower(): value for name, value in event["headers"].items()}["authorization"] == "Bearer secret"
    assert event["body"] is None
    assert event["requestContext"]["stage"] == "prod"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_every_call_is_in_the_access_log(deployed: Deployed) -> None:
    request_id = deployed.http.get("/api/items/7").headers["x-amzn-RequestId"]
    assert f"{request_id}: GET /api/items/{{item}} 200" in deployed.logs(of="AccessLogs")


def test_what_the_api_does_not_have_is_forbidden(deployed: Deployed) -> None:
    for method, path in (("GET", "/api"), ("POST", "/api/items/7"), ("GET", "/api/items"), ("GET", "/api/items/7/8")):
        answer = deployed.http.request(method, path)
        assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})


@pytest.mark.parametrize("body", ['{"what": "fail"}', '{"do": 1}', '["do"]', "{", ""])
def test_bodies_that_do_not_fit_never_reach_the_function(deployed: Deployed, body: str) -> None:
    answer = deployed.http.post("/api", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid request body"})


def test_bodies_of_another_type_are_not_looked_at(deployed: Deployed) -> None:
    answer = deployed.http.post("/api", content='{"what": "fail"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200


def test_other_pages_may_ask_before_they_call(deployed: Deployed) -> None:
    answer = deployed.http.options("/api")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")


@pytest.mark.parametrize(
    ("what", "status", "message", "reason"),
    [
        ("fail", 502, "Internal server error", "as it was asked to"),
        ("mumble", 502, "Internal server error", "malformed answer"),
        ("exit", 502, "Internal server error", "the process exited with 3"),
        ("sleep", 504, "Endpoint request timed out", "Task timed out after 4.00 seconds"),
    ],
)
def test_a_function_that_fails_is_told_of_on_this_side_only(
    deployed: Deployed, what: str, status: int, message: str, reason: str
) -> None:
    answer = deployed.ask(do=what)
    assert (answer.status_code, answer.json()) == (status, {"message": message})
    assert reason in deployed.edge.troubles[-1]
    assert deployed.ask(do="nothing").status_code == 200


def test_what_a_function_prints_is_in_its_log(deployed: Deployed) -> None:
    deployed.ask(do="nothing")
    deployed.ask(do="fail")
    lines = deployed.logs(of="FunctionLogs")
    assert "asked for /api" in lines
    assert "RuntimeError: as it was asked to" in lines


def test_a_function_has_its_own_zip_and_boto3_only(deployed: Deployed) -> None:
    assert deployed.ask(do="import", module="index").status_code == 200
    for module in ("pydantic", "lwise_core", "tests"):
        assert deployed.ask(do="import", module=module).status_code == 502
        assert f"No module named '{module}'" in deployed.edge.troubles[-1]


def test_a_function_may_do_what_its_role_allows(deployed: Deployed) -> None:
    assert deployed.ask(do="keep", name="bob").status_code == 200
    for what, action in (("overstep", "dynamodb:Scan"), ("overwrite", "PutObject")):
        assert deployed.ask(do=what).status_code == 502
        assert "AccessDenied" in deployed.edge.troubles[-1]
        assert action in deployed.edge.troubles[-1]


def test_a_function_stays_warm_until_it_is_cooled_down(deployed: Deployed) -> None:
    deployed.stand_in.cool_down()
    assert [deployed.ask(do="nothing").json()["calls"] for _ in range(3)] == [1, 2, 3]
    deployed.stand_in.cool_down()
    assert deployed.ask(do="nothing").json()["calls"] == 1


def test_many_calls_at_once_are_all_answered(deployed: Deployed) -> None:
    deployed.stand_in.cool_down()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: deployed.ask(do="keep", name=f"many-{number}"), range(64)))
    assert [answer.status_code for answer in answers] == [200] * 64
    calls = [answer.json()["calls"] for answer in answers]
    assert 1 < calls.count(1) <= 4  # several processes, none of which answered two calls at once
    table = deployed.stand_in.outputs(STACK)["TableName"]
    items = deployed.stand_in.client("dynamodb").scan(TableName=table)["Items"]
    assert {item["pk"]["S"] for item in items} >= {f"many-{number}" for number in range(64)}


def test_a_function_can_be_called_by_itself(deployed: Deployed) -> None:
    client = deployed.stand_in.client("lambda")
    (name,) = (
        found["FunctionName"] for found in client.list_functions()["Functions"] if "-Function" in found["FunctionName"]
    )

    def invoke(what: str) -> tuple[str | None, Any]:
        event = {"path": "/", "body": json.dumps({"do": what})}
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    error, answer = invoke("nothing")
    assert (error, answer["statusCode"]) == (None, 200)
    error, answer = invoke("fail")
    assert (error, answer["errorType"], answer["errorMessage"]) == ("Handled", "RuntimeError", "as it was asked to")
