"""Find browsers for the browser tests, or install them. Run as a script by `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FIREFOXES = ("firefox-esr", "firefox")
ARGUMENTS = ("--disable-gpu", "--disable-background-networking", "--no-first-run")


def chromium() -> Path | None:
    """The machine's own Chromium, else the one that Playwright installed, else None."""
    if found := _on_path(_CHROMIUMS):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        bundled = Path(playwright.chromium.executable_path)
    return bundled if bundled.is_file() else None


def firefox() -> Path | None:
    """The machine's own Firefox, or None."""
    return _on_path(_FIREFOXES)


def install() -> None:
    """Install missing browsers: Debian's packages for root where apt exists, else Playwright's own Chromium."""
    missing = [name for name, found in (("chromium", chromium()), ("firefox-esr", firefox())) if found is None]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", *missing]):
            subprocess.run(["apt-get", "-qq", *command], check=True, env=quiet, stdout=subprocess.DEVNULL)
    elif "chromium" in missing:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _on_path(names: tuple[str, ...]) -> Path | None:
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


if __name__ == "__main__":
    if chromium() is None or firefox() is None:
        install()
    print(f"Chromium: {chromium()}\nFirefox: {firefox()}")
