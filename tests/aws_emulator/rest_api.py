"""A REST API of API Gateway, served from what its template says.

Stock moto has the resources of an API and calls nothing behind them. Here a request is looked up, checked by the
method's validator and answered by the integration: a function, or a mock. Served is what the stack has now, whatever
was there when its stage was last deployed. There are no authorizers, no binary media types and no throttling.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from tests.aws_emulator.functions import TIMED_OUT
from tests.aws_emulator.messages import Answer, Request, json_answer
from tests.aws_emulator.resources import NotPlayedError, Recorded

Invoke = Callable[[str, Any], tuple[str, bool]]
"""(ARN of a function, event) -> its answer in JSON, and whether it failed."""

Log = Callable[[str, str], None]
"""(ARN of a log group, line)."""

_SERVED_BY_FUNCTION = re.compile(r"functions/(arn:aws:lambda:[^/]+)/invocations")


@dataclass(frozen=True)
class _Route:
    """A method, and how its path reads: `/api/{name}`, `/{rest+}`."""

    path: str
    resource_id: str
    properties: Mapping[str, Any]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The parameters in a path, if it is one of this method's."""
        if self.properties["HttpMethod"] not in (method, "ANY"):
            return None
        pattern = re.sub(
            r"\\\{(\w+)(\\\+)?\\\}",
            lambda found: f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})",
            re.escape(self.path),
        )
        found = re.fullmatch(pattern, path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}

    @property
    def precedence(self) -> tuple[bool, int, bool]:
        """The most special path comes first, and of two methods the one that is named."""
        return "+}" in self.path, self.path.count("{"), self.properties["HttpMethod"] == "ANY"


class RestApi:
    """A REST API.

    Parameters
    ----------
    api_id : its physical id.
    resources : everything that was recorded in its account.
    """

    def __init__(
        self, api_id: str, resources: Sequence[Recorded], *, account: str, region: str, invoke: Invoke, log: Log
    ) -> None:
        parts = [part for part in resources if part.properties.get("RestApiId") == api_id]
        self._id = api_id
        self._account = account
        self._region = region
        self._invoke = invoke
        self._log = log
        self._stages = {part.physical_resource_id: part.properties for part in _of(parts, "Stage")}
        self._validators = {part.physical_resource_id: part.properties for part in _of(parts, "RequestValidator")}
        self._schemas = {part.physical_resource_id: part.properties["Schema"] for part in _of(parts, "Model")}
        self._routes = sorted(_routes(api_id, parts), key=lambda route: route.precedence)
        self._callable = {
            part.properties["FunctionName"]
            for part in resources
            if part.kind == "AWS::Lambda::Permission"
            and part.properties["Principal"] == "apigateway.amazonaws.com"
            and f":{api_id}/" in part.properties.get("SourceArn", "")
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request whose path begins with the stage."""
        stage, _, rest = request.path.removeprefix("/").partition("/")
        path = f"/{rest}".rstrip("/") or "/"
        if stage not in self._stages:
            return json_answer(403, {"message": "Forbidden"}, x_amzn_ErrorType="ForbiddenException")
        began = time.monotonic()
        matches = ((route, route.match(request.method, path)) for route in self._routes)
        route, parameters = next((match for match in matches if match[1] is not None), (None, None))
        context = self._context(request, route, stage)
        if route is None or parameters is None:
            message = {"message": "Missing Authentication Token"}
            answer = json_answer(403, message, x_amzn_ErrorType="MissingAuthenticationTokenException")
        else:
            answer = self._answer(request, path, route, parameters, context)
        self._write_access_log(answer, context, msec=int((time.monotonic() - began) * 1000))
        return answer.with_header("x-amzn-RequestId", context["requestId"])

    def _context(self, request: Request, route: _Route | None, stage: str) -> dict[str, Any]:
        """What API Gateway knows of a call, for the function and the access log."""
        return {
            "accountId": self._account,
            "apiId": self._id,
            "domainName": f"{self._id}.execute-api.{self._region}.amazonaws.com",
            "extendedRequestId": uuid.uuid4().hex[:16],
            "httpMethod": request.method,
            "identity": {"sourceIp": request.source_ip, "userAgent": request.header("User-Agent")},
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "requestTimeEpoch": int(time.time() * 1000),
            "resourceId": "" if route is None else route.resource_id,
            "resourcePath": "" if route is None else route.path,
            "stage": stage,
        }

    def _answer(
        self, request: Request, path: str, route: _Route, parameters: dict[str, str], context: dict[str, Any]
    ) -> Answer:
        if (refusal := self._refusal(request, route.properties)) is not None:
            return refusal
        integration = route.properties["Integration"]
        match integration["Type"]:
            case "AWS_PROXY":
                event = _event(request, path, route, parameters, context, self._stages[context["stage"]])
                return self._answer_of_function(integration["Uri"], event)
            case "MOCK":
                return _mock_answer(integration)
            case other:
                raise NotPlayedError(f"{route.path}: integration of type {other}")

    def _refusal(self, request: Request, method: Mapping[str, Any]) -> Answer | None:
        """What the validator answers, if anything. It looks at no body whose type has no model."""
        validator = self._validators.get(method.get("RequestValidatorId", ""), {})
        if validator.get("ValidateRequestParameters"):
            missing = [name for name, needed in method.get("RequestParameters", {}).items() if needed]
            if absent := [name for name in missing if not _has(request, name)]:
                return json_answer(400, {"message": f"Missing required request parameters: [{', '.join(absent)}]"})
        models = method.get("RequestModels", {})
        kind = (request.header("Content-Type") or "application/json").partition(";")[0].strip()
        if validator.get("ValidateRequestBody") and kind in models:
            try:
                body = json.loads(request.body)
            except ValueError:
                return _invalid_body("not JSON")
            if (fault := next(Draft4Validator(self._schemas[models[kind]]).iter_errors(body), None)) is not None:
                return _invalid_body(fault.message)
        return None

    def _answer_of_function(self, uri: str, event: Any) -> Answer:
        found = _SERVED_BY_FUNCTION.search(uri)
        if found is None:
            raise NotPlayedError(f"integration with {uri}")
        if found[1] not in self._callable:
            return _gateway_error(500, "no permission to call the function")
        text, failed = self._invoke(found[1], event)
        answer = json.loads(text)
        if failed:
            status = 504 if answer["errorType"] == TIMED_OUT else 502
            return _gateway_error(status, f"{answer['errorType']}: {answer['errorMessage']}")
        try:
            headers = {name: [value] for name, value in (answer.get("headers") or {}).items()}
            headers |= answer.get("multiValueHeaders") or {}
            body = answer.get("body") or ""
            content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
            flat = tuple((name, _text(value)) for name, values in headers.items() for value in values)
            given = Answer(int(answer["statusCode"]), flat, content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return _gateway_error(502, f"malformed answer: {error!r}")
        return given if given.header("Content-Type") else given.with_header("Content-Type", "application/json")

    def _write_access_log(self, answer: Answer, context: dict[str, Any], *, msec: int) -> None:
        setting = self._stages[context["stage"]].get("AccessLogSetting")
        if setting is None:
            return
        known = context | {
            "status": answer.status,
            "responseLength": len(answer.body),
            "responseLatency": msec,
            "integrationLatency": msec,
            "error": {"message": answer.error, "responseType": answer.header("x-amzn-ErrorType")},
        }
        self._log(setting["DestinationArn"], _filled_in(setting["Format"], known))


def _routes(api_id: str, parts: Sequence[Recorded]) -> list[_Route]:
    resources = {part.physical_resource_id: part.properties for part in _of(parts, "Resource")}

    def path_of(resource_id: str) -> str:
        if resource_id not in resources:
            return ""
        return f"{path_of(resources[resource_id]['ParentId'])}/{resources[resource_id]['PathPart']}"

    return [
        _Route(path_of(resource_id) or "/", resource_id, method.properties)
        for method in _of(parts, "Method")
        for resource_id in [method.properties["ResourceId"]]
    ]


def _of(parts: Iterable[Recorded], kind: str) -> list[Recorded]:
    return [part for part in parts if part.kind == f"AWS::ApiGateway::{kind}"]


def _event(
    request: Request,
    path: str,
    route: _Route,
    parameters: dict[str, str],
    context: dict[str, Any],
    stage: Mapping[str, Any],
) -> dict[str, Any]:
    """The event of a proxy integration, format 1.0."""
    return {
        "resource": route.path,
        "path": path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": _grouped(request.headers),
        "queryStringParameters": dict(request.parameters) or None,
        "multiValueQueryStringParameters": _grouped(request.parameters) or None,
        "pathParameters": parameters or None,
        "stageVariables": stage.get("Variables"),
        "requestContext": context,
        "body": request.body.decode(errors="replace") if request.body else None,
        "isBase64Encoded": False,
    }


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _has(request: Request, parameter: str) -> bool:
    """`method.request.querystring.name`, `method.request.header.Name`; a path has its parameters anyhow."""
    _, _, place, name = parameter.split(".", 3)
    match place:
        case "querystring":
            return name in dict(request.parameters)
        case "header":
            return request.header(name) is not None
        case _:
            return True


def _mock_answer(integration: Mapping[str, Any]) -> Answer:
    """The first of the answers that are written in the template."""
    written = integration["IntegrationResponses"][0]
    headers = tuple(
        (name.removeprefix("method.response.header."), value.strip("'"))
        for name, value in written.get("ResponseParameters", {}).items()
    )
    return Answer(int(written["StatusCode"]), headers)


def _invalid_body(reason: str) -> Answer:
    answer = json_answer(400, {"message": "Invalid request body"}, x_amzn_ErrorType="BadRequestException")
    return Answer(answer.status, answer.headers, answer.body, error=reason)


def _gateway_error(status: int, reason: str) -> Answer:
    message = "Endpoint request timed out" if status == 504 else "Internal server error"
    answer = json_answer(status, {"message": message}, x_amzn_ErrorType="InternalServerErrorException")
    return Answer(answer.status, answer.headers, answer.body, error=reason)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _filled_in(format_: str, known: Mapping[str, Any]) -> str:
    """A line of an access log: `$context.error.message` and the like replaced, `-` for what there is not."""

    def value(found: re.Match[str]) -> str:
        node: Any = known
        for name in found[1].split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        return "-" if node is None or node == "" else str(node)

    return re.sub(r"\$context\.([\w.]+)", value, format_)
