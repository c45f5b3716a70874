"""A browser that stands still when it shall close does not hold up the tests: stopped for real, by SIGSTOP."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import Chromium
from tests.browser.conftest import found_chromium

pytestmark = pytest.mark.browser


def test_a_browser_that_stands_still_is_replaced() -> None:
    program = found_chromium()
    with sync_playwright() as playwright:
        chromium = Chromium(playwright, program, patience=1.0)
        stuck = chromium.new_context()
        stuck.new_page().set_content("<p>first</p>")
        chromium.signal("STOP")
        chromium.close(stuck)
        assert chromium.kills == 1
        page = chromium.new_context().new_page()
        page.set_content("<p>second</p>")
        assert page.inner_text("p") == "second"
        chromium.end()
        assert chromium.kills == 1
