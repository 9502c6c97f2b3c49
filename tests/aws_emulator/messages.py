"""HTTP requests and answers as CloudFront, API Gateway and S3 pass them on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

Headers = tuple[tuple[str, str], ...]
"""Names as they were sent, and values; a name may come several times."""


@dataclass(frozen=True)
class Request:
    """A request; `path` is as it was sent, with its escapes."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    def header(self, name: str) -> str | None:
        """The last value of a header."""
        return _last(self.headers, name)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Names and values in the query."""
        return parse_qsl(self.query, keep_blank_values=True)


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    error: str = field(default="", compare=False)
    """What went wrong, for logs."""

    def header(self, name: str) -> str | None:
        """The last value of a header."""
        return _last(self.headers, name)

    def with_header(self, name: str, value: str) -> Answer:
        """The same with a header, in the place of those with its name."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))


def json_answer(status: int, content: Any, **headers: str) -> Answer:
    """An answer in JSON; an underscore in the name of a header stands for a hyphen."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, (("Content-Type", "application/json"), *named), json.dumps(content).encode())


def _last(headers: Headers, name: str) -> str | None:
    values = [value for found, value in headers if found.lower() == name.lower()]
    return values[-1] if values else None
