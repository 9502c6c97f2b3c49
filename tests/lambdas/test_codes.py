"""Where completion codes come from in the cloud."""

from __future__ import annotations

from typing import Any

import pytest

from lambdas.session_api.codes import Codes
from tests.aws import StandIn


def test_a_parameter_is_read_once_and_again_after_five_minutes(aws: StandIn) -> None:
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


def test_a_study_without_parameters_makes_no_client() -> None:
    def make() -> Any:
        pytest.fail("nobody asked for a parameter")

    assert Codes({"DONE": "CDONE"}, make)("env:DONE") == "CDONE"


def test_a_code_that_is_not_there_is_an_error(aws: StandIn) -> None:
    codes = Codes({}, lambda: aws.client("ssm"))
    with pytest.raises(KeyError):
        codes("env:DONE")
    with pytest.raises(Exception, match="ParameterNotFound"):
        codes("ssm:/codes/nowhere")
