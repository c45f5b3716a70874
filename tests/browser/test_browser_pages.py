"""Every view: no violation that axe finds, in light and dark; 360 px without sideways scroll; nothing jumps; keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, NewContext, violations, watch
from tests.browser.hanging import Hung

pytestmark = pytest.mark.browser

VIEWS = [
    "make", "gallery", "gallery?order=confidence", "rate", "duel", "rank", "compare", "models", "runs", "study", "me",
    "me/asking", "me/data", "me/account", "operate", "operate/studies", "operate/audit", "picture",
]  # fmt: skip


def visit(page: Page, studio: Hung, view: str) -> None:
    if view == "picture":
        first = page.request.get(f"{studio.url}/api/v1/gallery?limit=1").json()["pictures"][0]["id"]
        view = f"picture/{first}"
    page.goto(f"{studio.url}/#/{view}")
    page.wait_for_load_state("networkidle")
    expect(page.locator("main h1").first).to_be_attached()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view(new_context: NewContext, hung: Hung, theme: str) -> None:
    context = new_context(viewport=DESK, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    broken = watch(page)
    found = {}
    for view in VIEWS:
        visit(page, hung, view)
        found[view] = violations(page)
    assert {view: list(one) for view, one in found.items() if one} == {}
    assert broken == []


def test_axe_finds_nothing_in_a_form_that_asks_on_nor_in_the_dialogs(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    expect(page.locator("main form").first).to_be_visible()
    for _ in range(6):
        page.keyboard.press("1")
    expect(page.get_by_role("group", name="What was wrong?")).to_be_visible()
    assert violations(page) == []
    page.locator("h1").first.click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []


def test_nothing_scrolls_sideways_at_360_pixels(new_context: NewContext, hung: Hung) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = context.new_page()
    wide = {}
    for view in VIEWS:
        visit(page, hung, view)
        wide[view] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert {view: over for view, over in wide.items() if over > 0} == {}
    page.get_by_role("button", name="More").tap()
    expect(page.get_by_role("dialog", name="More").get_by_role("link", name="Duel")).to_be_visible()
    assert violations(page) == []


def test_a_wall_shows_larger_type_and_the_whole_width_is_not_text(new_context: NewContext, hung: Hung) -> None:
    context = new_context(viewport={"width": 3840, "height": 2160})
    page = context.new_page()
    visit(page, hung, "rate")
    assert float(page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")) > 20
    assert float(page.evaluate("document.querySelector('figure img').getBoundingClientRect().width")) > 600


def test_nothing_jumps_while_pictures_load(new_context: NewContext, hung: Hung) -> None:
    context = new_context(viewport=DESK)
    page = context.new_page()
    page.add_init_script(
        "window.shifted = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " if (!entry.hadRecentInput) window.shifted += entry.value; })"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    for view in ("gallery", "duel", "rate"):
        visit(page, hung, view)
        page.reload()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(200)
        # 0.1 is what "good" means in the Web Vitals; the page must be well below it.
        assert float(page.evaluate("window.shifted")) < 0.02, view


def test_the_switch_of_the_theme_beats_the_system_and_is_kept(page: Page, hung: Hung) -> None:
    visit(page, hung, "make")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    switch = page.get_by_role("button", name="Theme: system")
    switch.click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(paper) == dark


def test_the_focus_is_always_seen(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    hidden = []
    for _ in range(30):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            """() => {
              for (let one = document.activeElement; one && one !== document.body; one = one.parentElement) {
                const style = getComputedStyle(one);
                if (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) return true;
              }
              return document.activeElement === document.body;
            }"""
        )
        if not shown:
            hidden.append(page.evaluate("document.activeElement.outerHTML.slice(0, 100)"))
    assert hidden == []


def test_the_page_can_be_installed(page: Page, hung: Hung) -> None:
    visit(page, hung, "make")
    manifest = page.request.get(f"{hung.url}/manifest.webmanifest").json()
    assert manifest["display"] == "standalone"
    assert manifest["start_url"]
    for icon in manifest["icons"]:
        assert page.request.get(f"{hung.url}/{icon['src']}").ok
    assert page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.scope)") == f"{hung.url}/"


def test_two_pictures_are_compared_with_one_zoom(page: Page, hung: Hung) -> None:
    visit(page, hung, "gallery")
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.get_by_role("link", name="Compare the two").click()
    expect(page.get_by_role("region", name="The two pictures")).to_be_visible()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    moved = page.locator(".moved").evaluate_all("(all) => all.map((one) => getComputedStyle(one).transform)")
    assert len(moved) == 2
    assert moved[0] == moved[1] != "none"
    page.keyboard.press("x")
    slider = page.get_by_role("slider", name="How much of")
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator(".top").evaluate("(one) => getComputedStyle(one).clipPath").endswith("0%)")
