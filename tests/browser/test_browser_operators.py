"""What operators, moderators, administrators and hosts do in the browser: by keyboard where it counts.

The pictures are rendered, not painted; a run's folder holds what a run leaves there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from redraft.store.workspace import Workspace
from redraft.studio.studying import NewPair, StudyPlan, create_study
from tests.browser.conftest import PHONE, NewContext, until, violations, watch
from tests.browser.hanging import Hung, again, free_port, hang
from tests.store.studio_rows import png
from tests.studio.running_studio import PASSWORD, studio_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hung]:
    """A studio with an administrator (ada), a moderator (mo), a member with a blurred picture (ann), and a study."""
    folder = tmp_path_factory.mktemp("staffed")
    settings = {"port": free_port(), "authentication": "accounts"}
    with studio_app(folder, authentication="accounts") as made:
        space, now = made.studio.workspace, made.studio.now()
        hang(made.studio, made.add("ada", roles=("admin",), id="ada" * 8), ["a table of ada"], each=6)
        made.add("mo", roles=("moderator",))
        hang(made.studio, made.add("ann", id="ann" * 8), ["a bath of ann"], each=2)
        made.add("bob", id="bob" * 8)
        for painting in space.gallery.page("ann" * 8, limit=1).exhibits:
            space.gallery.set_safety(painting.painting.id, "blurred", reason="it may show skin")
        pairs = [
            NewPair(
                prompt=f"a cat {n}", first=png(2 * n + 1), second=png(2 * n), first_system="new", second_system="old"
            )
            for n in range(4)
        ]
        plan = StudyPlan(each=4, repeats=0, introduction="Take your time.")
        create_study(space, pairs, title="Tuesday's candidate", plan=plan, owner=None, at=now)
    with again(folder, settings) as studio:
        yield studio


def enter(page: Page, studio: Hung, name: str, view: str) -> None:
    """Log in and go to a view."""
    page.goto(f"{studio.url}/#/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Views").first).to_be_visible()
    page.goto(f"{studio.url}/#/{view}")


def press(page: Page, name: str) -> None:
    """Press a button by the keyboard."""
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_an_appeal_is_decided_and_nothing_blurred_is_shown_unasked(new_context: NewContext, staffed: Hung) -> None:
    ann = new_context().new_page()
    enter(ann, staffed, "ann", "gallery")
    blurred = ann.request.get(f"{staffed.url}/api/v1/gallery").json()["pictures"]
    (hers,) = [picture["id"] for picture in blurred if picture["blurred"]]
    ann.goto(f"{staffed.url}/#/picture/{hers}")
    press(ann, "Appeal")
    ann.get_by_label("Why?").fill("it is a bath tub <script>alert(1)</script>")
    press(ann, "Send")
    expect(ann.get_by_text("Sent to a person.")).to_be_visible()

    page = new_context().new_page()
    broken = watch(page)
    enter(page, staffed, "mo", "operate")
    expect(page.get_by_text("it may show skin")).to_be_visible()
    expect(page.get_by_text("it is a bath tub <script>")).to_be_visible()
    picture = page.locator("main li img")
    assert "blur" in picture.evaluate("(one) => getComputedStyle(one).filter")
    assert violations(page) == []
    press(page, "Look at it")
    assert picture.evaluate("(one) => getComputedStyle(one).filter") == "none"
    press(page, "Show it as it is")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    assert ann.request.get(f"{staffed.url}/api/v1/gallery/{hers}").json()["blurred"] is False
    # A moderator sees no other page of those who look after the server.
    page.goto(f"{staffed.url}/#/operate/audit")
    expect(page.get_by_text("people with another role")).to_be_visible()
    assert broken == []


def test_a_study_is_taken_part_in_and_its_table_is_read(new_context: NewContext, staffed: Hung) -> None:
    page = new_context().new_page()
    enter(page, staffed, "bob", "study")
    page.get_by_role("link", name="Take part").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Take your time.")).to_be_visible()
    for _ in range(8):
        # A key counts once both pictures are there.
        before = page.locator("main").inner_text()
        for _ in range(40):
            page.keyboard.press("ArrowLeft")
            page.wait_for_timeout(50)
            if page.locator("main").inner_text() != before:
                break
    expect(page.get_by_text("That was all. Thank you.")).to_be_visible()

    ada = new_context().new_page()
    broken = watch(ada)
    enter(ada, staffed, "ada", "operate/studies")
    ada.get_by_role("link", name="Tuesday's candidate").click()
    table = ada.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("cell", name="faithfulness")).to_be_visible()
    expect(table.get_by_role("cell", name="needs two people").first).to_be_visible()
    assert violations(ada) == []
    press(ada, "Make links")
    links = ada.get_by_label("The links, one for each person")
    expect(links).to_be_visible()
    assert len(links.input_value().splitlines()) == 10
    guest = new_context().new_page()
    guest.goto(links.input_value().splitlines()[0])
    expect(guest.get_by_role("button", name="The left picture")).to_be_visible()
    press(ada, "Close it")
    expect(ada.get_by_text("Closed: no answer is taken")).to_be_visible()
    expect(ada.get_by_role("button", name="Make links")).to_have_count(0)
    assert broken == []


def test_a_study_needs_words_and_says_when_both_sides_would_be_the_same(page: Page, staffed: Hung) -> None:
    enter(page, staffed, "ada", "operate/studies")
    begin = page.get_by_role("button", name="Paint and begin")
    expect(begin).to_be_disabled()
    page.get_by_label("What to paint").fill("a red star\n\n a red star \nthree cats")
    changing = page.get_by_label("Title").evaluate(
        """async (title) => {
            title.value = "Stars";
            title.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise(requestAnimationFrame);
            return document.querySelector("button[type=submit]").getAnimations().length;
        }"""
    )
    expect(begin).to_be_enabled()
    assert changing == 0, "the words of a button that becomes usable stand on the colour of one that is not"
    assert violations(page) == []


def test_members_of_a_session_judge_what_the_host_lays_out(new_context: NewContext, staffed: Hung) -> None:
    host = new_context().new_page()
    broken = watch(host)
    enter(host, staffed, "ada", "rooms")
    host.get_by_label("What is it about?").fill("tables")
    host.keyboard.press("Enter")
    expect(host.get_by_text("The table is empty")).to_be_visible()
    mine = host.get_by_role("list", name="Your pictures").get_by_role("button")
    for place in (0, 1):
        mine.nth(place).focus()
        host.keyboard.press("Space")
    press(host, "Lay out 2")
    expect(host.get_by_role("list", name="On the table").get_by_role("button")).to_have_count(2)
    host.get_by_label("Invite, by the names").fill("nobody here")
    host.keyboard.press("Enter")
    expect(host.get_by_text("nobody here is called")).to_be_visible()
    host.get_by_label("Invite, by the names").fill("ann, bob")
    host.keyboard.press("Enter")
    expect(host.get_by_text("ada, ann, bob")).to_be_visible()
    assert violations(host) == []

    guest = new_context().new_page()
    enter(guest, staffed, "ann", "rooms")
    guest.get_by_role("link", name="Open tables").focus()
    guest.keyboard.press("Enter")
    before = len(staffed.answers("ann" * 8))
    expect(guest.locator("main form").first).to_be_visible()
    for _ in range(2):
        shown = str(guest.locator("main figure img").get_attribute("src"))
        for _ in range(6):
            guest.keyboard.press("7")
        guest.keyboard.press("Enter")
        # The next picture, or none and the word that it was all.
        expect(guest.locator(f"main figure img[src='{shown}']")).to_have_count(0)
    expect(guest.get_by_text("You have said what you think of all of them")).to_be_visible()
    until(guest, lambda: len(staffed.answers("ann" * 8)) == before + 2, "both answers arrive")
    press(host, "End the session")
    expect(host.get_by_text("ended", exact=True)).to_be_visible()
    assert broken == []


def test_an_administrator_gives_a_role_and_reads_it_in_the_log(page: Page, staffed: Hung) -> None:
    enter(page, staffed, "ada", "operate/people")
    role = page.get_by_label("Role of bob")
    role.select_option("operator")
    expect(page.get_by_text("Changed.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("row").filter(has_text="role").filter(has_text="bob" * 8).first).to_be_visible()
    assert violations(page) == []


def test_a_known_answer_is_put_in_and_retired(page: Page, staffed: Hung) -> None:
    enter(page, staffed, "ada", "gallery")
    picture = page.request.get(f"{staffed.url}/api/v1/gallery?limit=1").json()["pictures"][0]["id"]
    page.goto(f"{staffed.url}/#/picture/{picture}")
    page.get_by_text("Use it to check how people rate").click()
    page.get_by_role("group").get_by_label("Matches the words").focus()
    for _ in range(6):
        page.keyboard.press("8")
    page.keyboard.press("Enter")
    expect(page.get_by_text("in use", exact=True)).to_be_visible()
    kept = page.request.get(f"{staffed.url}/api/v1/gold/{picture}").json()
    assert kept["expected"]["semantics"] == {"least": 6, "most": 10}
    press(page, "Retire it")
    expect(page.get_by_text("retired", exact=True)).to_be_visible()


def test_what_one_likes_is_told_and_answers_train_only_when_allowed(page: Page, staffed: Hung) -> None:
    enter(page, staffed, "bob", "rate")
    press(page, "Allow it")
    expect(page.get_by_role("button", name="Allow it")).to_have_count(0)
    assert page.request.get(f"{staffed.url}/api/v1/me").json()["consent"]["improve"] is True
    page.goto(f"{staffed.url}/#/me")
    expect(page.get_by_role("heading", name="Your taste")).to_be_visible()


def test_a_run_is_started_watched_and_stopped_from_the_page(page: Page, hung: Hung) -> None:
    page.goto(f"{hung.url}/#/runs")
    page.get_by_label("How much").select_option("short")
    press(page, "Start")
    expect(page.get_by_text("queued", exact=True)).to_be_visible()
    run = page.url.rsplit("/", 1)[1]
    with Workspace.open(hung.folder / "workspace") as space:
        job = space.jobs.claim(["improve"], worker="worker", at=time.time())
        assert job is not None
        assert job.id == run
    press(page, "Stop")
    expect(page.get_by_role("button", name="Stopping")).to_be_disabled()


def test_curves_and_pictures_of_a_run_are_shown(page: Page, hung: Hung) -> None:
    with Workspace.open(hung.folder / "workspace") as space:
        run = "improve-0001"
        space.runs.create(run, kind="improve", config="{}", at=1.0)
        lines = [json.dumps({"name": "loss", "step": step, "value": 1 / step}) for step in range(1, 20)]
        space.stage_files.save(run, "curves.jsonl", ("\n".join(lines) + "\n").encode())
        space.stage_files.save(run, "examined.json", json.dumps({"grid": ["a red star"], "prompts": []}).encode())
        for side, shade in (("before", 3), ("after", 9)):
            space.stage_files.save(run, f"grid/0-{side}.png", png(shade))
        space.runs.set_status(run, "failed", at=2.0, result="")
    page.goto(f"{hung.url}/#/runs/improve-0001")
    expect(page.get_by_role("img", name="loss: 19 points")).to_be_visible()
    after = page.get_by_role("img", name="After: a red star")
    after.scroll_into_view_if_needed()
    assert after.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    assert violations(page) == []


def test_nothing_of_it_scrolls_sideways_on_a_phone_nor_fails_in_the_dark(
    new_context: NewContext, staffed: Hung
) -> None:
    context = new_context(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark", reduced_motion="reduce")
    page = context.new_page()
    enter(page, staffed, "ada", "operate")
    wide, found = {}, {}
    for view in ("operate", "operate/studies", "operate/people", "operate/audit", "rooms", "study"):
        page.goto(f"{staffed.url}/#/{view}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(150)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            wide[view] = over
        bad = violations(page)
        if bad:
            found[view] = bad
    assert wide == {}
    assert found == {}
