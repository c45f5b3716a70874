"""A headless Chromium, and studios with real pictures for it to look at. No model is loaded unless a test paints."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.chromium import Chromium
from tests.browser.hanging import Hung, hung_studio
from tests.conftest import missing_input

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The Chromium of this machine; playwright's own download is not used.

    Ends with the module: while playwright lives its event loop runs in this thread, and no other test could start one.
    """
    with sync_playwright() as playwright:
        browser = Chromium(playwright, found_chromium())
        yield browser
        browser.end()


@pytest.fixture
def new_context(chromium: Chromium) -> Iterator[NewContext]:
    """Makes browsers of one person each, and closes them all."""
    made: list[BrowserContext] = []

    def new(**options: Any) -> BrowserContext:
        made.append(chromium.new_context(**options))
        return made[-1]

    yield new
    for context in made:
        chromium.close(context)


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    """A browser of one person: a desk, light."""
    return new_context(viewport=DESK, color_scheme="light")


def found_chromium() -> str:
    """The program; skips the test, in CI fails it, where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing_input("no Chromium is installed: install the package `chromium` to run the browser tests")
    return found


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose scripts must not fail and whose policy must not be broken."""
    page = context.new_page()
    broken = watch(page)
    yield page
    assert broken == []


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    """An open studio with the usual forms and pictures on its walls."""
    with hung_studio(tmp_path_factory.mktemp("hung")) as studio:
        yield studio


def until(page: Page, happened: Callable[[], bool], what: str) -> None:
    """Wait for what the page does in its own time; raises AssertionError with `what` was waited for after 20 s."""
    for _ in range(400):
        if happened():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"in 20 s it did not happen: {what}")


def violations(page: Page) -> list[str]:
    """What axe finds once every transition has ended, each with the elements that it is about."""
    page.evaluate(
        "Promise.allSettled(document.getAnimations()"
        ".filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime)).map((one) => one.finished))"
    )
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]


def watch(page: Page) -> list[str]:
    """Whatever goes wrong in the page's own scripts and styles, as it happens."""
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "console",
        lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return broken
