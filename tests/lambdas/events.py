"""Events as API Gateway sends them (REST, proxy integration, format 1.0)."""

from __future__ import annotations

import base64
import json
from typing import Any


def event(
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    token: str | None = None,
    header: str = "Authorization",
    is_base64: bool = False,
) -> dict[str, Any]:
    """An event with what a browser behind CloudFront sends; `body` is text as it is, anything else as JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "Amazon CloudFront",
        "X-Forwarded-For": "203.0.113.7, 130.176.0.1",
        **({} if token is None else {header: f"Bearer {token}"}),
    }
    return {
        "resource": "/api/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.removeprefix("/api/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "resourceId": "abc123",
            "stage": "live",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "Amazon CloudFront"},
            "resourcePath": "/api/{proxy+}",
            "httpMethod": method,
            "apiId": "wt6mne2s9k",
        },
        "body": base64.b64encode(text.encode()).decode() if is_base64 and text is not None else text,
        "isBase64Encoded": is_base64,
    }
