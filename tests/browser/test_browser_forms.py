"""Every form in a real browser: by keyboard alone, by mouse, by touch; asked on after a low mark; undone; changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from redraft.store.answer_records import Answer
from tests.browser.conftest import PHONE, NewContext, until
from tests.browser.hanging import Hung, hung_studio

pytestmark = pytest.mark.browser
FACETS = ["semantics", "subject_detail", "background_detail", "coherence", "aesthetics", "safety"]


@pytest.fixture(scope="module")
def starred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    with hung_studio(tmp_path_factory.mktemp("starred"), forms="stars") as studio:
        yield studio


@pytest.fixture(scope="module")
def thumbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    with hung_studio(tmp_path_factory.mktemp("thumbed"), forms="thumbs") as studio:
        yield studio


def visit(page: Page, studio: Hung, view: str) -> None:
    page.goto(f"{studio.url}/#/{view}")
    expect(page.locator("main form").first).to_be_visible()


def sent(page: Page, studio: Hung, before: int) -> Answer:
    """The newest answer once the server has it and the page knows."""
    until(page, lambda: len(studio.answers()) > before, f"an answer comes beyond the {before}")
    return studio.answers()[-1]


def focused_label(page: Page) -> str:
    return str(page.evaluate("document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText"))


def test_six_sliders_by_keyboard_alone(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    before = len(hung.answers())
    # No click anywhere: the first digit finds the first slider, and each one leads to the next.
    for digit in "786.89":
        page.keyboard.press(digit)
    assert "Give the answer" in focused_label(page)
    page.keyboard.press("Enter")
    answer = sent(page, hung, before)
    assert answer.form == "sliders"
    assert answer.payload == dict(zip(FACETS, (7, 8, 6, 10, 8, 9), strict=True))
    assert answer.lead_ms is not None
    assert answer.lead_ms > 0


def test_a_slider_that_nobody_touched_says_nothing(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    before = len(hung.answers())
    slider = page.get_by_label("Beauty")
    expect(slider).to_have_attribute("aria-valuetext", "not set")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "6 of 10")
    page.get_by_role("button", name="Give the answer").click()
    assert sent(page, hung, before).payload == {"aesthetics": 6}


def test_after_a_low_mark_it_asks_what_was_wrong(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    before = len(hung.answers())
    wrong = page.get_by_role("group", name="What was wrong?")
    for digit in "99999":
        page.keyboard.press(digit)
    expect(wrong).to_have_count(0)
    for slider in page.locator("input[type=range]").all():
        slider.focus()
        page.keyboard.press("2")
    expect(wrong).to_be_visible()
    page.get_by_role("checkbox", name="Holds together").focus()
    page.keyboard.press(" ")
    page.get_by_label("In your words").fill("<script>alert(1)</script> two suns")
    page.keyboard.press("Control+Enter")
    payload = sent(page, hung, before).payload
    assert payload["wrong"] == ["coherence"]
    assert payload["text"] == "<script>alert(1)</script> two suns"


def test_undo_takes_it_back_and_shows_it_again(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    before = len(hung.answers())
    first = page.locator("figure img").get_attribute("src")
    for digit in "555555":
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    given = sent(page, hung, before)
    page.keyboard.press("z")
    taken = sent(page, hung, before + 1)
    assert taken.retracted
    assert taken.revision_of == given.id
    assert taken.subject == given.subject
    expect(page.get_by_label("Beauty")).to_have_value("5")
    assert str(page.locator("figure img").get_attribute("src")).split("?")[0] == str(first).split("?")[0]
    page.get_by_label("Beauty").focus()
    page.keyboard.press("9")
    page.get_by_role("button", name="Save the change").click()
    changed = sent(page, hung, before + 2)
    assert changed.payload["aesthetics"] == 9
    assert changed.subject == given.subject
    assert not changed.retracted


def test_an_answer_is_changed_later_as_a_revision(page: Page, hung: Hung) -> None:
    visit(page, hung, "rate")
    before = len(hung.answers())
    for digit in "444444":
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    given = sent(page, hung, before)
    page.goto(f"{hung.url}/#/picture/{given.subject}")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("slider", name="Safe to show")).to_have_value("4")
    page.get_by_role("slider", name="Safe to show").focus()
    page.keyboard.press("8")
    page.get_by_role("button", name="Save the change").click()
    changed = sent(page, hung, before + 1)
    assert changed.revision_of == given.id
    assert changed.payload["safety"] == 8
    assert changed.payload["semantics"] == 4
    expect(page.get_by_text("Safe to show: 8 of 10")).to_be_visible()


def test_stars_and_the_typo_box_by_keyboard(page: Page, starred: Hung) -> None:
    visit(page, starred, "rate")
    before = len(starred.answers())
    page.keyboard.press("4")
    page.keyboard.press("t")
    expect(page.get_by_role("checkbox", name="A word in it is misspelled")).to_be_checked()
    page.keyboard.press("Enter")
    answer = sent(page, starred, before)
    assert (answer.form, answer.payload, answer.mark) == ("stars", {"stars": 4, "typo": True}, 4)


def test_two_stars_ask_on_and_the_arrows_move_them(page: Page, starred: Hung) -> None:
    visit(page, starred, "rate")
    before = len(starred.answers())
    page.keyboard.press("1")
    page.get_by_role("radio", name="1 star").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="2 stars")).to_be_checked()
    page.get_by_role("checkbox", name="Matches the words").check()
    page.get_by_role("button", name="Give the answer").click()
    assert sent(page, starred, before).payload == {"stars": 2, "typo": False, "wrong": ["semantics"]}


def test_a_thumb_up_is_one_key_and_a_thumb_down_asks_on(page: Page, thumbed: Hung) -> None:
    visit(page, thumbed, "rate")
    before = len(thumbed.answers())
    first = str(page.locator("figure img").get_attribute("src"))
    page.keyboard.press("g")
    up = sent(page, thumbed, before)
    expect(page.locator("figure img")).not_to_have_attribute("src", first)
    assert (up.form, up.payload, up.mark) == ("thumbs", {"up": True}, 1)
    expect(page.get_by_role("button", name="I do not")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("b")
    expect(page.get_by_role("group", name="What was wrong?")).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    assert sent(page, thumbed, before + 1).payload == {"up": False, "wrong": ["subject_detail"]}


@pytest.mark.parametrize(
    ("key", "choice"), [("ArrowLeft", "left"), ("ArrowRight", "right"), ("ArrowDown", "tie"), ("ArrowUp", "both_bad")]
)
def test_duels_by_keyboard(page: Page, hung: Hung, key: str, choice: str) -> None:
    visit(page, hung, "duel")
    before = len(hung.answers())
    rules = page.get_by_role("region", name="How to decide").get_by_role("listitem")
    expect(rules).to_have_count(3)
    expect(page.get_by_role("button", name="Both bad")).to_be_enabled()
    page.keyboard.press(key)
    answer = sent(page, hung, before)
    assert (answer.kind, answer.form, answer.payload) == ("duel", "duel", {"choice": choice})


def test_an_order_by_keyboard_with_a_tie(page: Page, thumbed: Hung) -> None:
    visit(page, thumbed, "rank")
    before = len(thumbed.answers())
    page.get_by_role("button", name="Picture 1, not ranked").focus()
    for digit in "2134":
        page.keyboard.press(digit)
    page.get_by_role("radiogroup", name="Rank of picture 4").get_by_role("radio", name="3").check()
    page.keyboard.press("Enter")
    answer = sent(page, thumbed, before)
    assert (answer.kind, answer.form) == ("ranking", "rank")
    assert sorted(answer.payload["ranks"].values()) == [1, 2, 3, 3]


def test_an_order_by_touch(new_context: NewContext, starred: Hung) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    visit(page, starred, "rank")
    before = len(starred.answers())
    for place in (3, 1, 4, 2):
        page.get_by_role("button", name=f"Picture {place}, not ranked").tap()
    page.get_by_role("button", name="Give the answer").tap()
    ranks = sent(page, starred, before).payload["ranks"]
    assert sorted(ranks.values()) == [1, 2, 3, 4]


def test_sliders_by_touch_on_a_phone(new_context: NewContext, hung: Hung) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    visit(page, hung, "rate")
    before = len(hung.answers())
    slider = page.get_by_label("Matches the words")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    assert box["height"] >= 24
    # The right end of the track, less half a thumb.
    page.touchscreen.tap(box["x"] + box["width"] - 10, box["y"] + box["height"] / 2)
    expect(slider).to_have_attribute("aria-valuetext", "10 of 10")
    page.get_by_role("button", name="Give the answer").tap()
    assert sent(page, hung, before).payload == {"semantics": 10}


def test_the_gallery_is_sorted_through_by_keys(page: Page, hung: Hung) -> None:
    page.goto(f"{hung.url}/#/gallery")
    expect(page.locator("ul.grid a").first).to_be_visible()
    before = len(hung.answers())
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    first = sent(page, hung, before)
    page.keyboard.press("g")
    second = sent(page, hung, before + 1)
    assert (first.payload, second.payload) == ({"up": False}, {"up": True})
    assert first.subject != second.subject
    page.keyboard.press("z")
    assert sent(page, hung, before + 2).retracted
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Choose for comparing")
