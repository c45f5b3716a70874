"""Accounts in the browser: the first administrator, invitations, two people on one device who never mix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import until, violations
from tests.browser.hanging import Hung, again, free_port, hang
from tests.studio.running_studio import PASSWORD, studio_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    """A studio with accounts: ann and bob have pictures of their own."""
    folder = tmp_path_factory.mktemp("shared")
    settings = {"port": free_port(), "authentication": "accounts"}
    with studio_app(folder, authentication="accounts") as made:
        made.add("ada", roles=("admin",))
        for name, prompt in (("ann", "the secret of ann"), ("bob", "the secret of bob")):
            hang(made.studio, made.add(name, id=name * 8), [prompt], each=6)
    with again(folder, settings) as studio:
        yield studio


def log_in(page: Page, studio: Hung, name: str, *, password: str = PASSWORD) -> None:
    """By keyboard alone."""
    page.goto(f"{studio.url}/#/login")
    page.get_by_label("Name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def log_out(page: Page, studio: Hung) -> None:
    page.goto(f"{studio.url}/#/me/account")
    page.get_by_role("button", name="Log out", exact=True).last.click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_wrong_password_says_so_and_the_right_one_opens_the_studio(page: Page, shared: Hung) -> None:
    log_in(page, shared, "ann", password="not hers at all")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()


def test_two_people_see_nothing_of_each_other(page: Page, shared: Hung) -> None:
    log_in(page, shared, "ann")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{shared.url}/#/gallery")
    expect(page.get_by_role("img", name="the secret of ann").first).to_be_visible()
    hers = page.locator("ul.grid a").first.get_attribute("href")
    log_out(page, shared)
    assert page.evaluate("caches.keys().then((names) => names.includes('redraft-pictures'))") is False
    log_in(page, shared, "bob")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{shared.url}/#/gallery")
    expect(page.get_by_role("img", name="the secret of bob").first).to_be_visible()
    assert "the secret of ann" not in page.content()
    page.goto(f"{shared.url}/{hers}")
    expect(page.get_by_role("alert")).to_be_visible()
    assert "the secret of ann" not in page.content()


def test_what_one_person_gave_offline_is_never_sent_as_another(page: Page, shared: Hung) -> None:
    log_in(page, shared, "ann")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{shared.url}/#/rate")
    expect(page.locator("main form").first).to_be_visible()
    before = len(shared.answers("ann" * 8))
    page.route("**/api/v1/answers/bulk", lambda route: route.abort())
    for _ in range(6):
        page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits on this device")).to_be_visible()
    log_out(page, shared)
    page.unroute("**/api/v1/answers/bulk")
    log_in(page, shared, "bob")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    assert len(shared.answers("bob" * 8)) == 0
    assert len(shared.answers("ann" * 8)) == before
    log_out(page, shared)
    log_in(page, shared, "ann")
    until(page, lambda: len(shared.answers("ann" * 8)) == before + 1, "ann's answer is sent")


def test_an_administrator_invites_and_the_invited_signs_up(page: Page, shared: Hung) -> None:
    log_in(page, shared, "ada")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{shared.url}/#/operate/people")
    page.get_by_role("button", name="Make a link").click()
    notice = page.locator(".notice code")
    expect(notice).to_be_visible()
    invitation = re.search(r"#/sign-up\?invitation=.+", notice.inner_text())
    assert invitation is not None
    log_out(page, shared)
    page.goto(f"{shared.url}/{invitation[0]}")
    page.get_by_label("Name").fill("cleo")
    page.get_by_label("Password").fill("a long pass phrase")
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    assert page.request.get(f"{shared.url}/api/v1/me").json()["name"] == "cleo"


def test_erasing_needs_the_own_name_and_ends_the_session(page: Page, shared: Hung) -> None:
    page.goto(f"{shared.url}/#/login")
    log_in(page, shared, "bob")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{shared.url}/#/me/data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    assert download.value.suggested_filename.endswith(".zip")
    page.get_by_role("button", name="Erase everything").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Erase everything")
    expect(confirm).to_be_disabled()
    page.get_by_label("Type your name").fill("bob")
    confirm.click()
    expect(page.get_by_text("Receipt")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert shared.answers("bob" * 8) == ()


def test_the_first_administrator_is_made_in_the_browser(page: Page, tmp_path: Path) -> None:
    settings = {"port": free_port(), "authentication": "accounts"}
    with again(tmp_path, settings) as studio:
        found = re.search(r"#/setup\?token=[^\s\"']+", studio.running.log.read_text())
        assert found is not None, studio.running.log.read_text()[-2000:]
        page.goto(f"{studio.url}/#/login")
        expect(page.get_by_text("no account yet")).to_be_visible()
        page.goto(f"{studio.url}/{found[0]}")
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill("a long pass phrase")
        page.keyboard.press("Enter")
        expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
        assert page.request.get(f"{studio.url}/api/v1/me").json()["roles"] == ["admin"]
