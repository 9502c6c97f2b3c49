"""A study at an address of the lab's own, shown in a frame of another site, under names that begin with the lab's."""

from __future__ import annotations

from typing import Any

from tests.infra.conftest import Synthesised

_OWN, _OTHER = "ExperimentStack-own-5", "ExperimentStack-deleted-2"


def _distribution(synthesised: Synthesised, stack: str) -> dict[str, Any]:
    (found,) = synthesised.resources(stack, "AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = found["Properties"]["DistributionConfig"]
    return config


def _content_security_policy(synthesised: Synthesised, stack: str) -> dict[str, str]:
    (found,) = synthesised.resources(stack, "AWS::CloudFront::ResponseHeadersPolicy").values()
    headers = found["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    rules = headers["ContentSecurityPolicy"]["ContentSecurityPolicy"].split("; ")
    return {name: value for name, _, value in (rule.partition(" ") for rule in rules)}


def test_the_distribution_answers_to_the_labs_domain_with_its_certificate(synthesised: Synthesised) -> None:
    config = _distribution(synthesised, _OWN)
    assert config["Aliases"] == ["moths.example.edu"]
    assert config["ViewerCertificate"] == {
        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1a-2b",
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert "Aliases" not in _distribution(synthesised, _OTHER)


def test_links_lead_to_the_labs_domain_and_an_output_says_where_that_must_point(synthesised: Synthesised) -> None:
    outputs = synthesised.templates[_OWN]["Outputs"]
    assert outputs["Address"]["Value"] == "https://moths.example.edu"
    assert outputs["LinkInperson"]["Value"].startswith("https://moths.example.edu/?")
    (distribution,) = synthesised.resources(_OWN, "AWS::CloudFront::Distribution")
    assert outputs["DomainTarget"]["Value"] == {"Fn::GetAtt": [distribution, "DomainName"]}


def test_only_sites_that_the_study_names_may_show_it_in_a_frame(synthesised: Synthesised) -> None:
    assert _content_security_policy(synthesised, _OWN)["frame-ancestors"] == "'self' https://survey.example.edu"
    assert _content_security_policy(synthesised, _OTHER)["frame-ancestors"] == "'self'"


def test_names_in_the_account_begin_with_the_labs_and_those_in_the_app_do_not(synthesised: Synthesised) -> None:
    assert synthesised.stack(_OWN).stack_name == f"lab-{_OWN}"
    (dashboard,) = synthesised.resources(_OWN, "AWS::CloudWatch::Dashboard").values()
    assert dashboard["Properties"]["DashboardName"] == f"lab-{_OWN}"
