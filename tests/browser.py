"""A real Chromium for tests of pages, headless, by Playwright, and axe-core to judge what it shows.

The browser is the system's (`chromium`, Google Chrome) or the one that `playwright install chromium` brought. In CI
that is no Debian package to want: where there is none the tests that need one are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")


class Chromium:
    """A browser, and a folder for the pages that it opens."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self._browser, self._folder, self._number = browser, folder, 0

    @contextmanager
    def showing(self, text: str, width: int = 1400, dark: bool = False) -> Iterator[Any]:
        """The page of that HTML, as Playwright has pages. Whatever it fetches, prints or asks a user is an error."""
        self._number += 1
        file = self._folder / f"page-{self._number}.html"
        file.write_text(text, encoding="utf-8")
        page = self._browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        heard: list[str] = []
        page.on("request", lambda one: heard.append(f"fetched {one.url}") if one.url != file.as_uri() else None)
        page.on("console", lambda one: heard.append(f"said {one.text}"))
        page.on("pageerror", lambda one: heard.append(f"failed {one}"))
        page.on("dialog", lambda one: (heard.append(f"asked {one.message}"), one.dismiss()))
        page.goto(file.as_uri())
        try:
            yield page
        finally:
            page.close()
        assert heard == []


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """A browser for a session of tests."""
    pytest.importorskip(
        "axe_playwright_python", reason="axe-playwright-python is not installed (dependency group test)"
    )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, _NAMES)), None)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("this machine: no Chromium")
        # Its own sandbox needs rights that a container seldom has; the pages are ours.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield Chromium(browser, folder)
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong, with all its rules: those of WCAG 2 A and AA, and its best practices."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def unfold(page: Any) -> None:
    """Open all that is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window."""
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert isinstance(wider, int)
    return wider
