"""Points in two phases, tiers and quotas, gold items, what a rater weighs, taste; by each preset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redraft.core.errors import ConfigError
from redraft.loop.answered import slider_answers_in
from redraft.store.people import Profile
from redraft.store.points import Earned
from redraft.store.raters import GoldResult
from redraft.store.requests import Request
from redraft.studio.errors import Refused
from redraft.studio.housekeeping import sweep
from redraft.studio.quota import daily_quota
from redraft.studio.requesting import enter
from redraft.studio.settling import weigh
from tests.studio.painted import EMBEDDING, Member, answer, clock_of, make_reviewer, member, paint, rating_studio
from tests.studio.running_studio import Clock, StudioApp, settings_of, studio_app


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("profile"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


def rate(person: Member, **values: Any) -> dict[str, Any]:
    """Rate a new picture; returns what was sent."""
    (painting,) = paint(person.studio, person.id)
    sent = answer(painting.id, at=person.studio.now(), **values)
    assert person.client.post("/api/v1/answers", json=sent).status_code == 201
    return sent


def days_later(running: StudioApp, days: float = 3.1) -> None:
    clock_of(running).forward(86_400 * days)
    sweep(running.studio)


def last_entry(person: Member) -> dict[str, Any]:
    entry: dict[str, Any] = person.client.get("/api/v1/profile/points").json()["entries"][0]
    return entry


def test_points_are_pending_first_and_final_after_one_to_three_days(running: StudioApp, ann: Member) -> None:
    for _ in range(7):
        rate(ann)
    before = ann.client.get("/api/v1/profile").json()
    # Five of ten, then 7.408 and 5.488.
    assert before["points"] == {"final": 0.0, "pending": pytest.approx(62.896, abs=1e-3)}
    assert before["today"]["reviews"] == 7
    assert before["today"]["next_worth"] == pytest.approx(4.066, abs=1e-3)
    assert before["today"]["formula"] == "10 * exp(-0.3 * max(0, n - 5))"
    days_later(running, 0.99)
    assert ann.client.get("/api/v1/profile").json()["points"]["final"] == 0
    days_later(running)
    after = ann.client.get("/api/v1/profile").json()["points"]
    assert after == {"final": pytest.approx(62.896, abs=1e-3), "pending": pytest.approx(0, abs=1e-9)}
    entries = ann.client.get("/api/v1/profile/points", params={"limit": 9}).json()
    assert {entry["reason"] for entry in entries["entries"][:7]} == {"helpful"}
    rest = ann.client.get("/api/v1/profile/points", params={"before": entries["next"]}).json()["entries"]
    assert (len(entries["entries"]), len(rest)) == (9, 5)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"lead_ms": 100}, "answered faster than the picture can be seen"),
        ({"payload": dict.fromkeys(("semantics", "subject_detail", "coherence", "safety"), 5)}, "on the same number"),
    ],
)
def test_reviews_that_tell_nothing_win_nothing_and_the_person_sees_why(
    running: StudioApp, ann: Member, values: dict[str, Any], reason: str
) -> None:
    rate(ann, **values)
    days_later(running)
    assert reason in last_entry(ann)["reason"]
    assert ann.client.get("/api/v1/profile").json()["points"] == {"final": 0.0, "pending": 0.0}


def test_a_review_that_was_taken_back_wins_nothing_and_one_answered_anew_does(running: StudioApp, ann: Member) -> None:
    gone, kept = rate(ann), rate(ann)
    for sent in (gone, kept):
        undo = answer(sent["subject"], payload={}, retracted=True, revision_of=sent["id"])
        assert ann.client.post("/api/v1/answers", json=undo).status_code == 201
    again = answer(kept["subject"], payload={"semantics": 3})
    assert ann.client.post("/api/v1/answers", json=again).status_code == 201
    days_later(running)
    assert ann.client.get("/api/v1/profile").json()["points"] == {"final": 10.0, "pending": 0.0}
    reasons = {row["award"]: row["reason"] for row in ann.client.get("/api/v1/profile/points").json()["entries"][:2]}
    assert reasons == {gone["id"]: "taken back", kept["id"]: "helpful"}


def test_two_answers_that_say_the_opposite_win_nothing(running: StudioApp, ann: Member) -> None:
    sent = rate(ann, payload={"semantics": 10, "coherence": 9})
    thumb = answer(sent["subject"], form="thumbs", payload={"up": False}, at=running.studio.now())
    ann.client.post("/api/v1/answers", json=thumb)
    days_later(running)
    assert ann.client.get("/api/v1/profile").json()["points"]["final"] == 0
    assert "say the opposite" in last_entry(ann)["reason"]


def test_points_never_depend_on_what_the_model_thinks(running: StudioApp) -> None:
    """The same answers about pictures that the model praises and damns win the same."""
    finals = []
    for confidence in (0.01, 0.99):
        person = member(running)
        for number in range(4):
            (painting,) = paint(running.studio, person.id, confidence=confidence, facets={"semantics": confidence})
            sent = answer(painting.id, payload={"semantics": number, "safety": 9}, at=running.studio.now())
            person.client.post("/api/v1/answers", json=sent)
        days_later(running)
        finals.append(running.studio.workspace.points.balance(person.id).final)
    assert finals == [40.0, 40.0]


def test_gold_items_are_given_now_and_then_judged_later_and_weigh_after_two_failures(tmp_path: Path) -> None:
    with rating_studio(tmp_path, raters={"gold_share": 0.2}) as running:
        ada, ann = member(running, roles=("moderator",)), member(running)
        expected = {"semantics": {"least": 7}}
        for painting in paint(running.studio, ada.id, count=3):
            body = {"picture": painting.id, "form": "sliders", "expected": expected}
            assert ada.client.put("/api/v1/gold", json=body).status_code == 201
            assert ann.client.put("/api/v1/gold", json=body).status_code == 403
        own = {painting.id for painting in paint(running.studio, ann.id, count=10)}
        seen = []
        for _ in range(200):
            review = ann.client.get("/api/v1/reviews/next").json()["review"]
            if review["picture"]["id"] in own:
                continue
            seen.append(review["picture"]["id"])
            sent = answer(review["picture"]["id"], payload={"semantics": 1}, token=review["token"])
            assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
            if len(seen) == 3:
                break
        # A fifth of 200 draws: fewer than three golds has a chance below 1e-16.
        assert len(set(seen)) == 3
        # The picture of somebody else is reached by the token alone.
        assert ann.client.post("/api/v1/answers", json=answer(seen[0])).status_code == 404
        before = ann.client.get("/api/v1/profile/rater").json()
        assert before["gold"] == {"seen": 0, "passed": 0}
        days_later(running)
        after = ann.client.get("/api/v1/profile/rater").json()
        assert after["gold"] == {"seen": 3, "passed": 0}
        assert after["weight"] < 0.2
        assert any("3 of 3 pictures with a known answer were answered otherwise" in note for note in after["notes"])
        assert ann.client.get("/api/v1/profile").json()["points"]["final"] == 0
        quality = running.studio.workspace.raters.quality(ann.id)
        assert quality is not None
        assert quality.weight == pytest.approx(after["weight"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"form": "sliders", "expected": {}}, 400, "expects nothing"),
        ({"form": "sliders", "expected": {"beauty": 3}}, 400, "no field of the form"),
        ({"form": "duel", "expected": {"choice": "left"}}, 400, "compares pictures"),
        ({"form": "stars", "expected": {"stars": 5}}, 400, "form 'stars' is unknown"),
    ],
)
def test_impossible_gold_items_are_refused(running: StudioApp, body: dict[str, Any], status: int, words: str) -> None:
    ada = member(running, roles=("moderator",))
    (painting,) = paint(running.studio, ada.id)
    reply = ada.client.put("/api/v1/gold", json={"picture": painting.id, **body})
    assert reply.status_code == status
    assert words in reply.json()["error"]["message"]


def test_nobody_makes_a_gold_item_of_anothers_or_an_unsafe_picture(running: StudioApp, ann: Member) -> None:
    ada = member(running, roles=("moderator",))
    for owner, values, status in ((ann, {}, 404), (ada, {"unsafe": True}, 409)):
        (painting,) = paint(running.studio, owner.id, **values)
        body = {"picture": painting.id, "form": "sliders", "expected": {"semantics": 5}}
        assert ada.client.put("/api/v1/gold", json=body).status_code == status


def test_gold_items_are_listed_with_how_people_did_and_any_moderator_retires_them(
    running: StudioApp, ann: Member
) -> None:
    ada, mo = member(running, roles=("moderator",)), member(running, roles=("moderator",))
    made = []
    for number in range(3):
        (painting,) = paint(running.studio, ada.id, prompt=f"cat {number}")
        made.append(painting.id)
        body = {"picture": painting.id, "form": "sliders", "expected": {"semantics": {"least": 7}}}
        put = ada.client.put("/api/v1/gold", json=body)
        clock_of(running).forward(1)
    space = running.studio.workspace
    for number, passed in enumerate((True, False, True)):
        result = GoldResult(answer=f"of ann {number}", item=put.json()["id"], user=ann.id, passed=passed, at=1.0)
        space.raters.note_gold(result)

    def listed(**query: Any) -> Any:
        return mo.client.get("/api/v1/gold", params=query).json()

    rows = listed()["gold"]
    mine = [row for row in rows if row["picture"] in made]
    assert [row["prompt"] for row in mine] == ["cat 2", "cat 1", "cat 0"]
    assert [(row["answers"], row["passed"]) for row in mine] == [(3, 2), (0, 0), (0, 0)]
    assert mo.client.get(mine[0]["thumbnail_url"]).status_code == 200
    first = listed(limit=1)
    assert [row["picture"] for row in first["gold"]] == [made[2]]
    assert [row["picture"] for row in listed(limit=1, before=first["next"])["gold"]] == [made[1]]
    assert listed(limit=len(rows))["next"] is None
    # Whose picture it is no longer matters: it is shown to everybody already.
    body = {"picture": made[2], "form": "sliders", "expected": mine[0]["expected"], "active": False}
    assert mo.client.put("/api/v1/gold", json=body).status_code == 201
    assert [row["active"] for row in listed()["gold"] if row["picture"] in made].count(False) == 1


def test_rating_sessions_show_good_pictures_too_and_each_once(tmp_path: Path) -> None:
    # A studio of its own: where there are gold items, some are shown in between.
    with rating_studio(tmp_path) as running:
        ann = member(running)
        confidences = [number / 8 for number in range(8)]
        made = {paint(running.studio, ann.id, confidence=value)[0].id: value for value in confidences}
        seen = []
        while (review := ann.client.get("/api/v1/reviews/next").json()["review"]) is not None:
            seen.append(review["picture"]["id"])
            assert "confidence" not in review["picture"]
            ann.client.post("/api/v1/answers", json=answer(seen[-1], token=review["token"]))
        assert sorted(seen) == sorted(made)
        assert ann.client.get("/api/v1/asks/budget").json()["asked_today"] == 0


def test_unsafe_pictures_of_consenting_people_go_to_reviewers_as_they_are(tmp_path: Path) -> None:
    with rating_studio(tmp_path) as running:
        _reviewed(running, member(running))


def _reviewed(running: StudioApp, ann: Member) -> None:
    (painting,) = paint(running.studio, ann.id, unsafe=True, blurred=True, safety="blurred")
    ordinary, reviewer = member(running), member(running)
    make_reviewer(running.studio, reviewer.name)
    assert ordinary.client.get("/api/v1/reviews/next").json() == {"review": None}
    assert ann.client.get("/api/v1/reviews/next").json() == {"review": None}
    review = reviewer.client.get("/api/v1/reviews/next").json()["review"]
    assert review["picture"]["id"] == painting.id
    assert review["picture"]["blurred"] is False
    shown = reviewer.client.get(review["picture"]["url"])
    assert shown.content == running.studio.workspace.pictures.read(painting.picture)
    sent = answer(painting.id, payload={"safety": 1}, token=review["token"])
    assert reviewer.client.post("/api/v1/answers", json=sent).status_code == 201
    # The answer of the reviewer, about somebody else's picture, feeds the safety facet.
    rows = [row for row in running.studio.workspace.answers.evidence(limit=10_000) if row.answer.user == reviewer.id]
    assert [row.answer.payload for row in rows] == [{"safety": 1}]
    make_reviewer(running.studio, reviewer.name, adult=False)
    paint(running.studio, ann.id, unsafe=True, blurred=True, safety="blurred")
    assert reviewer.client.get("/api/v1/reviews/next").json() == {"review": None}


def give_points(person: Member, points: float) -> None:
    """Final points for as many reviews on days of their own as a real person would need at least."""
    ledger, now = person.studio.workspace.points, person.studio.now()
    for number in range(3):
        award = f"{person.id[:20]} {number} {points}"
        ledger.enter([Earned(award=award, user=person.id, day=f"2026-01-0{number + 1}", at=now)],
                     amount=lambda _place: 1.0, reason="test")  # fmt: skip
        ledger.settle(award, amount=points / 3, reason="test", at=now)


def test_silver_paints_a_fifth_more_once_the_person_is_known(running: StudioApp, ann: Member) -> None:
    give_points(ann, 1200)
    profile = ann.client.get("/api/v1/profile").json()
    assert (profile["tier"]["name"], profile["tier"]["open"]) == ("Silver", False)
    assert profile["next_tier"] == {"name": "Gold", "begins": 10_000}
    assert profile["quota"] == {"daily": 500, "with_tier": 500}
    clock_of(running).forward(8 * 86_400)
    profile = ann.client.get("/api/v1/profile").json()
    assert profile["tier"]["open"] is True
    assert profile["quota"] == {"daily": 500, "with_tier": 600}
    assert daily_quota(running.studio, ann.person) == 600


def test_the_days_pictures_end_with_the_quota_of_the_tier(tmp_path: Path) -> None:
    with studio_app(tmp_path, clock=Clock(), authentication="accounts", limits={"daily_pictures": 10}) as running:
        ann = member(running)

        def take(count: int, **values: Any) -> bool:
            made = Request(
                id=running.studio.new_id(), owner=ann.id, prompt="a cat", prompt_hash="0" * 64, base="builtin:sd",
                checkpoint="", steps=4, guidance=1.0, width=64, height=64, count=count, created_at=running.studio.now(),
                **values,
            )  # fmt: skip
            return enter(running.studio, ann.person, made)[1]

        clock_of(running).forward(8 * 86_400)
        assert take(9)
        with pytest.raises(Refused, match="your 10 pictures of today are used up") as refused:
            take(2)
        assert (refused.value.status, refused.value.code) == (429, "quota_exceeded")
        # Until midnight, UTC.
        assert refused.value.retry_after == 86_400 - running.studio.now() % 86_400
        assert take(1, idempotency_key="same")
        assert not take(1, idempotency_key="same")
        with pytest.raises(Refused):
            take(1)
        # Silver, once the person is known: a fifth more.
        give_points(ann, 1200)
        assert take(2)
        with pytest.raises(Refused, match="your 12 pictures"):
            take(1)
        clock_of(running).forward(86_400)
        assert take(12)


def test_points_are_taken_back_with_a_reason_and_the_place_in_the_day_is_free_again(
    running: StudioApp, ann: Member
) -> None:
    first, *_ = [rate(ann) for _ in range(6)]
    ada = member(running, roles=("moderator",))
    path = f"/api/v1/points/{first['id']}/reverse"
    assert ann.client.post(path, json={"reason": "mine"}).status_code == 403
    assert ada.client.post(path, json={"reason": ""}).status_code == 400
    assert ada.client.post(path, json={"reason": "entered twice by our mistake"}).status_code == 204
    assert ada.client.post(path, json={"reason": "again"}).status_code == 204
    assert ada.client.post("/api/v1/points/absent/reverse", json={"reason": "x"}).status_code == 404
    assert (last_entry(ann)["reason"], last_entry(ann)["state"]) == ("entered twice by our mistake", "reversed")
    # Six were 57.41; one of ten is gone, and the next one is the sixth of the day again.
    profile = ann.client.get("/api/v1/profile").json()
    assert profile["points"]["pending"] == pytest.approx(47.408, abs=1e-3)
    assert profile["today"]["next_worth"] == pytest.approx(7.408, abs=1e-3)
    audit = [entry for entry in running.studio.workspace.audit.entries(limit=5) if entry.action == "reverse points"]
    assert {(entry.actor, entry.subject) for entry in audit} == {(ada.id, first["id"])}
    days_later(running)
    assert ann.client.get("/api/v1/profile").json()["points"]["final"] == pytest.approx(47.408, abs=1e-3)


def test_prompts_are_forgotten_when_their_time_is_over(tmp_path: Path) -> None:
    with rating_studio(tmp_path, retention={"prompt_days": 2}) as running:
        ann = member(running)
        old = paint(running.studio, ann.id, prompt="an old secret", count=2)[0].request
        duel = ann.client.get("/api/v1/duels/next").json()["duel"]["id"]
        clock_of(running).forward(3 * 86_400)
        new = paint(running.studio, ann.id, prompt="a new one")[0].request
        sweep(running.studio)
        space = running.studio.workspace
        assert [space.requests.get(id, owner=ann.id).prompt for id in (old, new)] == [None, "a new one"]
        assert space.duels.get(duel, user=ann.id).prompt is None
        assert "an old secret" not in ann.client.get("/api/v1/gallery").text


def test_pictures_go_when_their_time_is_over_and_favourites_stay(tmp_path: Path) -> None:
    with rating_studio(tmp_path, retention={"picture_days": 2}) as running:
        ann, ada, space = member(running), member(running, roles=("moderator",)), running.studio.workspace
        old, liked, rated = (paint(running.studio, ann.id, embedding=(1.0, 0.0))[0] for _ in range(3))
        space.gallery.set_favourite(liked.id, True, owner=ann.id)
        assert ann.client.post("/api/v1/answers", json=answer(rated.id, at=running.studio.now())).status_code == 201
        (gold,) = paint(running.studio, ada.id)
        body = {"picture": gold.id, "form": "sliders", "expected": {"semantics": 5}}
        assert ada.client.put("/api/v1/gold", json=body).status_code == 201
        clock_of(running).forward(1.9 * 86_400)
        sweep(running.studio)
        assert len(space.gallery.find([old.id, liked.id, rated.id, gold.id])) == 4
        clock_of(running).forward(0.2 * 86_400)
        (new,) = paint(running.studio, ann.id)
        sweep(running.studio)
        left = {painting.id for painting in space.gallery.find([old.id, liked.id, rated.id, gold.id, new.id])}
        assert left == {liked.id, gold.id, new.id}
        assert list(space.gallery.embeddings(ann.id, [old.id, liked.id], fingerprint=EMBEDDING)) == [liked.id]
        assert not (tmp_path / "workspace" / "images").joinpath(old.picture[:2]).joinpath(old.picture).exists()
        assert len(space.answers.of_person(ann.id)) == 1


def test_what_a_rater_weighs_reaches_training(running: StudioApp, ann: Member) -> None:
    rate(ann)
    weight = weigh(running.studio, ann.id).weight
    (row,) = [row for row in running.studio.workspace.answers.evidence(limit=10_000) if row.answer.user == ann.id]
    assert row.weight == pytest.approx(weight)
    assert 0.5 < weight < 1


def test_taste_is_the_difference_between_liked_and_other_pictures(running: StudioApp, ann: Member) -> None:
    for up, aesthetics in ((True, 0.9), (True, 0.7), (False, 0.2)):
        (painting,) = paint(running.studio, ann.id, facets={"aesthetics": aesthetics, "coherence": 0.5})
        ann.client.post("/api/v1/answers", json=answer(painting.id, form="thumbs", payload={"up": up}))
    found = ann.client.get("/api/v1/profile/taste").json()
    assert found["likes"] == {"aesthetics": pytest.approx(0.6), "coherence": pytest.approx(0.0)}
    assert (found["answers"], found["enough"], found["fitted"]) == (3, False, False)
    running.studio.workspace.people.set_profile(ann.id, Profile(data=b"1234", fingerprint="f"), at=1.0)
    assert ann.client.get("/api/v1/profile/taste").json()["fitted"] is True
    assert ann.client.delete("/api/v1/profile/taste").status_code == 204
    assert running.studio.workspace.people.profile(ann.id) is None


@pytest.mark.parametrize(
    ("settings", "reward", "points", "tier", "form"),
    [
        ({"forms": "stars"}, "badge", False, True, "stars"),
        ({"forms": "thumbs-status"}, "tier", False, True, "thumbs"),
        ({"forms": "thumbs"}, "none", False, False, "thumbs"),
        ({"forms": "sliders-paid"}, "ledger", True, False, "sliders"),
        ({"points": {"enabled": False}}, "none", False, False, "sliders"),
    ],
)
def test_each_preset_asks_and_thanks_in_its_own_way(
    tmp_path: Path, settings: dict[str, Any], reward: str, points: bool, tier: bool, form: str
) -> None:
    with rating_studio(tmp_path, **settings) as running:
        ann = member(running)
        shown = ann.client.get("/api/v1/forms").json()
        assert (shown["reward"], shown["ask_form"], shown["forms"][0]["name"]) == (reward, form, form)
        payload = {"stars": {"stars": 4}, "thumbs": {"up": True}, "sliders": {"semantics": 4, "safety": 9}}[form]
        for _ in range(7):
            rate(ann, form=form, payload=payload)
        profile = ann.client.get("/api/v1/profile").json()
        assert (profile["points"] is not None, profile["tier"] is not None) == (points, tier)
        days_later(running)
        final = running.studio.workspace.points.balance(ann.id).final
        curve = 62.896
        assert final == pytest.approx({"badge": curve, "tier": curve, "none": 0, "ledger": 7}[reward], abs=1e-3)


def test_others_points_are_not_shown(running: StudioApp, ann: Member) -> None:
    rate(ann)
    bob = member(running)
    assert bob.client.get("/api/v1/profile/points").json()["entries"] == []
    assert running.client.get("/api/v1/profile/points").status_code == 401


def test_a_seventh_slider_is_asked_for_by_configuration_alone(tmp_path: Path) -> None:
    with rating_studio(tmp_path, more_facets=["temporal_coherence", "line_quality"]) as running:
        ann = member(running)
        fields = ann.client.get("/api/v1/forms").json()["forms"][0]["fields"]
        assert [field["name"] for field in fields][5:] == ["safety", "temporal_coherence", "line_quality", "text"]
        said = {"semantics": 4, "temporal_coherence": 9, "line_quality": 5}
        rate(ann, payload=said)
        (kept,) = running.studio.workspace.answers.of_person(ann.id)
        assert (kept.payload, kept.mark) == (said, 6.0)
        # A single picture does not move: that slider is not learnt from it.
        (found,) = slider_answers_in(running.studio.workspace, facets=tuple(said))
        assert found.sliders == {"semantics": 4, "line_quality": 5}


def test_a_way_to_ask_of_ones_own_is_a_table(tmp_path: Path) -> None:
    own = {"title": "Ours", "ask_form": "thumbs", "volunteered": ["sliders"], "reward": "badge"}
    with rating_studio(tmp_path, forms="own", own=own) as running:
        shown = member(running).client.get("/api/v1/forms").json()
        assert (shown["preset"], shown["title"], shown["reward"]) == ("own", "Ours", "badge")
        assert [form["name"] for form in shown["forms"]] == ["thumbs", "sliders"]
    for settings, words in (({"forms": "own"}, "needs the table"), ({"own": own}, "set forms = 'own'")):
        with pytest.raises(ConfigError, match=words):
            settings_of(tmp_path, **settings)


def test_who_answers_duels_by_the_side_wins_nothing_until_their_later_answers_say_otherwise(
    running: StudioApp, ann: Member
) -> None:
    def judge(choice: str) -> None:
        duel = ann.client.get("/api/v1/duels/next").json()["duel"]["id"]
        sent = answer(duel, form="duel", payload={"choice": choice}, at=running.studio.now())
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 201

    paint(running.studio, ann.id, count=8)
    for _ in range(11):
        judge("left")
    days_later(running)
    report = ann.client.get("/api/v1/profile/rater").json()
    assert report["weight"] == 0
    assert "11 of 11 duels were decided for the left picture" in report["notes"][-1]
    assert ann.client.get("/api/v1/profile").json()["points"]["final"] == 0
    assert "held back" in last_entry(ann)["reason"]
    for _ in range(11):
        judge("right")
    assert ann.client.get("/api/v1/profile/rater").json()["weight"] > 0.5
