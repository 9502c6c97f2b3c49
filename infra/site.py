"""`Site`: the participant's page, a study's own pictures, and the one address under which all of a study is served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgements import NO_FIREWALL, acknowledge
from infra.private_bucket import private_bucket
from infra.site_deployments import SiteDeployments
from lwise_core.authoring.config import Domain
from lwise_core.experiments.payloads import STIMULUS_FOLDER

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_ANEW = "no-cache"


class Site(Construct):
    """A private bucket for the page, and a CloudFront distribution before it, the API and the pictures.

    Attributes
    ----------
    url : where the study is, without a slash at its end.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        api: apigateway.RestApi,
        headers: Mapping[str, str],
        page: Path,
        own_pictures: Path | None,
        stimulus_bucket: s3.IBucket | None,
        domain: Domain | None,
    ) -> None:
        """
        Parameters
        ----------
        headers : security headers of every answer.
        page : folder of the built page.
        own_pictures : folder of pictures that go with the page; None: there are none.
        stimulus_bucket : the bucket of a `StimulusStack` that has the pictures instead.
        domain : the lab's own address for the study; None: CloudFront makes one up.
        """
        super().__init__(scope, id_)
        self.bucket = private_bucket(self, "Bucket", keep=False)
        acknowledge(self.bucket, "AwsSolutions-S1", "holds no data of anyone, and only CloudFront reads it")
        self.distribution = self._build_distribution(api, headers, stimulus_bucket, domain)
        self.url = f"https://{self.distribution.distribution_domain_name if domain is None else domain.name}"
        self._deploy(page, own_pictures)

    def _build_distribution(
        self,
        api: apigateway.RestApi,
        headers: Mapping[str, str],
        stimulus_bucket: s3.IBucket | None,
        domain: Domain | None,
    ) -> cloudfront.Distribution:
        with_headers = self._build_headers(headers)
        site = origins.S3BucketOrigin.with_origin_access_control(self.bucket)
        pictures = (
            site if stimulus_bucket is None else origins.S3BucketOrigin.with_origin_access_control(stimulus_bucket)
        )

        def kept(origin: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
            return cloudfront.BehaviorOptions(
                origin=origin,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=with_headers,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            )

        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=Stack.of(self).stack_name,
            default_root_object="index.html",
            # Of an edge's copy of the page nothing would be gained but a day's delay of every change.
            default_behavior=cloudfront.BehaviorOptions(
                origin=site,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                response_headers_policy=with_headers,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            ),
            additional_behaviors={
                "api/*": cloudfront.BehaviorOptions(
                    origin=origins.RestApiOrigin(api),
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                    response_headers_policy=with_headers,
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                ),
                "assets/*": kept(site),
                f"{STIMULUS_FOLDER}/*": kept(pictures),
            },
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            **({} if domain is None else self._at(domain)),
        )
        if stimulus_bucket is not None:
            acknowledge(
                distribution,
                "Annotation::@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac",
                "StimulusStack lets every distribution of the account read its pictures",
            )
        acknowledge(
            distribution,
            "AwsSolutions-CFR3",
            "access logs of CloudFront hold participants' IP addresses and, in the query, their ids",
        )
        acknowledge(distribution, "AwsSolutions-CFR1", "participants may be anywhere")
        acknowledge(distribution, "AwsSolutions-CFR2", NO_FIREWALL)
        if domain is None:
            acknowledge(
                distribution,
                "AwsSolutions-CFR4",
                "the certificate is that of cloudfront.net, for which CloudFront sets the TLS version itself",
            )
        return distribution

    def _at(self, domain: Domain) -> Mapping[str, Any]:
        """What a distribution needs to answer to the lab's own address."""
        return {
            "domain_names": [domain.name],
            "certificate": acm.Certificate.from_certificate_arn(self, "Certificate", domain.certificate),
            "minimum_protocol_version": cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        }

    def _build_headers(self, headers: Mapping[str, str]) -> cloudfront.ResponseHeadersPolicy:
        policy = "Content-Security-Policy"
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            comment=f"Security headers of {Stack.of(self).stack_name}",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=headers[policy], override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), include_subdomains=False, override=True
                ),
            ),
        )

    def _deploy(self, page: Path, own_pictures: Path | None) -> None:
        """Files named by their content first, which browsers keep for ever; index.html last, which names them."""
        deployments = SiteDeployments(self, "Deployments", bucket=self.bucket)
        first = [deployments.deploy("Assets", page / "assets", cache_control=_FOR_EVER, prefix="assets")]
        if own_pictures is not None:
            pictures = deployments.deploy("Pictures", own_pictures, cache_control=_FOR_EVER, prefix=STIMULUS_FOLDER)
            first.append(pictures)
        index = deployments.deploy("Page", page, cache_control=_ASK_ANEW, leave_out=("*", "!index.html"))
        index.node.add_dependency(*first)
