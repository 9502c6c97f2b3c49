"""Completion codes of deployed studies."""

from __future__ import annotations

from typing import Any

import pytest

from lambdas.session_api.codes import Codes
from tests.aws import StandIn


def test_parameter_is_cached_for_five_minutes(aws: StandIn) -> None:
    ssm, now = aws.client("ssm"), [0.0]
    codes = Codes({}, lambda: ssm, clock=lambda: now[0])

    def keep(value: str) -> None:
        ssm.put_parameter(Name="/codes/done", Value=value, Type="SecureString", Overwrite=True)

    keep("CDONE1")
    assert codes("ssm:/codes/done") == "CDONE1"
    keep("CDONE2")
    now[0] = 299
    assert codes("ssm:/codes/done") == "CDONE1"
    now[0] = 300
    assert codes("ssm:/codes/done") == "CDONE2"


def test_study_without_parameters_creates_no_client() -> None:
    def make() -> Any:
        pytest.fail("nobody asked for a parameter")

    assert Codes({"DONE": "CDONE"}, make)("env:DONE") == "CDONE"


def test_missing_code_is_an_error(aws: StandIn) -> None:
    codes = Codes({}, lambda: aws.client("ssm"))
    with pytest.raises(KeyError):
        codes("env:DONE")
    with pytest.raises(Exception, match="ParameterNotFound"):
        codes("ssm:/codes/nowhere")
