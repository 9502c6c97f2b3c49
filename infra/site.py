"""`Site`: the participant's page, a study's images, and the CloudFront distribution that serves all of a study."""

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

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATED = "no-cache"


class Site(Construct):
    """A private bucket for the page, and a distribution in front of page, API and images.

    Attributes
    ----------
    url : address of the study, without a trailing slash.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        api: apigateway.RestApi,
        headers: Mapping[str, str],
        page: Path,
        own_images: Path | None,
        stimulus_bucket: s3.IBucket | None,
        domain: Domain | None,
    ) -> None:
        """
        Parameters
        ----------
        headers : security headers of every response.
        page : folder of the built page.
        own_images : folder of images to upload with the page; None: there are none.
        stimulus_bucket : the bucket of a `StimulusStack` that has the images instead.
        domain : the lab's own domain for the study; None: a name under cloudfront.net.
        """
        super().__init__(scope, id_)
        self.bucket = private_bucket(self, "Bucket", keep=False)
        acknowledge(self.bucket, "AwsSolutions-S1", "holds no personal data; only CloudFront reads it")
        self.distribution = self._build_distribution(api, headers, stimulus_bucket, domain)
        self.url = f"https://{self.distribution.distribution_domain_name if domain is None else domain.name}"
        self._deploy(page, own_images)

    def _build_distribution(
        self,
        api: apigateway.RestApi,
        headers: Mapping[str, str],
        stimulus_bucket: s3.IBucket | None,
        domain: Domain | None,
    ) -> cloudfront.Distribution:
        with_headers = self._build_headers(headers)
        site = origins.S3BucketOrigin.with_origin_access_control(self.bucket)
        images = site if stimulus_bucket is None else origins.S3BucketOrigin.with_origin_access_control(stimulus_bucket)

        def cached(origin: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
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
            # Caching the page at the edge would only delay changes by a day.
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
                "assets/*": cached(site),
                f"{STIMULUS_FOLDER}/*": cached(images),
            },
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            **({} if domain is None else self._domain_options(domain)),
        )
        if stimulus_bucket is not None:
            acknowledge(
                distribution,
                "Annotation::@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac",
                "StimulusStack lets every distribution of the account read its images",
            )
        acknowledge(
            distribution,
            "AwsSolutions-CFR3",
            "CloudFront access logs hold participants' IP addresses and, in the query, their ids",
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

    def _domain_options(self, domain: Domain) -> Mapping[str, Any]:
        """Options of a distribution that serves the lab's own domain."""
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

    def _deploy(self, page: Path, own_images: Path | None) -> None:
        """Upload files named by their content first, cached for ever; index.html, which names them, last."""
        deployments = SiteDeployments(self, "Deployments", bucket=self.bucket)
        first = [deployments.deploy("Assets", page / "assets", cache_control=_IMMUTABLE, prefix="assets")]
        if own_images is not None:
            images = deployments.deploy("Pictures", own_images, cache_control=_IMMUTABLE, prefix=STIMULUS_FOLDER)
            first.append(images)
        index = deployments.deploy("Page", page, cache_control=_REVALIDATED, exclude=("*", "!index.html"))
        index.node.add_dependency(*first)
