"""Rating without a server: kept on the device, sent once when it is back, by whom they were given, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import until
from tests.browser.hanging import Hung, again, hung_studio

pytestmark = pytest.mark.browser


def rate(page: Page, digit: str) -> None:
    """Fill six sliders and give the answer; the next picture comes."""
    before = page.locator("figure img").get_attribute("src")
    for _ in range(6):
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    expect(page.locator("figure img")).not_to_have_attribute("src", str(before))


def waiting(page: Page) -> int:
    """How many answers wait in the browser's database."""
    return int(
        page.evaluate(
            """() => new Promise((resolve) => {
              const opening = indexedDB.open('redraft', 1);
              opening.onsuccess = () => {
                const counting = opening.result.transaction('outbox').objectStore('outbox').count();
                counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
              };
            })"""
        )
    )


def settle(page: Page) -> None:
    """Wait until the worker controls the page and the pictures of the queue are kept."""
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.reload()
    expect(page.locator("main form").first).to_be_visible()
    page.wait_for_function("caches.open('redraft-pictures').then((c) => c.keys()).then((k) => k.length >= 8)")


def test_the_server_dies_while_a_person_rates(context: BrowserContext, tmp_path: Path) -> None:
    page = context.new_page()
    with hung_studio(tmp_path) as studio:
        settings = studio.settings
        page.goto(f"{studio.url}/#/rate")
        expect(page.locator("main form").first).to_be_visible()
        settle(page)
        rate(page, "7")
        until(page, lambda: len(studio.answers()) == 1, "the answer arrives")
        studio.running.kill()
        rate(page, "3")
        expect(page.get_by_text("answer waits on this device")).to_be_visible()
        rate(page, "4")
        # The page itself opens without a server, shows a kept picture and still has what was given.
        page.reload()
        expect(page.get_by_text("2 answers wait on this device")).to_be_visible()
        assert page.locator("figure img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 64
        rate(page, "5")
        assert waiting(page) == 3
    with again(tmp_path, settings) as studio:
        page.evaluate("dispatchEvent(new Event('online'))")
        until(page, lambda: len(studio.answers()) == 4, "the four answers arrive")
        expect(page.get_by_text("will be sent once")).to_have_count(0)
        assert waiting(page) == 0
        page.wait_for_timeout(300)
        answers = studio.answers()
        assert [answer.payload["semantics"] for answer in answers] == [7, 3, 4, 5]
        assert len({answer.id for answer in answers}) == len({answer.subject for answer in answers}) == 4
        # Nothing is sent again by a later visit.
        page.reload()
        expect(page.locator("main form").first).to_be_visible()
        page.wait_for_timeout(300)
        assert len(studio.answers()) == 4


def test_an_acknowledgement_that_is_lost_makes_no_second_answer(page: Page, hung: Hung) -> None:
    lost = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        # The server stores the answer, and the word that it did never arrives.
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/api/v1/answers/bulk", lose)
    before = len(hung.answers())
    page.goto(f"{hung.url}/#/rate")
    expect(page.locator("main form").first).to_be_visible()
    for _ in range(6):
        page.keyboard.press("6")
    page.keyboard.press("Enter")
    until(page, lambda: len(hung.answers()) == before + 1, "the answer arrives")
    until(page, lambda: bool(lost), "the server's word is lost")
    assert lost == [200]
    page.evaluate("dispatchEvent(new Event('online'))")
    until(page, lambda: waiting(page) == 0, "nothing waits any more")
    assert len(hung.answers()) == before + 1


def test_an_answer_that_the_server_refuses_says_why_and_stops_nothing(page: Page, hung: Hung) -> None:
    page.goto(f"{hung.url}/#/rate")
    expect(page.locator("main form").first).to_be_visible()
    before = len(hung.answers())
    # A picture that was erased meanwhile: its answer can never be taken.
    page.evaluate(
        """() => new Promise((resolve) => {
          const opening = indexedDB.open('redraft', 1);
          opening.onsuccess = () => {
            const id = '01890000-0000-7000-8000-000000000001';
            const item = { id, kind: 'picture', subject: 'gone', form: 'sliders', payload: { semantics: 1 },
              token: null, revision_of: null, retracted: false, created_at: new Date().toISOString(), lead_ms: null };
            const store = opening.result.transaction('outbox', 'readwrite').objectStore('outbox');
            store.put({ id, person: 'local', item, queued: 0 }).onsuccess = resolve;
          };
        })"""
    )
    for _ in range(6):
        page.keyboard.press("8")
    page.keyboard.press("Enter")
    until(page, lambda: len(hung.answers()) == before + 1, "the answer arrives")
    expect(page.get_by_text("One answer was not taken")).to_be_visible()
    assert waiting(page) == 0
