"""Refuse to build a wheel without the participant's page: an installed `lwise` must serve it with no Node at hand."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuiltSiteRequired(BuildHookInterface[Any]):
    """Checks that the site was built into the package; editable installs may come before it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        page = Path(self.root) / "lwise_core" / "local" / "site" / "index.html"
        if version != "editable" and not page.is_file():
            raise RuntimeError(f"{page} is missing: run `make site` before building a wheel")
