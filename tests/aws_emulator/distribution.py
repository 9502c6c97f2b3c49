"""A CloudFront distribution, served from what its template says. Stock moto keeps no distributions of templates.

A request takes the first behaviour whose path pattern fits, is passed on as far as its policies let it through, and the
answer gets the headers of the response headers policy. Objects of a bucket are served only if the bucket's policy lets
this distribution read them. Nothing is cached. Of CloudFront's own policies those are known that are named below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from tests.aws_emulator.messages import Answer, Request
from tests.aws_emulator.resources import NotPlayedError, Recorded

ALL_VIEWER_EXCEPT_HOST_HEADER = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
_CACHE_POLICIES = {
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": "CachingDisabled",
    "658327ea-f89d-4fab-a63d-7e88639e58f6": "CachingOptimized",
}
"""Those of CloudFront itself that let nothing of a request through but its path."""

_PASSED_ALWAYS = frozenset({"accept", "content-type", "content-length", "range", "if-none-match", "user-agent"})
_PASSED_NEVER = frozenset({"host", "connection"})

_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
}

CallApi = Callable[[str, Request], Answer]
"""(id of a REST API, request whose path begins with the stage) -> answer."""


class Distribution:
    """A distribution.

    Parameters
    ----------
    resources : everything that was recorded in its account.
    s3 : a boto3 client.
    """

    def __init__(
        self, recorded: Recorded, resources: Iterable[Recorded], *, account: str, s3: Any, call_api: CallApi
    ) -> None:
        self.domain_name = recorded.get_cfn_attribute("DomainName")
        config = recorded.properties["DistributionConfig"]
        self._config = config
        self._origins = {origin["Id"]: origin for origin in config["Origins"]}
        self._behaviours = [*config.get("CacheBehaviors", ()), {"PathPattern": "*", **config["DefaultCacheBehavior"]}]
        self._headers = {
            part.physical_resource_id: part.properties["ResponseHeadersPolicyConfig"]
            for part in resources
            if part.kind == "AWS::CloudFront::ResponseHeadersPolicy"
        }
        self._readable = _Readers(resources, account, recorded.physical_resource_id)
        self._s3 = s3
        self._call_api = call_api

    def answer(self, request: Request) -> Answer:
        """Answer a request as CloudFront does."""
        path = request.path
        behaviour = next(found for found in self._behaviours if _fits(found["PathPattern"], path))
        if path == "/" and (root := self._config.get("DefaultRootObject")):
            path = f"/{root}"
        if request.method not in behaviour.get("AllowedMethods", ("GET", "HEAD")):
            answer = _denied("this distribution does not allow this method here")
        else:
            answer = self._fetch(behaviour["TargetOriginId"], replace(_passed_on(request, behaviour), path=path))
            answer = self._instead_of_error(answer, request)
        return self._with_headers(answer, behaviour.get("ResponseHeadersPolicyId"))

    def _fetch(self, origin_id: str, request: Request) -> Answer:
        origin = self._origins[origin_id]
        domain: str = origin["DomainName"]
        request = replace(request, path=origin.get("OriginPath", "") + request.path)
        if found := re.fullmatch(r"([a-z0-9]+)\.execute-api\.[\w-]+\.amazonaws\.com", domain):
            added = tuple((item["HeaderName"], item["HeaderValue"]) for item in origin.get("OriginCustomHeaders", ()))
            return self._call_api(found[1], replace(request, headers=(*request.headers, *added)))
        if found := re.fullmatch(r"(.+)\.s3\.[\w.-]*amazonaws\.com", domain):
            signed = bool(origin.get("OriginAccessControlId"))
            return self._read_object(found[1], unquote(request.path.removeprefix("/")), request, signed=signed)
        raise NotPlayedError(f"origin {domain}")

    def _read_object(self, bucket: str, key: str, request: Request, *, signed: bool) -> Answer:
        if request.method not in ("GET", "HEAD") or not signed or not self._readable.may("s3:GetObject", bucket, key):
            return _denied(f"{bucket}/{key}")
        asked = {"Bucket": bucket, "Key": key}
        if wanted := request.header("Range"):
            asked["Range"] = wanted
        try:
            found = self._s3.get_object(**asked)
        except ClientError as error:
            return self._without_object(bucket, key, error)
        if request.header("If-None-Match") == found["ETag"]:
            return Answer(304, (("ETag", found["ETag"]),))
        headers = [
            ("ETag", found["ETag"]),
            ("Last-Modified", format_datetime(found["LastModified"].astimezone(UTC), usegmt=True)),
            ("Accept-Ranges", "bytes"),
            *(
                (name, found[field])
                for name, field in (
                    ("Content-Type", "ContentType"),
                    ("Cache-Control", "CacheControl"),
                    ("Content-Encoding", "ContentEncoding"),
                    ("Content-Disposition", "ContentDisposition"),
                    ("Content-Range", "ContentRange"),
                )
                if field in found
            ),
        ]
        return Answer(206 if "ContentRange" in found else 200, tuple(headers), found["Body"].read())

    def _without_object(self, bucket: str, key: str, error: ClientError) -> Answer:
        """S3 tells of what is not there only those who may list the bucket."""
        code = error.response["Error"]["Code"]
        if code == "InvalidRange":
            return Answer(416)
        if code != "NoSuchKey":
            raise error
        if self._readable.may("s3:ListBucket", bucket):
            return Answer(404, (("Content-Type", "application/xml"),), b"<Error><Code>NoSuchKey</Code></Error>")
        return _denied(f"{bucket}/{key}")

    def _instead_of_error(self, answer: Answer, request: Request) -> Answer:
        """The page that the distribution has for an error, whichever origin it came from."""
        for rule in self._config.get("CustomErrorResponses", ()):
            if rule["ErrorCode"] != answer.status or "ResponsePagePath" not in rule:
                continue
            path = rule["ResponsePagePath"]
            behaviour = next(found for found in self._behaviours if _fits(found["PathPattern"], path))
            page = self._fetch(behaviour["TargetOriginId"], Request("GET", path, source_ip=request.source_ip))
            return replace(page, status=rule["ResponseCode"])
        return answer

    def _with_headers(self, answer: Answer, policy_id: str | None) -> Answer:
        if policy_id is None:
            return answer
        if policy_id not in self._headers:
            raise NotPlayedError(f"response headers policy {policy_id}")
        policy = self._headers[policy_id]
        if others := policy.keys() - {"Name", "Comment", "SecurityHeadersConfig", "CustomHeadersConfig"}:
            raise NotPlayedError(f"response headers policy with {', '.join(sorted(others))}")
        custom = policy.get("CustomHeadersConfig", {}).get("Items", ())
        added = [(item["Header"], item["Value"], item["Override"]) for item in custom]
        added += _security_headers(policy.get("SecurityHeadersConfig", {}))
        for name, value, overrides in added:
            if overrides or answer.header(name) is None:
                answer = answer.with_header(name, value)
        return answer


class _Readers:
    """What the recorded bucket policies let one distribution do."""

    def __init__(self, resources: Iterable[Recorded], account: str, distribution_id: str) -> None:
        self._account = account
        self._distribution = f"arn:aws:cloudfront::{account}:distribution/{distribution_id}"
        self._statements = [
            statement
            for part in resources
            if part.kind == "AWS::S3::BucketPolicy"
            for statement in part.properties["PolicyDocument"]["Statement"]
        ]

    def may(self, action: str, bucket: str, key: str | None = None) -> bool:
        resource = f"arn:aws:s3:::{bucket}" + ("" if key is None else f"/{key}")
        return any(self._allows(statement, action, resource) for statement in self._statements)

    def _allows(self, statement: Mapping[str, Any], action: str, resource: str) -> bool:
        principal = statement.get("Principal")
        return (
            statement["Effect"] == "Allow"
            and isinstance(principal, Mapping)
            and "cloudfront.amazonaws.com" in _listed(principal.get("Service", ()))
            and any(fnmatchcase(action, pattern) for pattern in _listed(statement["Action"]))
            and any(fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
            and all(self._holds(*condition) for condition in statement.get("Condition", {}).items())
        )

    def _holds(self, operator: str, wanted: Mapping[str, Any]) -> bool:
        if operator not in _OPERATORS:
            raise NotPlayedError(f"condition with {operator} in a bucket's policy")
        known = {"aws:sourcearn": self._distribution, "aws:sourceaccount": self._account}
        return all(
            any(_OPERATORS[operator](known.get(name.lower(), ""), pattern) for pattern in _listed(values))
            for name, values in wanted.items()
        )


def _fits(pattern: str, path: str) -> bool:
    """CloudFront's patterns have `*` and `?`, and need no slash at their beginning."""
    escaped = re.escape(pattern.removeprefix("/")).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(escaped, path.removeprefix("/")) is not None


def _passed_on(request: Request, behaviour: Mapping[str, Any]) -> Request:
    """What the origin gets to see of a request."""
    if (cache := behaviour.get("CachePolicyId")) not in _CACHE_POLICIES:
        raise NotPlayedError(f"cache policy {cache}")
    for setting in ("FunctionAssociations", "LambdaFunctionAssociations"):
        if behaviour.get(setting):
            raise NotPlayedError(f"behaviour {behaviour['PathPattern']} with {setting}")
    match behaviour.get("OriginRequestPolicyId"):
        case None:
            kept = tuple(pair for pair in request.headers if pair[0].lower() in _PASSED_ALWAYS)
            return replace(request, headers=kept, query="")
        case known if known == ALL_VIEWER_EXCEPT_HOST_HEADER:
            kept = tuple(pair for pair in request.headers if pair[0].lower() not in _PASSED_NEVER)
            return replace(request, headers=kept)
        case other:
            raise NotPlayedError(f"origin request policy {other}")


def _security_headers(config: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it takes the place of the origin's."""
    values: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
        "ContentSecurityPolicy": ("Content-Security-Policy", lambda part: part["ContentSecurityPolicy"]),
        "ContentTypeOptions": ("X-Content-Type-Options", lambda _: "nosniff"),
        "FrameOptions": ("X-Frame-Options", lambda part: part["FrameOption"]),
        "ReferrerPolicy": ("Referrer-Policy", lambda part: part["ReferrerPolicy"]),
        "StrictTransportSecurity": ("Strict-Transport-Security", _transport_security),
        "XSSProtection": ("X-XSS-Protection", lambda part: "1; mode=block" if part.get("ModeBlock") else "1"),
    }
    return [(values[name][0], values[name][1](part), part["Override"]) for name, part in config.items()]


def _transport_security(part: Mapping[str, Any]) -> str:
    flags = (("IncludeSubdomains", "includeSubDomains"), ("Preload", "preload"))
    return "; ".join([f"max-age={part['AccessControlMaxAgeSec']}", *(text for name, text in flags if part.get(name))])


def _denied(what: str) -> Answer:
    return Answer(403, (("Content-Type", "application/xml"),), b"<Error><Code>AccessDenied</Code></Error>", error=what)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
