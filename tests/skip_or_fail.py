"""Skip a test that this machine cannot run, or fail it in CI, which must run every test."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(message: str) -> NoReturn:
    """Skip the test, or fail it where `CI` is set."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
