"""A page against the rules of WCAG 2.1 AA that axe-core can check. Its context must be opened with `bypass_csp`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "experiment_site" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def expect_accessible(page: Page) -> None:
    """Nothing on the page breaks a rule once it has settled: amid a change of colours contrasts are chance."""
    page.evaluate("Promise.allSettled(document.getAnimations().map(change => change.finished))")
    page.add_script_tag(path=_AXE)
    found = page.evaluate("rules => axe.run(document, { runOnly: rules })", _RULES)
    assert found["passes"], "axe checked nothing"
    broken = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
    assert broken == [], broken
