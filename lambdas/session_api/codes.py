"""A study's completion codes, read when a participant has earned one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

_CACHE_SECONDS = 300


class Codes:
    """From `env:NAME` or `ssm:NAME` to the code. Parameters are cached for five minutes, so that changes take effect.

    `make_ssm` creates the client of AWS Systems Manager, which is slow, when it is first needed.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        make_ssm: Callable[[], Any],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._make_ssm = make_ssm
        self._clock = clock
        self._ssm: Any = None
        self._cache: dict[str, tuple[str, float]] = {}

    def __call__(self, reference: str) -> str:
        kind, _, name = reference.partition(":")
        if kind == "env":
            return self._environment[name]
        code, until = self._cache.get(name, ("", 0.0))
        now = self._clock()
        if now >= until:
            self._ssm = self._ssm or self._make_ssm()
            code = self._ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
            self._cache[name] = code, now + _CACHE_SECONDS
        return code
