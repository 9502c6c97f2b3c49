"""The security headers of a study's page, on every server."""

from __future__ import annotations

from lwise_core.experiments.payloads import external_origins
from lwise_core.experiments.study import Study

_MTURK_FRAMES = "https://*.mturk.com"
_MTURK_FORMS = "https://www.mturk.com https://workersandbox.mturk.com"


def page_headers(study: Study) -> dict[str, str]:
    """Headers of every response.

    Images may come from the study's own addresses. Only the sites in `allow_origins` may embed the page in a frame, and
    Mechanical Turk if the study is open to it; its form may then be submitted, too.
    """
    here = " ".join(["'self'", *external_origins(study)])
    with_mturk = "mturk" in study.platforms
    frames = " ".join(["'self'", *study.allow_origins, *([_MTURK_FRAMES] if with_mturk else [])])
    forms = _MTURK_FORMS if with_mturk else "'none'"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src {here} data: blob:; "
            f"connect-src {here}; font-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors {frames}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
