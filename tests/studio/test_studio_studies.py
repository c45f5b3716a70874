"""Blind studies over HTTP: invited and with accounts, nothing told that could sway, answers once, the table."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from redraft.core.errors import UsageError
from redraft.store.studies import Study
from redraft.studio.studying import NewPair, StudyPlan, create_study
from tests.studio.painted import paint
from tests.studio.running_studio import Clock, StudioApp, accounts_app, studio_app

WHEN = "2027-01-15T08:00:00Z"


def picture(shade: int, *, secret: str = "") -> bytes:
    """A small picture whose file says where it is from."""
    facts = PngInfo()
    facts.add_text("model", secret)
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), (shade, shade, 0)).save(buffer, format="PNG", pnginfo=facts)
    return buffer.getvalue()


def pairs(count: int) -> list[NewPair]:
    """Pair n: the new system's picture is brighter by 1."""
    return [
        NewPair(
            prompt=f"a cat number {n}", first=picture(2 * n + 1, secret="new system"), second=picture(2 * n),
            first_system="new system", second_system="old system",
        )
        for n in range(count)
    ]  # fmt: skip


def study_of(running: StudioApp, *, count: int = 6, each: int = 4, repeats: int = 1, **plan: Any) -> Study:
    made = StudyPlan(each=each, repeats=repeats, introduction="Take your time.", **plan)
    return create_study(
        running.studio.workspace, pairs(count), title="Cats", plan=made, owner=None, at=running.studio.now()
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StudioApp]:
    with accounts_app(tmp_path, clock=Clock()) as running:
        yield running


def shade_at(client: TestClient, side: dict[str, Any]) -> int:
    answer = client.get(side["url"])
    assert answer.status_code == 200, answer.text
    return int(Image.open(io.BytesIO(answer.content)).getpixel((0, 0))[0])


def choose(client: TestClient, study: str, shown: dict[str, Any], choice: str) -> list[str]:
    sent = [
        {"assignment": shown["assignment"], "question": question["name"], "choice": choice, "created_at": WHEN}
        for question in shown["questions"]
    ]  # fmt: skip
    answer = client.post(f"/api/v1/studies/{study}/answers", json={"answers": sent})
    assert answer.status_code == 200, answer.text
    return [outcome["status"] for outcome in answer.json()["outcomes"]]


def judge_all(client: TestClient, study: str, *, prefers_new: bool = True) -> list[dict[str, Any]]:
    """Take part to the end, always choosing the picture of one system; returns what was shown."""
    seen = []
    while (shown := client.get(f"/api/v1/studies/{study}/next").json()["pair"]) is not None:
        # The new system's pictures have odd shades.
        left_is_new = shade_at(client, shown["left"]) % 2 == 1
        choice = "left" if left_is_new == prefers_new else "right"
        assert choose(client, study, shown, choice) == ["stored", "stored"]
        seen.append({**shown, "left_is_new": left_is_new})
    return seen


def test_a_person_takes_part_to_the_end(running: StudioApp) -> None:
    study = study_of(running)
    with running.browser("ann") as ann:
        (view,) = ann.get("/api/v1/studies").json()["studies"]
        assert (view["id"], view["title"], view["introduction"]) == (study.id, "Cats", "Take your time.")
        assert (view["given"], view["answered"]) == (0, 0)
        assert [question["name"] for question in view["questions"]] == ["appeal", "faithfulness"]
        first = ann.get(f"/api/v1/studies/{study.id}/next").json()
        assert first == ann.get(f"/api/v1/studies/{study.id}/next").json() | {"pair": first["pair"]}
        assert (first["study"]["given"], first["pair"]["place"], first["pair"]["of"]) == (5, 0, 5)
        assert (first["pair"]["left"]["width"], first["pair"]["left"]["height"]) == (6, 4)
        seen = judge_all(ann, study.id)
        assert [shown["place"] for shown in seen] == [0, 1, 2, 3, 4]
        # Four pairs, one of them again in the second half, the other way round.
        prompts = [shown["prompt"] for shown in seen]
        (twice,) = {prompt for prompt in prompts if prompts.count(prompt) == 2}
        one, two = (shown for shown in seen if shown["prompt"] == twice)
        assert one["left_is_new"] != two["left_is_new"]
        (view,) = ann.get("/api/v1/studies").json()["studies"]
        assert (view["given"], view["answered"]) == (5, 5)


def test_nothing_that_a_participant_gets_names_a_system_or_a_file(running: StudioApp) -> None:
    study = study_of(running)
    files = {id for pair in running.studio.workspace.studies.pairs(study.id) for id in (pair.first, pair.second)}
    with running.browser("ann") as ann:
        answer = ann.get(f"/api/v1/studies/{study.id}/next")
        shown = answer.json()["pair"]
        told = [ann.get("/api/v1/studies"), answer, ann.get(shown["left"]["url"]), ann.get(shown["right"]["url"])]
        for sent in told:
            text = sent.content.decode("latin-1") + json.dumps(dict(sent.headers))
            assert "system" not in text
            assert not any(id in text for id in files)
            assert "etag" not in sent.headers
        # What stood in the file beside the pixels is gone.
        assert Image.open(io.BytesIO(told[2].content)).info == {}


def test_the_first_choice_stays_however_often_it_is_sent(running: StudioApp) -> None:
    study = study_of(running)
    with running.browser("ann") as ann:
        shown = ann.get(f"/api/v1/studies/{study.id}/next").json()["pair"]
        (one, two) = shown["questions"]
        assert choose(ann, study.id, {**shown, "questions": [one]}, "left") == ["stored"]
        # Only the open question is asked on.
        assert ann.get(f"/api/v1/studies/{study.id}/next").json()["pair"]["questions"] == [two]
        assert choose(ann, study.id, shown, "right") == ["known", "stored"]
        assert choose(ann, study.id, shown, "left") == ["known", "known"]
    results = running.studio.workspace.studies.results(study.id)
    assert {result.question: result.chose_first != result.swapped for result in results} == {
        "appeal": True, "faithfulness": False,
    }  # fmt: skip


def test_choices_that_cannot_be_are_refused_one_by_one(running: StudioApp) -> None:
    study = study_of(running)
    with running.browser("ann") as ann, running.browser("bob") as bob:
        shown = ann.get(f"/api/v1/studies/{study.id}/next").json()["pair"]
        good = {"assignment": shown["assignment"], "question": "appeal", "choice": "left", "created_at": WHEN}
        wrong = ({"question": "size"}, {"assignment": "absent"}, {"created_at": "yesterday"})
        sent = [*({**good, **change} for change in wrong), {**good, "lead_ms": 900}]
        answer = ann.post(f"/api/v1/studies/{study.id}/answers", json={"answers": sent})
        assert [(item["status"], item["code"]) for item in answer.json()["outcomes"]] == [
            ("refused", "invalid_value"), ("refused", "not_found"), ("refused", "invalid_value"), ("stored", ""),
        ]  # fmt: skip
        # Bob cannot answer for ann, and a tie is no answer.
        foreign = bob.post(f"/api/v1/studies/{study.id}/answers", json={"answers": [good]})
        assert foreign.json()["outcomes"][0]["code"] == "not_found"
        tie = ann.post(f"/api/v1/studies/{study.id}/answers", json={"answers": [{**good, "choice": "tie"}]})
        assert tie.status_code == 400


def test_the_picture_link_is_for_one_side_and_for_a_while(running: StudioApp) -> None:
    study = study_of(running)
    clock = running.studio.clock
    assert isinstance(clock, Clock)
    with running.browser("ann") as ann, running.browser() as nobody:
        shown = ann.get(f"/api/v1/studies/{study.id}/next").json()["pair"]
        url = shown["left"]["url"]
        assert nobody.get(url).status_code == 200, "an <img> sends no key"
        assert nobody.get(url.replace("/left.png", "/right.png")).status_code == 403
        assert nobody.get(url.split("?")[0]).status_code == 404
        clock.forward(3601)
        assert nobody.get(url).json()["error"]["code"] == "token_expired"


def test_a_link_makes_a_participant_who_may_do_nothing_else(running: StudioApp) -> None:
    study = study_of(running, accounts=False)
    other = study_of(running)
    with running.browser("ada") as ada, running.browser("ann") as ann, running.browser() as nobody:
        assert [view["id"] for view in ann.get("/api/v1/studies").json()["studies"]] == [other.id]
        assert ann.get(f"/api/v1/studies/{study.id}/next").status_code == 404
        made = ada.post(f"/api/v1/studies/{study.id}/invitations", json={"count": 2, "days": 3})
        assert made.status_code == 201, made.text
        one, two = made.json()["links"]
        assert one.startswith("http://127.0.0.1:8188/#/study?invitation=")
        invitation = one.split("invitation=")[1]
        joined = nobody.post("/api/v1/studies/join", json={"invitation": invitation})
        assert joined.status_code == 201, joined.text
        assert joined.json()["study"]["given"] == 5
        with running.program(joined.json()["key"]) as participant:
            views = participant.get("/api/v1/studies").json()["studies"]
            assert [view["id"] for view in views] == [study.id], "only what they were invited to"
            for path in ("/api/v1/gallery", "/api/v1/runs", "/api/v1/me/sessions", "/api/v1/studies/all"):
                assert participant.get(path).status_code == 403, path
            assert participant.post("/api/v1/jobs", json={"prompt": "a cat"}).status_code == 403
            assert participant.get(f"/api/v1/studies/{other.id}/next").status_code == 404
            first = participant.get(f"/api/v1/studies/{study.id}/next").json()["pair"]
            choose(participant, study.id, first, "left")
        # On another device the same link goes on where it was.
        again = nobody.post("/api/v1/studies/join", json={"invitation": invitation}).json()
        assert again["study"]["answered"] == 1
        assert again["key"] != joined.json()["key"]
        # The other link is another person.
        second = nobody.post("/api/v1/studies/join", json={"invitation": two.split("invitation=")[1]}).json()
        assert second["study"]["answered"] == 0
        rows = {row["id"]: row for row in ada.get("/api/v1/studies/all").json()["studies"]}
        assert (rows[study.id]["participants"], rows[study.id]["answered"], rows[study.id]["finished"]) == (2, 1, 0)


def test_a_link_opened_many_times_leaves_few_keys(running: StudioApp) -> None:
    study = study_of(running, accounts=False)
    clock = running.studio.clock
    assert isinstance(clock, Clock)
    with running.browser("ada") as ada, running.browser() as nobody:
        link = ada.post(f"/api/v1/studies/{study.id}/invitations", json={}).json()["links"][0]
        body = {"invitation": link.split("invitation=")[1]}
        keys = []
        for _ in range(8):
            clock.forward(1)
            keys.append(nobody.post("/api/v1/studies/join", json=body).json()["key"])
    working = []
    for key in keys:
        with running.program(key) as participant:
            working.append(participant.get("/api/v1/studies").status_code == 200)
    assert working == [False] * 3 + [True] * 5


@pytest.mark.parametrize("change", ["forged", "expired", "other purpose", "closed"])
def test_a_link_that_is_not_good_opens_nothing(running: StudioApp, change: str) -> None:
    study = study_of(running)
    clock = running.studio.clock
    assert isinstance(clock, Clock)
    with running.browser("ada") as ada, running.browser() as nobody:
        link = ada.post(f"/api/v1/studies/{study.id}/invitations", json={"days": 1}).json()["links"][0]
        invitation = link.split("invitation=")[1]
        if change == "forged":
            invitation = invitation[:10] + ("A" if invitation[10] != "A" else "B") + invitation[11:]
        elif change == "expired":
            clock.forward(86_401)
        elif change == "other purpose":
            invitation = ada.post("/api/v1/invitations", json={}).json()["invitation"]
        else:
            assert ada.post(f"/api/v1/studies/{study.id}/close").status_code == 204
        before = running.studio.workspace.people.count()
        answer = nobody.post("/api/v1/studies/join", json={"invitation": invitation})
    codes = {"expired": (403, "token_expired"), "closed": (400, "invalid_value")}
    assert (answer.status_code, answer.json()["error"]["code"]) == codes.get(change, (403, "token_forged"))
    assert running.studio.workspace.people.count() == before


def test_a_closed_study_takes_nothing_more(running: StudioApp) -> None:
    study = study_of(running)
    with running.browser("ann") as ann, running.browser("bob") as bob, running.browser("ada") as ada:
        shown = ann.get(f"/api/v1/studies/{study.id}/next").json()["pair"]
        ada.post(f"/api/v1/studies/{study.id}/close")
        assert choose(ann, study.id, shown, "left") == ["refused", "refused"]
        ended = ann.get(f"/api/v1/studies/{study.id}/next").json()
        assert (ended["pair"], ended["study"]["state"]) == (None, "closed")
        assert bob.get(f"/api/v1/studies/{study.id}/next").status_code == 404
        assert bob.get("/api/v1/studies").json()["studies"] == []
        assert ada.post(f"/api/v1/studies/{study.id}/invitations", json={}).status_code == 400


def test_pairs_are_shared_out_evenly(running: StudioApp) -> None:
    study = study_of(running, count=6, each=2, repeats=0)
    for number in range(6):
        running.add(f"person {number}")
        with running.browser(f"person {number}") as browser:
            judge_all(browser, study.id)
    results = running.studio.workspace.studies.results(study.id)
    judged = [result.pair.number for result in results if result.question == "appeal"]
    assert sorted(judged) == sorted([*range(6)] * 2)


def test_the_table_says_who_is_preferred_and_whether_to_believe_it(running: StudioApp) -> None:
    study = study_of(running, count=8, each=8, repeats=2)
    for number in range(5):
        running.add(f"person {number}")
        with running.browser(f"person {number}") as browser:
            judge_all(browser, study.id)
    with running.browser("ada") as ada:
        found = ada.get(f"/api/v1/studies/{study.id}/report").json()
        assert (found["study"]["participants"], found["study"]["finished"], found["left_out"]) == (5, 5, 0)
        for row, question in zip(found["comparisons"], ("appeal", "faithfulness"), strict=True):
            assert (row["first"], row["second"], row["question"]) == ("new system", "old system", question)
            assert (row["preferred"], row["people"], row["answers"], row["pairs"]) == (1.0, 5, 40, 8)
            # Five people of one mind: Wilson's bound at n = 5 is 0.566.
            assert (row["low"], row["high"]) == (pytest.approx(0.5655, abs=1e-4), 1.0)
            assert row["verdict"] == "first"
        assert found["checks"]["repeats"] == 20
        assert found["checks"]["steady"]["value"] == 1.0
        assert 0 < found["checks"]["left"]["value"] < 1
        assert ada.get(f"/api/v1/studies/{study.id}/report", params={"steady": 1.5}).status_code == 400
        # Somebody who clicks left whatever lies there is found out, and can be left out.
        with running.browser("bob") as bob:
            while (shown := bob.get(f"/api/v1/studies/{study.id}/next").json()["pair"]) is not None:
                choose(bob, study.id, shown, "left")
        everybody = ada.get(f"/api/v1/studies/{study.id}/report").json()
        assert everybody["comparisons"][0]["people"] == 6
        assert everybody["checks"]["steady"]["value"] == pytest.approx(20 / 24)
        steady = ada.get(f"/api/v1/studies/{study.id}/report", params={"steady": 0.6}).json()
        assert (steady["left_out"], steady["comparisons"]) == (1, found["comparisons"])
        names = [account.name for account in running.studio.workspace.people.list()]
        assert not any(f'"{name}"' in json.dumps(everybody) for name in names)


def test_a_study_that_cannot_be_leaves_nothing(running: StudioApp) -> None:
    space, at = running.studio.workspace, 1.0
    good = pairs(1)[0]
    same = NewPair(prompt="p", first=picture(1, secret="a"), second=picture(1), first_system="a", second_system="b")
    for made, plan, title, words in (
        ([], StudyPlan(), "t", "needs at least one pair"),
        ([good], StudyPlan(each=0), "t", "gives at least one"),
        ([good], StudyPlan(), "  ", "the study has no title"),
        ([same], StudyPlan(), "t", "the same picture twice"),
        ([NewPair(**{**vars(good), "second_system": "new system"})], StudyPlan(), "t", "with itself"),
    ):
        with pytest.raises(UsageError, match=words):
            create_study(space, made, title=title, plan=plan, owner=None, at=at)
    assert space.studies.list() == ()


def test_systems_stand_in_one_order_in_the_table(running: StudioApp) -> None:
    one, two = pairs(2)
    turned = NewPair(
        prompt=two.prompt, first=two.second, second=two.first, first_system=two.second_system,
        second_system=two.first_system,
    )  # fmt: skip
    space = running.studio.workspace
    study = create_study(space, [one, turned], title="t", plan=StudyPlan(each=2, repeats=0), owner=None, at=1.0)
    with running.browser("ann") as ann:
        judge_all(ann, study.id)
    assert all(result.chose_first for result in space.studies.results(study.id))
    assert {pair.first_system for pair in space.studies.pairs(study.id)} == {"new system"}


def test_on_one_s_own_machine_a_study_needs_no_link(tmp_path: Path) -> None:
    with studio_app(tmp_path, clock=Clock()) as running:
        study = study_of(running, accounts=False)
        assert running.client.get("/api/v1/studies").json()["studies"] == []
        link = running.client.post(f"/api/v1/studies/{study.id}/invitations", json={}).json()["links"][0]
        joined = running.client.post("/api/v1/studies/join", json={"invitation": link.split("invitation=")[1]}).json()
        assert (joined["key"], joined["study"]["given"]) == ("", 5)
        assert len(judge_all(running.client, study.id)) == 5


def test_a_study_is_made_of_own_pictures_of_the_same_words(running: StudioApp) -> None:
    studio = running.studio
    owner = running.add("olga", roles=("operator",))

    def painted(prompt: str, checkpoint: str, who: str = owner, **values: Any) -> str:
        return paint(studio, who, prompt=prompt, checkpoint=checkpoint, **values)[0].id

    new, old, bob = "c" * 64, "", running.add("rob")
    good = [{"first": painted(f"cat {n}", new), "second": painted(f"cat {n}", old)} for n in range(3)]
    plan = {"title": "Tuesday", "introduction": "Look long.", "each": 2, "repeats": 1}
    with running.browser("olga") as olga:
        made = olga.post("/api/v1/studies", json={**plan, "pairs": good})
        assert made.status_code == 201, made.text
        row = made.json()
        assert (row["title"], row["state"], row["pairs"], row["participants"]) == ("Tuesday", "open", 3, 0)
        shown = olga.get(f"/api/v1/studies/{row['id']}/next").json()
        assert (shown["study"]["introduction"], shown["pair"]["of"]) == ("Look long.", 3)
        kept = {(pair.first_system, pair.second_system) for pair in studio.workspace.studies.pairs(row["id"])}
        assert kept == {(new[:12], "builtin:sd")}
        first, second = good[0]["first"], good[0]["second"]
        for pair, status, words in (
            ({"first": first, "second": good[1]["second"]}, 400, "not of the same words"),
            ({"first": first, "second": painted("cat 0", new)}, 400, "with itself"),
            ({"first": first, "second": painted("cat 0", old, bob)}, 404, "not in this person"),
            ({"first": first, "second": painted("cat 0", old, unsafe=True)}, 409, "leans unsafe"),
            ({"first": first, "second": second, "third": second}, 400, "third"),
        ):
            refused = olga.post("/api/v1/studies", json={**plan, "pairs": [pair]})
            assert refused.status_code == status, refused.text
            assert words in refused.text
        assert olga.post("/api/v1/studies", json={**plan, "pairs": good, "each": 0}).status_code == 400
        assert len(olga.get("/api/v1/studies/all").json()["studies"]) == 1
