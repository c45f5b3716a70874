"""Trials in the browser: trying what is not finished, a pair that waits, both sides at one moment, how it stands.

The engine is the real one, for the page of models asks it; nothing is painted with it. The challenger is a few bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from redraft.store.raters import GoldResult
from redraft.store.workspace import Workspace
from redraft.studio.identity.roles import scopes_of
from redraft.studio.trials import draw_trial
from tests.browser.conftest import PHONE, NewContext, until, violations, watch
from tests.browser.hanging import hang, painted_png
from tests.studio.painted import Member, clock_of, member
from tests.studio.running_studio import PASSWORD, Clock, RunningStudio, StudioApp, start_studio, studio_app
from tests.studio.trial_steps import BASE, checkpoint, finish, gold, request_of, vote

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DAY = 86_400.0
VOTERS = 12


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A running studio in whose workspace a challenger is being tried."""

    running: RunningStudio
    challenger: str

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.running.url


def account(made: StudioApp, name: str, *, roles: tuple[str, ...] = ()) -> Member:
    """An account that logs in with PASSWORD, and acts by a key until the server runs."""
    id = made.add(name, roles=roles)
    return Member(id=id, name=name, client=made.program(made.key(name, *sorted(scopes_of(roles)))), studio=made.studio)


def put_gold(mo: Member, *, answered_by: Member) -> None:
    """Two known answers: one that two of three answers met, and one that nobody was shown yet."""
    hang(mo.studio, mo.id, ["a table of mo", "a chair of mo"], each=1)
    for place, exhibit in enumerate(mo.studio.workspace.gallery.page(mo.id, limit=2).exhibits):
        expected = {"semantics": {"least": 6, "most": 8}}
        body = {"picture": exhibit.painting.id, "form": "sliders", "expected": expected}
        item = mo.client.put("/api/v1/gold", json=body).json()["id"]
        for number in range(0 if place else 3):
            result = GoldResult(
                answer=f"answer {number}", item=item, user=answered_by.id, passed=number > 0, at=mo.studio.now()
            )
            mo.studio.workspace.raters.note_gold(result)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """Twelve people preferred the challenger; for ann and for bob a pair waits. Ann has the tier Gold, bob none."""
    folder = tmp_path_factory.mktemp("tried")
    settings: dict[str, Any] = {
        "authentication": "accounts", "trials": {"share": 1.0},
        "asks": {"warm_up": 0, "daily_budget": 20, "session_cap": 20},
    }  # fmt: skip
    with studio_app(folder, clock=Clock(time.time() - 20 * DAY), **settings) as made:
        account(made, "ada", roles=("operator",))
        mo, ann, bob = account(made, "mo", roles=("moderator",)), account(made, "ann"), account(made, "bob")
        challenger = checkpoint(made, "challenger")
        for _ in range(VOTERS):
            vote(member(made), "candidate")
        put_gold(mo, answered_by=bob)
        clock_of(made).forward(20 * DAY)
        gold(ann)
        rng = np.random.default_rng(3)
        for person in (ann, bob):
            asked = request_of(person, prompt="a red star left of a blue circle")
            for request in draw_trial(person.studio, person.person, asked):
                picture = made.studio.workspace.pictures.put(painted_png(rng), at=made.studio.now())
                finish(person, request, shade=1, picture=picture)
    with start_studio(folder, **settings) as running:
        yield Tried(running=running, challenger=challenger)


def enter(page: Page, tried: Tried, name: str, view: str) -> None:
    """Log in and go to a view."""
    page.goto(f"{tried.url}/#/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{tried.url}/#/{view}")


def press(page: Page, name: str, *, role: Any = "button") -> None:
    """By the keyboard."""
    page.get_by_role(role, name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_who_has_the_perk_switches_trying_on_and_off(page: Page, tried: Tried) -> None:
    enter(page, tried, "ann", "me/asking")
    switch = page.get_by_role("checkbox", name="Let me try them")
    expect(switch).not_to_be_checked()
    models = f"{tried.url}/api/v1/models"
    assert page.request.get(models).json()["may_try"] is False
    switch.focus()
    with page.expect_response("**/api/v1/me"):
        page.keyboard.press("Space")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert page.request.get(models).json()["may_try"] is True
    assert violations(page) == []
    page.goto(f"{tried.url}/#/make")
    page.get_by_text("Options").click()
    expect(page.get_by_label("Model")).to_contain_text("Challenger")
    page.goto(f"{tried.url}/#/me/asking")
    switch.focus()
    # What was saved before may still be said.
    with page.expect_response("**/api/v1/me"):
        page.keyboard.press("Space")
    expect(switch).not_to_be_checked()
    assert page.request.get(models).json()["may_try"] is False
    page.goto(f"{tried.url}/#/make")
    page.get_by_text("Options").click()
    expect(page.get_by_label("Model")).not_to_contain_text("Challenger")


@pytest.mark.parametrize(("name", "words"), [("bob", "A perk of the tier Gold"), ("ada", "you may always")])
def test_others_are_told_why_there_is_no_switch(page: Page, tried: Tried, name: str, words: str) -> None:
    enter(page, tried, name, "me/asking")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_role("checkbox", name="Let me try them")).to_have_count(0)


def test_both_sides_of_a_pair_appear_at_one_moment_and_nothing_moves(new_context: NewContext, tried: Tried) -> None:
    # A service worker would fetch the pictures where no test can hold them up.
    page = new_context(service_workers="block").new_page()
    enter(page, tried, "ann", "make")
    held: list[Route] = []
    page.route("**/api/v1/pictures/**", lambda route: held.append(route))
    page.goto(f"{tried.url}/#/duel")
    figures = page.locator(".pair figure")
    expect(figures).to_have_count(2)
    until(page, lambda: len(held) == 2, "both pictures are asked for")

    def seen() -> list[str]:
        shown: list[str] = figures.locator("img").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).visibility)"
        )
        return shown

    before = page.evaluate("[...document.querySelectorAll('main *')].map((one) => one.getBoundingClientRect().top)")
    for side in ("Left", "Right"):
        expect(page.get_by_role("button", name=side, exact=False).first).to_be_disabled()
    # Whichever comes first, it is not shown before the other one.
    held.pop().continue_()
    page.wait_for_timeout(400)
    assert seen() == ["hidden", "hidden"]
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert page.get_by_text("Kept.").count() == 0
    held.pop().continue_()
    expect(figures.locator("img").first).to_be_visible()
    assert seen() == ["visible", "visible"]
    after = page.evaluate("[...document.querySelectorAll('main *')].map((one) => one.getBoundingClientRect().top)")
    assert after == before
    assert violations(page) == []


def test_a_side_that_cannot_be_loaded_lets_nobody_judge(new_context: NewContext, tried: Tried) -> None:
    page = new_context(service_workers="block").new_page()
    enter(page, tried, "ann", "make")
    page.goto("about:blank")  # so that the picture lost is one of the pair, not one that the first view still loads
    lost = iter((True, False))
    page.route("**/api/v1/pictures/*", lambda route: route.abort() if next(lost, False) else route.continue_())
    page.goto(f"{tried.url}/#/duel")
    expect(page.get_by_text("This picture cannot be loaded now.")).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.get_by_role("button", name="Both bad")).to_be_disabled()


def test_a_pair_that_waits_is_found_and_judged_by_keyboard_alone(new_context: NewContext, tried: Tried) -> None:
    page = new_context(color_scheme="dark").new_page()
    broken = watch(page)
    enter(page, tried, "bob", "make")
    link = page.get_by_role("link", name="Duel 1 waits")
    expect(link).to_be_visible()
    expect(page.get_by_text("Two models painted your words.")).to_be_visible()
    assert violations(page) == []
    press(page, "Which is better?", role="link")
    expect(page.get_by_role("button", name="Both bad")).to_be_enabled()
    # Nothing on the page tells which is which.
    assert tried.challenger[:8] not in page.content()
    assert "hallenger" not in page.locator("main").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Kept.")).to_be_visible()
    expect(link).to_have_count(0)
    assert page.request.get(f"{tried.url}/api/v1/asks/pending").json()["duel"] is False
    assert broken == []


def test_a_phone_shows_that_a_pair_waits(new_context: NewContext, tried: Tried) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = context.new_page()
    enter(page, tried, "ann", "make")
    page.get_by_role("button", name="More A duel waits").tap()
    page.get_by_role("dialog", name="More").get_by_role("link", name="Duel 1 waits").tap()
    expect(page.locator(".pair figure")).to_have_count(2)
    assert violations(page) == []


def test_a_pair_that_was_skipped_is_said_to_be_open_and_shown_again(page: Page, tried: Tried) -> None:
    enter(page, tried, "ann", "duel")
    figures = page.locator(".pair figure")
    expect(figures).to_have_count(2)
    page.get_by_role("button", name="Skip", exact=False).click()
    expect(page.get_by_role("heading", name="Nothing else is waiting")).to_be_visible()
    expect(page.get_by_text("What you skipped is still open.")).to_be_visible()
    assert violations(page) == []
    press(page, "Show it again")
    expect(figures).to_have_count(2)
    expect(page.get_by_role("button", name="Both bad")).to_be_enabled()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_operator_sees_how_the_trial_stands(new_context: NewContext, tried: Tried, theme: str) -> None:
    page = new_context(color_scheme=theme).new_page()
    broken = watch(page)
    enter(page, tried, "ada", "models")
    card = page.get_by_role("region", name="Do people prefer the challenger?")
    expect(card.get_by_text("not decided yet")).to_be_visible()
    expect(card.get_by_text("100% prefer it")).to_be_visible()
    standing = page.request.get(f"{tried.url}/api/v1/models/duels").json()["trial"]
    assert standing["people"] >= VOTERS
    expect(card.locator("dd").first).to_have_text(str(standing["people"]))
    expect(card.get_by_text(f"only {standing['people']} people have voted, 50 are needed")).to_be_visible()
    # People have not decided it: nothing offers to go live "as people say".
    expect(card.get_by_role("button", name="Make it live, as people say")).to_have_count(0)
    assert violations(page) == []
    assert broken == []


def test_a_trial_is_ended_and_that_undone(page: Page, tried: Tried) -> None:
    enter(page, tried, "ada", "models")
    press(page, "End the trial")
    expect(page.get_by_text("Ended: nobody is asked any more.")).to_be_visible()
    expect(page.get_by_text("No candidate is being tried.")).to_be_visible()
    with Workspace.open(tried.running.workspace) as space:
        assert space.aliases.current(BASE, "challenger") is None
    page.keyboard.press("z")
    card = page.get_by_role("region", name="Do people prefer the challenger?")
    expect(card).to_be_visible()
    # It goes on where it was.
    expect(card.locator("dd").first).not_to_have_text("0")


def test_members_see_no_trial(page: Page, tried: Tried) -> None:
    enter(page, tried, "ann", "models")
    expect(page.get_by_role("heading", name="What was live when")).to_be_visible()
    expect(page.get_by_role("region", name="Do people prefer the challenger?")).to_have_count(0)


def test_known_answers_are_listed_and_retired(page: Page, tried: Tried) -> None:
    enter(page, tried, "mo", "operate/gold")
    rows = page.locator("main li")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("2 of 3 answers were right")).to_be_visible()
    expect(page.get_by_text("Nobody has answered yet")).to_be_visible()
    expect(page.get_by_text("Matches the words: 6 to 8").first).to_be_visible()
    assert violations(page) == []
    rows.first.get_by_role("button", name="Retire it").focus()
    page.keyboard.press("Enter")
    expect(rows.first.get_by_text("retired")).to_be_visible()
    listed = page.request.get(f"{tried.url}/api/v1/gold").json()["gold"]
    assert [row["active"] for row in listed].count(False) == 1


def test_nothing_of_it_scrolls_sideways_on_a_phone_nor_fails_in_the_dark(new_context: NewContext, tried: Tried) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark", reduced_motion="reduce")
    found: dict[str, Any] = {}
    for name, views in (("ada", ("models",)), ("mo", ("operate/gold", "operate")), ("ann", ("me/asking", "make"))):
        page = context.new_page()
        enter(page, tried, name, views[0])
        for view in views:
            page.goto(f"{tried.url}/#/{view}")
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(150)
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if over > 0 or violations(page):
                found[view] = (over, violations(page))
        context.clear_cookies()
    assert found == {}
